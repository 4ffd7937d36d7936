"""Symbolic traces: the graph of a module by torch.fx, whole or as far as the module can be followed."""

import builtins
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import torch
from torch import fx, nn

from weightinit.adapters.graph import Node
from weightinit.torch.layers import is_known
from weightinit.torch.tracing.assertions import is_asserting
from weightinit.torch.tracing.conversion import convert
from weightinit.torch.tracing.copying import keep_generators
from weightinit.torch.walk import unwrap


@dataclass(frozen=True, slots=True)
class Traced:
    """The graph of a module. `outside` is the reason that nothing is known of what comes after it, if so."""

    nodes: list[Node]
    outside: str


class TensorProxy(fx.Proxy):
    """A proxy that isinstance takes for a tensor while a module is traced."""

    _is_param = _is_buffer = False  # what isinstance asks of a tensor that may be one


class LayerTracer(fx.Tracer):
    """A tracer whose leaves are PyTorch's own modules, and that hooks of wrappers do not disturb.

    It raises where a module cannot be followed; or, as a `partial` one, makes one node of that module.
    """

    def __init__(self, *, partial: bool) -> None:
        super().__init__()
        self._partial = partial
        self.opaque: dict[str, str] = {}
        self.broken: set[fx.Node] = set()

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
        if not self.is_leaf_module(inner, path):
            known = set(self.graph.nodes)
            try:
                return inner.forward(*args, **kwargs)
            except Exception as error:
                if not self._partial:
                    raise
                self.opaque[path] = explain_failure(inner, error)
                self.broken |= set(self.graph.nodes) - known
        return self.create_proxy("call_module", path, args, kwargs)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """Make the stand-in for a tensor."""
        return TensorProxy(node, self)

    def create_arg(self, a: Any) -> Any:  # noqa: ANN401 - fx's
        """Make an argument of a node: fx would keep a stand-in as a constant, and search for a parameter."""
        if type(a) is TensorProxy:
            return a.node
        name = self._names.get(id(a))
        return super().create_arg(a) if name is None else self.create_node("get_attr", name, (), {})

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:  # noqa: ANN401, ARG002
        """Make a stand-in of a parameter: what derives from it is a kernel, perhaps."""
        name = self._names.get(id(attr_val)) if isinstance(attr_val, nn.Parameter) else None
        if name is None:
            return attr_val
        if name not in parameter_proxy_cache:
            parameter_proxy_cache[name] = self.create_proxy("get_attr", name, (), {})
        return parameter_proxy_cache[name]

    @cached_property
    def _names(self) -> dict[int, str]:
        """The names of parameters and buffers: fx would look through all of them for each."""
        named = itertools.chain(self.root.named_parameters(), self.root.named_buffers())
        return {id(tensor): name for name, tensor in named}

    def to_bool(self, obj: fx.Proxy) -> bool:
        """Let assertions hold; no other branch can be taken without a value."""
        frame = inspect.currentframe()
        caller = frame.f_back.f_back if frame and frame.f_back else None
        if caller and is_asserting(caller):
            return True
        return super().to_bool(obj)


def trace_whole(root: nn.Module) -> list[Node] | None:
    """Trace a module; None where any part of it cannot be followed."""
    root = unwrap(root)
    tracer = LayerTracer(partial=False)
    with keep_attributes(root), keep_generators(), take_for_tensors():
        try:
            tracer.trace(root)
            return convert(root, tracer.graph)
        except Exception:  # noqa: BLE001 - code of the user's, run on stand-ins for tensors
            return None


Record = Callable[[nn.Module], list[Node] | None]


def trace_module(
    root: nn.Module, failures: dict[nn.Module, str], record: Record, outside: str = ""
) -> Iterator[Traced]:
    """Trace a module, then each part of it that could not be followed; `failures` notes which, and why.

    `record` returns the graph of a part that can be run alone, or None.
    """
    root = unwrap(root)
    tracer = LayerTracer(partial=True)
    modules = dict(root.named_modules())
    with keep_attributes(root), keep_generators(), take_for_tensors():
        try:
            tracer.trace(root)
        except Exception as error:  # noqa: BLE001 - as above
            tracer.opaque[""] = explain_failure(root, error)
            tracer.broken |= set(tracer.graph.nodes)
        nodes = convert(
            root, tracer.graph, tracer.opaque, tracer.broken
        )  # while fx's own constants are attributes of the module
    yield Traced(nodes, outside)
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
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        builtins.isinstance = ask


def explain_failure(module: nn.Module, error: Exception) -> str:
    """Explain why a module could not be followed: the first sentence of the error."""
    message = str(error).partition(". ")[0] or type(error).__name__
    return f"{type(module).__name__}.forward cannot be traced ({message})"


def has_children(module: nn.Module) -> bool:
    """Tell whether a module has others inside it."""
    return next(module.children(), None) is not None


def is_own(module: nn.Module) -> bool:
    """Tell whether a module runs PyTorch's own forward, and not that of a subclass.

    >>> is_own(nn.ReLU()), is_own(type("Mine", (nn.ReLU,), {"forward": lambda self, x: x})())
    (True, False)
    """
    return str(getattr(type(module).forward, "__module__", "")).startswith("torch.nn.modules")


@contextmanager
def keep_attributes(root: nn.Module) -> Iterator[None]:
    """Put back the attributes of all modules: a forward may keep what it computes, here a stand-in for it.

    Lists and dictionaries among them, and the values of buffers, are put back too.
    """
    before = [(module, dict(vars(module)), _copy_containers(module)) for module in root.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in root.buffers() if not buffer.is_meta]
    try:
        yield
    finally:
        for module, attributes, containers in before:
            vars(module).clear()
            vars(module).update(attributes)
            for kept, items in containers:
                kept.clear()
                kept.extend(items) if isinstance(kept, list) else kept.update(items)
        for buffer, values in buffers:
            buffer.detach().copy_(values)


def _copy_containers(module: nn.Module) -> list[tuple[Any, Any]]:
    """Copy the lists, dictionaries and sets that a module keeps as attributes."""
    return [(kept, kept.copy()) for kept in vars(module).values() if type(kept) in {list, dict, set}]
