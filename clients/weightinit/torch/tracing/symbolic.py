"""Symbolic traces: the graph of a module by torch.fx, whole or as far as the module can be followed."""

import builtins
import inspect
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, get_args

import torch
from torch import fx, nn

from weightinit.adapters.flow.graph import Node, Role, fold
from weightinit.torch.layers import is_known
from weightinit.torch.tracing.aliases import VIEWS
from weightinit.torch.tracing.assertions import is_asserting
from weightinit.torch.tracing.conversion import make_module_node, make_step
from weightinit.torch.tracing.copying import Copy, copy_module, keep_surroundings
from weightinit.torch.tracing.forms import is_changing
from weightinit.torch.tracing.hooks import explain_inputs, explain_outputs
from weightinit.torch.tracing.nodes import add_node, make_constant
from weightinit.torch.walk import unwrap

IN_PLACE = frozenset(["iadd", "imul", "isub", "itruediv"])
# What is an argument of a node as it is.
PLAIN = frozenset([int, float, bool, str, type(None), type(...), torch.dtype])


@dataclass(frozen=True, slots=True)
class Traced:
    """The graph of a module. `outside` is the reason that nothing is known of what comes after it, if so."""

    nodes: list[Node]
    outside: str


@dataclass(slots=True)
class Step:
    """What torch.fx takes for a node of its own: one of the adapters', and what fx notes about it."""

    node: Node
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What fx shows of it in messages."""
        return self.node.label or self.node.role.value


class TensorProxy(fx.Proxy):
    """A proxy that isinstance takes for a tensor while a module is traced."""

    _is_param = _is_buffer = False  # what isinstance asks of a tensor that may be one

    def __iadd__(self, other: object) -> Any:  # noqa: ANN401 - fx's, as below
        """Add to a tensor in place: fx itself would make another of it."""
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})

    def __isub__(self, other: object) -> Any:  # noqa: ANN401
        """Subtract in place."""
        return self.tracer.create_proxy("call_function", operator.isub, (self, other), {})

    def __imul__(self, other: object) -> Any:  # noqa: ANN401
        """Multiply in place."""
        return self.tracer.create_proxy("call_function", operator.imul, (self, other), {})

    def __itruediv__(self, other: object) -> Any:  # noqa: ANN401
        """Divide in place."""
        return self.tracer.create_proxy("call_function", operator.itruediv, (self, other), {})

    @classmethod
    def __torch_function__(
        cls,
        orig_method: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - fx's
        """Make the node of a call; as fx does, which searches all arguments for stand-ins first."""
        args, kwargs = args or (), kwargs or {}
        given = next((one for one in (*args, *kwargs.values()) if type(one) is cls), None)
        if given is None or isinstance(orig_method, torch._C.ScriptMethod):  # noqa: SLF001 - no public way
            return super().__torch_function__(orig_method, types, args, kwargs)
        if is_method(orig_method):
            return given.tracer.create_proxy("call_method", orig_method.__name__, args, kwargs)
        return given.tracer.create_proxy("call_function", orig_method, args, kwargs)


class LayerTracer(fx.Tracer):
    """A tracer whose leaves are PyTorch's own modules, and that hooks of wrappers do not disturb.

    It makes the adapters' nodes at once: a graph of fx's is source code to be, and takes longer. It raises
    where a module cannot be followed; or, as a `partial` one, makes one node of that module.
    """

    def __init__(self, copied: Copy, *, partial: bool) -> None:
        super().__init__()
        self._copied = copied
        self._partial = partial
        self._parameters: dict[int, fx.Proxy] = {}
        self._broken: list[Node] = []
        self.nodes: list[Node] = []
        self.opaque: dict[str, str] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002 - fx's
        """Keep whole what runs PyTorch's own forward: a subclass may do more."""
        return is_own(m) and not (has_children(m) and not is_known(m))

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
        """Note that a module could not be followed, and what was computed in it after the nodes `before`."""
        self.opaque[path] = explain_failure(module, error)
        self._broken += self.nodes[before:]

    def end_broken(self) -> None:
        """End what was computed last where the trace broke off in what is not known."""
        if self._broken:
            why = list(self.opaque.values())[-1]
            last = tuple(dict.fromkeys(node for node in self._broken if not node.users))
            self._add(Node(0, Role.UNKNOWN, inputs=last, why=why))

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - fx's
        """Make the stand-in of what a call returns: that of its argument, if it changes that in place."""
        made = super().create_proxy(kind, target, args, kwargs, *rest, **more)
        name = target if isinstance(target, str) else getattr(target, "__name__", "")
        changes = kind.startswith("call") and (name in IN_PLACE or is_changing(name, kwargs))
        return self._change(kwargs.get("out", args[0]), made) if changes else made

    def _change(self, given: Any, made: fx.Proxy) -> fx.Proxy:  # noqa: ANN401 - any argument
        """Let a stand-in stand for what its tensor has become. Raises where views of it would have to."""
        if not isinstance(given, fx.Proxy):
            return made
        old = given.node.node
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
        """Make the node of a call."""
        return self._add(make_step(kind, target, args, kwargs))

    def proxy(self, node: Any) -> fx.Proxy:  # noqa: ANN401 - what fx takes for its node
        """Make the stand-in for a tensor."""
        return TensorProxy(node, self)

    def create_arg(self, a: Any) -> Any:  # noqa: ANN401 - fx's
        """Make an argument of a node, in which nodes stand for tensors."""
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
        """Make a stand-in of a parameter: what derives from it is a kernel, perhaps."""
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
        """Let assertions hold; no other branch can be taken without a value."""
        frame = inspect.currentframe()
        caller = frame.f_back.f_back if frame and frame.f_back else None
        if caller and is_asserting(caller):
            return True
        return super().to_bool(obj)


def trace_whole(root: nn.Module) -> list[Node] | None:
    """Trace a copy of a module; None where any part of it cannot be followed."""
    if has_own_forward(root) or any(explain_inputs(one) or explain_outputs(one) for one in root.modules()):
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
    """Trace a module, then each part of it that could not be followed; `failures` notes which, and why.

    `record` returns the graph of a part that can be run alone, or None.
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
                raise NotImplementedError("it was replaced")  # noqa: TRY301 - fx would trace the class's
            tracer.trace(copied.module)
        except Exception as error:  # noqa: BLE001 - as above
            tracer.note_failure("", copied.module, error)
    tracer.end_broken()
    yield Traced(tracer.nodes, outside or explain_outputs(root))
    for path, why in tracer.opaque.items():
        failures[modules[path]] = why
        yield from trace_children(modules[path], failures, record, why)


def trace_children(
    module: nn.Module, failures: dict[nn.Module, str], record: Record, outside: str
) -> Iterator[Traced]:
    """Trace the children of a module; a list of modules, which computes nothing, through its items."""
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


@contextmanager
def take_for_tensors() -> Iterator[None]:
    """Let isinstance take stand-ins for tensors, so that forwards go the way that they go with tensors.

    A stand-in cannot say so itself by its `__class__`: PyTorch's C++ would take it for a tensor, and crash.
    """
    ask = builtins.isinstance

    def ask_of_stand_ins(value: object, kinds: Any) -> bool:  # noqa: ANN401 - a class, a tuple or a union
        if type(value) is not TensorProxy or ask(value, kinds):
            return ask(value, kinds)
        return torch.Tensor in (kinds if ask(kinds, tuple) else get_args(kinds) or (kinds,))

    builtins.isinstance = ask_of_stand_ins
    try:
        yield
    finally:
        builtins.isinstance = ask


def explain_failure(module: nn.Module, error: Exception) -> str:
    """Explain why a module could not be followed: the first sentence of the error."""
    message = str(error).partition(". ")[0] or type(error).__name__
    return f"{type(module).__name__}.forward cannot be traced ({message})"


@lru_cache(maxsize=256)
def is_method(function: Callable[..., Any]) -> bool:
    """Tell whether a function is a method of tensors."""
    return torch.overrides.is_tensor_method_or_property(function)


def has_children(module: nn.Module) -> bool:
    """Tell whether a module has others inside it."""
    return next(module.children(), None) is not None


def has_own_forward(module: nn.Module) -> bool:
    """Tell whether the forward of a module was replaced by one that its class does not have."""
    return "forward" in vars(module)


def is_own(module: nn.Module) -> bool:
    """Tell whether a module runs PyTorch's own forward, and not that of a subclass.

    >>> is_own(nn.ReLU()), is_own(type("Mine", (nn.ReLU,), {"forward": lambda self, x: x})())
    (True, False)
    """
    forward = vars(module).get("forward", type(module).forward)
    return str(getattr(forward, "__module__", "")).startswith("torch.nn.modules")
