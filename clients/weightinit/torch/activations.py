"""Following: which activation follows a layer, in the graph of its module."""

import dis
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import FrameType
from typing import Any

from torch import fx, nn

from weightinit.adapters.plan import Inference
from weightinit.torch.activation_names import GATED, PRODUCTS, SCALING, find_activation, fold, is_passing
from weightinit.torch.layers import FEED_FORWARD, LAST_LAYERS, find_kind, is_known
from weightinit.torch.walk import unwrap


@dataclass(frozen=True, slots=True)
class Trace:
    """The graph of one module, and `modules` by the names in it.

    `opaque` modules could not be followed, for a reason; what there is of their inside is `broken`. Where the
    module is itself inside of such a one, `outside` is the reason that nothing is known of what comes after.
    """

    graph: fx.Graph
    modules: dict[str, nn.Module]
    opaque: dict[str, str]
    broken: frozenset[fx.Node]
    outside: str


class LayerTracer(fx.Tracer):
    """A tracer whose leaves are layers and activations, and that hooks of wrappers do not disturb."""

    def __init__(self) -> None:
        super().__init__()
        self.opaque: dict[str, str] = {}
        self.broken: set[fx.Node] = set()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Keep whole what has a name, besides what torch.nn makes of one piece."""
        if is_known(m) or name_module(m):
            return True
        return super().is_leaf_module(m, module_qualified_name) and not has_children(m)

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],  # noqa: ARG002 - it would run hooks, and FSDP's communicate
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - what a forward returns
        """Make a node of a leaf; follow any other module, and make a node of it where that fails."""
        inner = unwrap(m)
        path = self.path_of_module(inner)
        if not self.is_leaf_module(inner, path):
            known = set(self.graph.nodes)
            try:
                return inner.forward(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - code of the user's, run on stand-ins for tensors
                self.opaque[path] = explain_failure(inner, error)
                self.broken |= set(self.graph.nodes) - known
        return self.create_proxy("call_module", path, args, kwargs)

    def to_bool(self, obj: fx.Proxy) -> bool:
        """Let assertions hold; no other branch can be taken without a value."""
        frame = inspect.currentframe()
        caller = frame.f_back.f_back if frame and frame.f_back else None
        if caller and is_asserting(caller):
            return True
        return super().to_bool(obj)


def trace_module(root: nn.Module, outside: str = "") -> Iterator[Trace]:
    """Trace a module, then each part of it that could not be followed."""
    root = unwrap(root)
    tracer = LayerTracer()
    modules = dict(root.named_modules())
    with keep_attributes(root), warnings.catch_warnings(action="ignore"):
        try:
            tracer.trace(root)
        except Exception as error:  # noqa: BLE001 - as above
            tracer.opaque[""] = explain_failure(root, error)
            tracer.broken |= set(tracer.graph.nodes)
    yield Trace(tracer.graph, modules, tracer.opaque, frozenset(tracer.broken), outside)
    for path, why in tracer.opaque.items():
        yield from trace_children(modules[path], why)


def explain_failure(module: nn.Module, error: Exception) -> str:
    """Explain why a module could not be followed: the first sentence of the error."""
    message = str(error).partition(". ")[0] or type(error).__name__
    return f"{type(module).__name__}.forward cannot be traced ({message})"


def trace_children(module: nn.Module, outside: str) -> Iterator[Trace]:
    """Trace the children of a module; a list of modules, which computes nothing, through its items."""
    for child in module.children():
        inner = unwrap(child)
        if isinstance(inner, nn.ModuleList | nn.ModuleDict):
            yield from trace_children(inner, outside)
        elif not is_known(inner) and has_children(inner):
            yield from trace_module(inner, outside)


def has_children(module: nn.Module) -> bool:
    """Tell whether a module has others inside it."""
    return next(module.children(), None) is not None


def name_module(module: nn.Module) -> str:
    """Return the folded name of an activation, or of what lets a signal through; empty for other modules.

    The class's own name decides, or that of the nearest base: fully_shard, for one, gives a module a class of
    its own. So a norm that a library made itself counts as a norm.

    >>> name_module(nn.LeakyReLU()), name_module(nn.BatchNorm2d(1)), name_module(nn.Linear(1, 1))
    ('leakyrelu', 'batchnorm2d', '')
    """
    return fold(kind.__name__) if (kind := find_named_kind(module)) else ""


def find_named_kind(module: nn.Module) -> type | None:
    """Find the class that a module has its name from."""
    known = find_kind(module)
    kinds = [known] if known else [] if has_children(module) else type(module).__mro__
    if known or next(module.parameters(), None) is None:
        for kind in kinds:
            if find_activation(fold(kind.__name__)):
                return kind
    return next((kind for kind in kinds if is_passing(fold(kind.__name__))), None)


def is_asserting(frame: FrameType) -> bool:
    """Tell whether a frame is about to jump over the raising of an AssertionError.

    fx looks for the same pattern, in the byte code of Python 3.10 and older.
    """
    following = (step for step in dis.get_instructions(frame.f_code) if step.offset > frame.f_lasti)
    steps = itertools.islice(following, 2)
    return any(step.opname == "LOAD_ASSERTION_ERROR" or step.argval is AssertionError for step in steps)


@contextmanager
def keep_attributes(root: nn.Module) -> Iterator[None]:
    """Put back the attributes of all modules: a forward may keep what it computes, here a stand-in for it."""
    before = [(module, dict(vars(module))) for module in root.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)


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
                if layer is not None and (known is None or not known.certain):
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
    return Inference(None, f"What follows could not be seen: {why}.", certain=False)


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
