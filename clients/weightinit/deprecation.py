"""Deprecated keywords and names, kept for one release with a warning that names the new ones."""

import functools
import importlib
import inspect
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def deprecate_keywords(
    renamed: Mapping[str, str], replaced: Mapping[str, str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that accepts deprecated keywords, with a DeprecationWarning.

    Args:
        renamed: the new keyword by the old one.
        replaced: what to use instead, by keyword that the function still takes but its signature hides.
    """
    advice = {old: f"{new}=" for old, new in renamed.items()} | dict(replaced or {})

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in advice.keys() & kwargs.keys():
                message = f"{function.__name__}({old}=) is deprecated: use {advice[old]}"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                if old in renamed:
                    kwargs[renamed[old]] = kwargs.pop(old)
            return function(*args, **kwargs)

        call.__signature__ = _hide(function, replaced or {})  # type: ignore[attr-defined]  # inspect reads it
        return call

    return decorate


def _hide(function: Callable[P, R], hidden: Collection[str]) -> inspect.Signature:
    signature = inspect.signature(function)
    shown = [row for name, row in signature.parameters.items() if name not in hidden]
    return signature.replace(parameters=shown)


def make_getattr(
    module: str, renamed: Mapping[str, tuple[str, str]], advice: Mapping[str, str] | None = None
) -> Callable[[str], object]:
    """Return a module's `__getattr__` (PEP 562) that resolves deprecated names with a DeprecationWarning.

    Args:
        module: the module's name.
        renamed: module and name of the replacement, by deprecated name.
        advice: what to use instead, if it is not that replacement.
    """

    def get(name: str) -> object:
        if name not in renamed:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = (advice or {}).get(name, ".".join(renamed[name]))
        warnings.warn(f"{module}.{name} is deprecated: use {new}", DeprecationWarning, stacklevel=2)
        place, target = renamed[name]
        found: object = getattr(importlib.import_module(place), target)
        return found

    return get


def warn_renamed(old: str, new: str) -> None:
    """Warn that a method is deprecated; called by the method itself."""
    warnings.warn(f"{old} is deprecated: use {new}", DeprecationWarning, stacklevel=3)
