"""Activation inference: which activation follows a layer, in the graph of its module."""

from functools import cached_property

from torch import fx, nn

from weightinit.adapters.plan import Inference
from weightinit.torch.activation_names import GATED, PRODUCTS, SCALING, find_activation, fold, is_passing
from weightinit.torch.layers import FEED_FORWARD, LAST_LAYERS, is_known
from weightinit.torch.tracing import Trace, find_named_kind, name_module, trace_module

NOTHING = Inference(None, "No activation follows.")


class ActivationFinder:
    """The activations that follow the layers of a module. It is traced when the first is needed."""

    def __init__(self, root: nn.Module) -> None:
        self._root = root

    def find(self, layer: nn.Module) -> Inference:
        """Find what follows a layer: its first use counts, if it has several."""
        return self._findings.get(id(layer)) or doubt(self._explain(layer))

    @cached_property
    def _traces(self) -> list[Trace]:
        return list(trace_module(self._root))

    @cached_property
    def _findings(self) -> dict[int, Inference]:
        findings = find_kept_activations(self._root)
        for trace in self._traces:
            for node in trace.graph.nodes:
                layer = find_layer(node, trace)
                known = findings.get(id(layer))
                if layer is not None and (known is None or known.certainty == "unknown"):
                    findings[id(layer)] = follow(node, trace)
        return findings

    def _explain(self, layer: nn.Module) -> str:
        """Explain why no trace came to a layer: the innermost module around it that could not be traced."""
        around = [
            why
            for trace in self._traces
            for path, why in trace.opaque.items()
            if layer in trace.modules[path].modules()
        ]
        return around[-1] if around else "nothing calls it"


def find_kept_activations(root: nn.Module) -> dict[int, Inference]:
    """Find what can be told without a graph: of PyTorch's own feed-forward modules, and of a lone layer."""
    findings = {}
    alone = find_last_layer(root)
    if alone is not None:
        findings[id(alone)] = Inference(None, "No activation follows in this module.")
    for module in root.modules():
        for kind in type(module).__mro__:
            for layer, attribute in FEED_FORWARD.get(kind, {}).items():
                findings[id(module.get_submodule(layer))] = read_kept_activation(module, attribute)
    return findings


def read_kept_activation(module: nn.Module, attribute: str | None) -> Inference:
    """Read the activation, a function or a module, that a module keeps as an attribute."""
    if attribute is None:
        return NOTHING
    kept = getattr(module, attribute)
    called = fold(getattr(kept, "__name__", type(kept).__name__))
    return Inference(find_activation(called) or called, f"{attribute} of its transformer layer follows.")


def find_layer(node: fx.Node, trace: Trace) -> nn.Module | None:
    """Find the layer whose output is the value of a node."""
    return find_last_layer(trace.modules[str(node.target)]) if node.op == "call_module" else None


def find_last_layer(module: nn.Module) -> nn.Module | None:
    """Find the layer that a module is, or ends with; None where its type has no row."""
    for kind, last in LAST_LAYERS.items():
        if isinstance(module, kind):
            return module.get_submodule(last)
    return module if is_known(module) else None


def follow(start: fx.Node, trace: Trace) -> Inference:
    """Follow a node's value through what lets it pass; of the activations it comes to, the first counts."""
    order = {node: index for index, node in enumerate(trace.graph.nodes)}
    reached, pending = {start}, [start]
    hits: list[tuple[int, str, fx.Node]] = []
    ends: list[fx.Node] = []
    while pending:
        node = pending.pop()
        for user in [user for user in node.users if user not in reached]:
            activation = name_activation(user, node, trace)
            if activation is not None:
                hits.append((order[user], activation, user))
            elif lets_pass(user, node, trace):
                reached.add(user)
                pending.append(user)
            else:
                ends.append(user)
    if hits:
        _, activation, user = min(hits, key=lambda hit: hit[0])
        return Inference(activation, f"{describe(user, trace)} follows.")
    why = find_doubt(start, ends, trace)
    return doubt(why) if why else NOTHING


def doubt(why: str) -> Inference:
    """Find that what follows could not be seen, and why."""
    return Inference(None, f"What follows could not be seen: {why}.", certainty="unknown")


def find_doubt(start: fx.Node, ends: list[fx.Node], trace: Trace) -> str:
    """Find why there may be an activation nevertheless, given where a node's value ends; "" if there is none.

    It may be in or around a module that cannot be traced, or beyond the place where tracing broke off. There
    a value that has come to the next layer, or a product of matrices, has come far enough.
    """
    called = [str(end.target) for end in ends if end.op == "call_module"]
    opaque = [trace.opaque[path] for path in called if path in trace.opaque]
    if opaque:
        return opaque[0]
    if any(end.op == "output" for end in ends):
        return trace.outside
    multiplied = any(name_operation(end, trace) in PRODUCTS for end in ends)
    if start not in trace.broken or called or multiplied:
        return ""
    return list(trace.opaque.values())[-1]


def name_activation(node: fx.Node, source: fx.Node, trace: Trace) -> str | None:
    """Name the activation that a node applies to its source; None where it is none.

    A product with an activation is the linear half of a gated unit, and x · sigmoid(x) is SiLU.
    """
    called = name_operation(node, trace)
    activation = find_activation(called)
    if activation == "sigmoid" and any(
        name_operation(user, trace) in SCALING and source in user.all_input_nodes for user in node.users
    ):
        return "silu"
    if activation is not None or called not in SCALING:
        return activation
    factors = (name_operation(other, trace) for other in node.all_input_nodes if other is not source)
    gates = (find_activation(factor) for factor in factors)
    return next((GATED[gate] for gate in gates if gate in GATED), None)


def lets_pass(node: fx.Node, source: fx.Node, trace: Trace) -> bool:
    """Tell whether a node lets its source's signal through: a product does, if the other factor is none."""
    called = name_operation(node, trace)
    if called in SCALING:
        return all(other.op == "get_attr" for other in node.all_input_nodes if other is not source)
    return is_passing(called)


def name_operation(node: fx.Node, trace: Trace) -> str:
    """Return the folded name of what a node calls; empty where it calls nothing that is known."""
    if node.op == "call_module":
        return "" if node.target in trace.opaque else name_module(trace.modules[str(node.target)])
    if node.op == "call_function":
        return fold(str(getattr(node.target, "__name__", "")))
    return fold(str(node.target)) if node.op == "call_method" else ""


def describe(node: fx.Node, trace: Trace) -> str:
    """Describe what a node calls, for a report."""
    if node.op == "call_module":
        kind = find_named_kind(trace.modules[str(node.target)])
        return f"{node.target} ({kind.__name__ if kind else 'unknown'})"
    return f"{getattr(node.target, '__name__', node.target)}()"
