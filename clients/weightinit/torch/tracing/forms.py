"""Cache the forms of function results: shapes, strides and dtypes, without running a function twice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from weightinit.adapters.flow.graph import Structure, fold

# Shape, strides and dtype of a tensor.
Form = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of the tensors that a function returned; None for a None in a tuple."""

    forms: list[Form | None]
    is_tuple: bool

    def make(self) -> Structure:
        """Return new meta tensors of these forms."""
        made = [
            None if form is None else torch.empty_strided(form[0], form[1], dtype=form[2], device="meta")
            for form in self.forms
        ]
        return tuple(made) if self.is_tuple else made[0]


class FormCache:
    """Runs functions on meta tensors, each once for arguments of the same forms.

    Models repeat their blocks, and PyTorch computes the forms of results slowly, in Python.
    """

    def __init__(self) -> None:
        self._known: dict[Structure, Forms] = {}

    def run(
        self, func: Callable[..., Any], args: tuple[Structure, ...], keywords: dict[str, Structure]
    ) -> Structure:
        """Run a function, or return new results of the known forms if it has run on the same forms before."""
        try:
            key = None if is_in_place(func, keywords) else (func, describe(args), describe(keywords))
            known = None if key is None else self._known.get(key)
        except TypeError:  # an argument without a hash, or a tensor whose values matter
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
    """Return a hashable key of an argument by its tensors' forms. Raises TypeError for one with values."""
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
    """Return whether a value is a plain tensor with values and at least one axis."""
    return type(value) is torch.Tensor and not value.is_meta and value.ndim > 0


def drop_values(value: Structure) -> Structure:
    """Return a meta tensor in place of a tensor with values; other values unchanged."""
    return torch.empty_like(value, device="meta") if has_values(value) else value


def run_on_meta(
    func: Callable[..., Any], args: tuple[Structure, ...], keywords: dict[str, Structure]
) -> Structure:
    """Run a function; grouped_mm in bfloat16, the only dtype that the meta device supports for it."""
    if fold(getattr(func, "__name__", "")) != "groupedmm" or not args[0].is_meta:
        return func(*args, **keywords)
    return func(args[0].bfloat16(), args[1].bfloat16(), *args[2:], **keywords).to(args[0].dtype)


def is_in_place(func: Callable[..., Any], keywords: dict[str, Structure]) -> bool:
    """Return whether a call changes an argument: add_, __iadd__, __setitem__, relu(inplace=True)."""
    return is_changing(getattr(func, "__name__", "_"), keywords)


def is_changing(name: str, keywords: dict[str, Structure]) -> bool:
    """Return whether a function or method of this name changes an argument.

    >>> is_changing("relu_", {}), is_changing("__iadd__", {}), is_changing("relu", {"inplace": True})
    (True, True, True)
    """
    if name.startswith("__"):
        return name in {"__get__", "__set__", "__setitem__", "__delitem__"} or name.startswith("__i")
    return name.endswith("_") or keywords.get("inplace") is True or "out" in keywords
