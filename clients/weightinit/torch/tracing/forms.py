"""Forms: the shapes, strides and dtypes of what functions return, without running them a second time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from weightinit.adapters.flow.graph import Structure, fold

# The shape, the strides and the dtype of a tensor.
Form = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of the tensors that a function returned: None for one that it left out of a tuple."""

    forms: list[Form | None]
    is_tuple: bool

    def make(self) -> Structure:
        """Make what the function returned."""
        made = [
            None if form is None else torch.empty_strided(form[0], form[1], dtype=form[2], device="meta")
            for form in self.forms
        ]
        return tuple(made) if self.is_tuple else made[0]


class FormCache:
    """Runs functions on tensors without memory, each once for arguments of the same forms.

    Models repeat their blocks, and PyTorch works out in Python which form a result has.
    """

    def __init__(self) -> None:
        self._known: dict[Structure, Forms] = {}

    def run(
        self, func: Callable[..., Any], args: tuple[Structure, ...], keywords: dict[str, Structure]
    ) -> Structure:
        """Run a function; where it has run on tensors of these forms, make its results without running it."""
        try:
            key = None if is_in_place(func, keywords) else (func, describe(args), describe(keywords))
            known = None if key is None else self._known.get(key)
        except TypeError:  # an argument that has no hash, or whose values may decide
            return run_on_meta(func, args, keywords)
        if known is not None:
            return known.make()
        result = run_on_meta(func, args, keywords)
        if key is not None and type(result) in {torch.Tensor, tuple}:
            several = result if isinstance(result, tuple) else (result,)
            if all(one is None or (type(one) is torch.Tensor and one.is_meta) for one in several):
                forms = [
                    one if one is None else (tuple(one.shape), one.stride(), one.dtype) for one in several
                ]
                self._known[key] = Forms(forms, isinstance(result, tuple))
        return result


def describe(value: Structure) -> Structure:
    """Describe an argument by the forms of its tensors. Raises TypeError where one has memory."""
    if isinstance(value, torch.Tensor):
        if not value.is_meta or type(value) not in {torch.Tensor, nn.Parameter}:
            raise TypeError("its values may decide")
        return value.shape, value.stride(), value.dtype
    if isinstance(value, dict):
        return tuple((name, describe(item)) for name, item in value.items())
    if isinstance(value, tuple | list):
        return (type(value), *map(describe, value))
    if isinstance(value, slice):
        return slice, value.start, value.stop, value.step
    return type(value), value


def has_values(value: Structure) -> bool:
    """Return whether a value is a plain tensor with memory, and not a number."""
    return type(value) is torch.Tensor and not value.is_meta and value.ndim > 0


def drop_values(value: Structure) -> Structure:
    """Return a stand-in without memory for a tensor that has values; anything else itself."""
    return torch.empty_like(value, device="meta") if has_values(value) else value


def run_on_meta(
    func: Callable[..., Any], args: tuple[Structure, ...], keywords: dict[str, Structure]
) -> Structure:
    """Run a function. A grouped product, which the meta device has in bfloat16 only, is run in that."""
    if fold(getattr(func, "__name__", "")) != "groupedmm" or not args[0].is_meta:
        return func(*args, **keywords)
    return func(args[0].bfloat16(), args[1].bfloat16(), *args[2:], **keywords).to(args[0].dtype)


def is_in_place(func: Callable[..., Any], keywords: dict[str, Structure]) -> bool:
    """Return whether a function changes an argument: add_, __iadd__, __setitem__, relu(inplace=True)."""
    return is_changing(getattr(func, "__name__", "_"), keywords)


def is_changing(name: str, keywords: dict[str, Structure]) -> bool:
    """Return whether a function or method of a name changes an argument.

    >>> is_changing("relu_", {}), is_changing("__iadd__", {}), is_changing("relu", {"inplace": True})
    (True, True, True)
    """
    if name.startswith("__"):
        return name in {"__get__", "__set__", "__setitem__", "__delitem__"} or name.startswith("__i")
    return name.endswith("_") or keywords.get("inplace") is True or "out" in keywords
