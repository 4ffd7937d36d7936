"""Trace a module with torch.fx, wholly or as far as it can be followed."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from weightinit.adapters.flow.graph import Node, Role, fold
from weightinit.torch.layers import is_known
from weightinit.torch.tracing.aliases import VIEWS
from weightinit.torch.tracing.conversion import make_module_node, make_step
from weightinit.torch.tracing.copying import Copy, copy_module, keep_surroundings
from weightinit.torch.tracing.forms import is_changing
from weightinit.torch.tracing.frames import explain_branches, is_asserting, list_needed
from weightinit.torch.tracing.hooks import explain_inputs, explain_outputs
from weightinit.torch.tracing.nodes import add_node, make_constant
from weightinit.torch.tracing.stand_ins import IN_PLACE, Step, TensorProxy, find_proxies, take_for_tensors
from weightinit.torch.walk import unwrap

# Types of arguments that are used without conversion.
PLAIN = frozenset([int, float, bool, str, type(None), type(...), torch.dtype])


@dataclass(frozen=True, slots=True)
class Traced:
    """The graph of a module, or of a part of it.

    `outside` is the reason why what comes after the graph is unknown, if it is; `doubtful` the reason why the
    graph may differ from what the module computes.
    """

    nodes: list[Node]
    outside: str
    doubtful: str = ""


class LayerTracer(fx.Tracer):
    """A tracer whose leaves are PyTorch's own modules, and which bypasses the hooks of wrappers.

    It creates the adapters' nodes directly, because fx's graphs take longer. If a module cannot be followed,
    it raises; with `partial`, it creates one node for that module.
    """

    def __init__(self, copied: Copy, *, partial: bool) -> None:
        super().__init__()
        self._copied = copied
        self._partial = partial
        self._parameters: dict[int, fx.Proxy] = {}
        self._broken: list[Node] = []
        self._needed: set[Node] = set()
        self.nodes: list[Node] = []
        self.opaque: dict[str, str] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002 - fx's
        """Return whether a module is kept whole: it runs PyTorch's own forward, not that of a subclass."""
        return is_own(m) and not (has_children(m) and not is_known(m))

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],  # noqa: ARG002 - it would run hooks, and FSDP's communicate
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - what a forward returns
        """Create a node for a leaf; follow any other module, and create a node for it if that fails."""
        inner = unwrap(m)
        path = self.path_of_module(inner)
        source = self._copied.sources[inner]
        if why := explain_inputs(source) or explain_outputs(source):
            self.opaque[path] = why
        elif not self.is_leaf_module(inner, path):
            before = len(self.nodes)
            try:
                return inner.forward(*args, **kwargs)
            except Exception as error:
                if not self._partial:
                    raise
                self.note_failure(path, inner, error, before)
        arguments, keywords = self.create_arg(args), self.create_arg(kwargs)
        node = make_module_node(path, source, arguments, keywords, self.opaque.get(path, ""))
        made = self.proxy(self._add(node))
        return self._change(args[0], made) if args and getattr(m, "inplace", False) is True else made

    def note_failure(self, path: str, module: nn.Module, error: Exception, before: int = 0) -> None:
        """Record that a module could not be followed; the nodes from `before` on were computed in it."""
        self.opaque[path] = explain_failure(module, error)
        self._broken += self.nodes[before:]
        needed = find_proxies(list_needed(error))
        self._needed |= {proxy.node.node for proxy in needed if isinstance(proxy.node, Step)}

    def end_broken(self) -> None:
        """Connect the nodes at which the trace broke off, and those needed later, to an unknown node."""
        if self._broken:
            why = list(self.opaque.values())[-1]
            last = tuple(
                dict.fromkeys(node for node in self._broken if not node.users or node in self._needed)
            )
            self._add(Node(0, Role.UNKNOWN, inputs=last, why=why))

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - fx's
        """Return the stand-in for a call's result; for an in-place call, that of the changed argument."""
        made = super().create_proxy(kind, target, args, kwargs, *rest, **more)
        name = target if isinstance(target, str) else getattr(target, "__name__", "")
        changes = kind.startswith("call") and (name in IN_PLACE or is_changing(name, kwargs))
        return self._change(kwargs.get("out", args[0]), made) if changes else made

    def _change(self, given: Any, made: fx.Proxy) -> fx.Proxy:  # noqa: ANN401 - any argument
        """Update a stand-in after an in-place change. Raises TypeError if it is a view or has views."""
        if not isinstance(given, fx.Proxy):
            return made
        step: Any = given.node
        old = step.node
        if any(fold(getattr(node.call, "__name__", "")) in VIEWS for node in (old, *old.users)):
            raise TypeError("a view is changed in place")
        given.node = made.node
        return given

    def create_node(
        self,
        kind: str,
        target: Any,  # noqa: ANN401 - a function, or a name
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None = None,  # noqa: ARG002 - fx's
        type_expr: Any = None,  # noqa: ANN401, ARG002 - fx's
    ) -> Any:  # noqa: ANN401 - what fx takes for its node
        """Create the node of a call."""
        return self._add(make_step(kind, target, args, kwargs))

    def proxy(self, node: Any) -> fx.Proxy:  # noqa: ANN401 - what fx takes for its node
        """Return the stand-in for a node."""
        return TensorProxy(node, self)

    def create_arg(self, a: Any) -> Any:  # noqa: ANN401 - fx's
        """Convert an argument, replacing stand-ins and tensors by nodes."""
        kind = type(a)
        if kind in PLAIN:
            return a
        if kind is tuple:
            return tuple([self.create_arg(item) for item in a])
        if kind is dict:
            return {self.create_arg(key): self.create_arg(item) for key, item in a.items()}
        made: Any
        if isinstance(a, fx.Proxy):
            made = a.node
        elif isinstance(a, torch.Tensor | nn.Module):
            made = self._add(
                make_constant(self._copied.find_original(a) if isinstance(a, torch.Tensor) else a)
            )
        else:
            made = super().create_arg(a)
        return made.node if isinstance(made, Step) else made

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:  # noqa: ANN401, ARG002
        """Return a stand-in for a parameter, so that values derived from it count as kernels."""
        if not isinstance(attr_val, nn.Parameter):
            return attr_val
        if id(attr_val) not in self._parameters:
            self._parameters[id(attr_val)] = self.proxy(
                self._add(make_constant(self._copied.find_original(attr_val)))
            )
        return self._parameters[id(attr_val)]

    def _add(self, node: Node) -> Step:
        add_node(node, self.nodes)
        return Step(node)

    def to_bool(self, obj: fx.Proxy) -> bool:
        """Return True for assertions; raise for other branches that depend on a value."""
        frame = inspect.currentframe()
        caller = frame.f_back.f_back if frame and frame.f_back else None
        if caller and is_asserting(caller):
            return True
        return super().to_bool(obj)


def trace_whole(root: nn.Module) -> list[Node] | None:
    """Trace a copy of a module; None if any part of it cannot be followed."""
    if has_own_forward(root) or any(explain_inputs(one) or explain_outputs(one) for one in root.modules()):
        return None
    if explain_branches(root):
        return None
    try:
        copied = copy_module(root)
        tracer = LayerTracer(copied, partial=False)
        with keep_surroundings(root), take_for_tensors():
            tracer.trace(copied.module)
    except Exception:  # noqa: BLE001 - code of the user's, run on stand-ins for tensors
        return None
    return tracer.nodes


Record = Callable[[nn.Module], list[Node] | None]


def trace_module(
    root: nn.Module, failures: dict[nn.Module, str], record: Record, outside: str = ""
) -> Iterator[Traced]:
    """Trace a module, then each part that could not be followed; `failures` receives these and the reasons.

    `record` returns the graph of a part that can be run on its own, or None.
    """
    try:
        copied = copy_module(root)
    except Exception as error:  # noqa: BLE001 - as above
        failures[root] = explain_failure(root, error)
        return
    tracer = LayerTracer(copied, partial=True)
    modules = {path: copied.sources[module] for path, module in copied.module.named_modules()}
    with keep_surroundings(root), take_for_tensors():
        try:
            if has_own_forward(root):
                raise NotImplementedError("it was replaced")  # noqa: TRY301 - fx would trace the class's forward
            tracer.trace(copied.module)
        except Exception as error:  # noqa: BLE001 - as above
            tracer.note_failure("", copied.module, error)
    tracer.end_broken()
    yield Traced(tracer.nodes, outside or explain_outputs(root), explain_branches(root))
    for path, why in tracer.opaque.items():
        failures[modules[path]] = why
        yield from trace_children(modules[path], failures, record, why)


def trace_children(
    module: nn.Module, failures: dict[nn.Module, str], record: Record, outside: str
) -> Iterator[Traced]:
    """Trace the children of a module; for ModuleList and ModuleDict, their items."""
    for child in module.children():
        inner = unwrap(child)
        if isinstance(inner, nn.ModuleList | nn.ModuleDict):
            yield from trace_children(inner, failures, record, outside)
        elif not (is_known(inner) and is_own(inner)) and any(True for _ in inner.parameters()):
            recorded = record(inner)
            if recorded is not None:
                yield Traced(recorded, outside)
            else:
                yield from trace_module(inner, failures, record, outside)


def explain_failure(module: nn.Module, error: Exception) -> str:
    """Return why a module could not be followed: the first sentence of the error."""
    message = str(error).partition(". ")[0] or type(error).__name__
    return f"{type(module).__name__}.forward cannot be traced ({message})"


def has_children(module: nn.Module) -> bool:
    """Return whether a module has children."""
    return next(module.children(), None) is not None


def has_own_forward(module: nn.Module) -> bool:
    """Return whether the forward of a module was replaced on the instance."""
    return "forward" in vars(module)


def is_own(module: nn.Module) -> bool:
    """Return whether a module runs PyTorch's own forward, not that of a subclass.

    >>> is_own(nn.ReLU()), is_own(type("Mine", (nn.ReLU,), {"forward": lambda self, x: x})())
    (True, False)
    """
    forward = vars(module).get("forward", type(module).forward)
    return str(getattr(forward, "__module__", "")).startswith("torch.nn.modules")
