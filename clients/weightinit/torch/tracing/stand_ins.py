"""Stand-ins: the proxies that torch.fx passes through a forward in place of tensors."""

import builtins
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, get_args

import torch
from torch import fx

from weightinit.adapters.flow.graph import Node, Structure

IN_PLACE = frozenset(["iadd", "imul", "isub", "itruediv"])


@dataclass(slots=True)
class Step:
    """The object that torch.fx treats as its node: a node of the adapters' graph with fx's metadata."""

    node: Node
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name that fx shows in messages."""
        return self.node.label or self.node.role.value


class TensorProxy(fx.Proxy):
    """A proxy that isinstance accepts as a tensor while a module is traced."""

    _is_param = _is_buffer = False  # isinstance checks these to recognize nn.Parameter and nn.Buffer

    def __getattr__(self, k: str) -> Any:  # noqa: ANN401 - fx's
        """Return the stand-in for an attribute of a tensor; raise AttributeError where a tensor would."""
        if not hasattr(torch.Tensor, k):
            raise AttributeError(f"a tensor has no {k}")
        return super().__getattr__(k)

    def __iadd__(self, other: object) -> Any:  # noqa: ANN401 - fx's, as below
        """Add in place; fx would return a new tensor."""
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
        """Create the node of a call as fx does, without searching all arguments for stand-ins first."""
        args, kwargs = args or (), kwargs or {}
        given = next((one for one in (*args, *kwargs.values()) if type(one) is cls), None)
        if given is None or isinstance(orig_method, torch._C.ScriptMethod):  # noqa: SLF001 - no public way
            return super().__torch_function__(orig_method, types, args, kwargs)
        if is_method(orig_method):
            return given.tracer.create_proxy("call_method", orig_method.__name__, args, kwargs)
        return given.tracer.create_proxy("call_function", orig_method, args, kwargs)


@contextmanager
def take_for_tensors() -> Iterator[None]:
    """Patch isinstance to accept stand-ins as tensors, so that forwards take the same branches.

    A stand-in cannot override `__class__`: PyTorch's C++ code would use it as a tensor and crash.
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


def find_proxies(value: Structure) -> list[fx.Proxy]:
    """Return the stand-ins in nested lists, tuples and dictionaries."""
    if isinstance(value, fx.Proxy):
        return [value]
    if isinstance(value, dict):
        return find_proxies(list(value.values()))
    if isinstance(value, list | tuple):
        return [proxy for item in value for proxy in find_proxies(item)]
    return []


@lru_cache(maxsize=256)
def is_method(function: Callable[..., Any]) -> bool:
    """Return whether a function is a method of tensors."""
    return torch.overrides.is_tensor_method_or_property(function)
