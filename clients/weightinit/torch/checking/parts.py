"""Assign the modules and functions of a model their names and roles in the report of a check."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from weightinit.adapters.check import Role
from weightinit.adapters.flow.functions import GRID, recognize
from weightinit.adapters.flow.graph import Role as Operation
from weightinit.adapters.flow.graph import fold
from weightinit.torch.layers import LAYERS, LOOKUP, NORM, RUNNING, find_kind
from weightinit.torch.tracing.operations import ACTIVATIONS, ROLES
from weightinit.torch.walk import walk_modules

# Softmax and related functions compare outputs with each other and do not count as a layer's activation.
COMPARING = frozenset(
    name for name in ACTIVATIONS.values() if "soft" in name and ("max" in name or "min" in name)
)
NO_ACTIVATION = (None, "none", "exponential")


@dataclass(frozen=True, slots=True)
class Part:
    """The name and role of a module in a report; `role` is None for a mere container.

    If `is_whole`, its inner activations are not reported, such as the gates of an LSTM.
    """

    name: str
    kind: str = ""
    role: Role | None = None
    is_whole: bool = False


def name_parts(root: nn.Module) -> dict[nn.Module, Part]:
    """Return the part of each module of a model, under its first name."""
    parts: dict[nn.Module, Part] = {}
    for name, module in walk_modules(root):
        if module not in parts:
            parts[module] = Part(name, *find_role(module))
    return parts


def find_role(module: nn.Module) -> tuple[str, Role | None]:
    """Return the kind and role of a module.

    >>> find_role(nn.Linear(1, 1)), find_role(nn.Tanh()), find_role(nn.Sequential())
    (('Linear', 'layer'), ('tanh', 'activation'), ('Sequential', None))
    """
    name, kind = type(module).__name__, find_kind(module)
    if isinstance(module, ParametrizationList):
        return name, None
    if kind and LAYERS[kind] is NORM:
        return name, "norm"
    if activation := name_activation(module):
        return activation, "activation"
    if kind:
        return name, "lookup" if LAYERS[kind] is LOOKUP else "layer"
    owns = has_matrix(module)
    if "norm" in fold(name) and not owns:
        return name, "norm"
    inside = (child for child in module.modules() if child is not module)
    return name, "layer" if owns and not any(map(has_matrix, inside)) else None


def has_matrix(module: nn.Module) -> bool:
    """Return whether a module itself has a parameter with at least two axes."""
    return any(tensor.ndim > 1 for tensor in module.parameters(recurse=False))


def name_activation(module: nn.Module) -> str | None:
    """Return the name of the activation that a module is, by its class or by its values; else None.

    >>> name_activation(nn.SiLU()), name_activation(nn.Flatten())
    ('silu', None)
    """
    if has_matrix(module) or next(module.children(), None) is not None:
        return None
    names = (ACTIVATIONS.get(fold(kind.__name__)) for kind in type(module).__mro__)
    if found := next((name for name in names if name), None):
        return None if found in COMPARING else found
    if next(module.parameters(), None) is not None:
        return None
    return name_values(module.forward, (torch.from_numpy(GRID.copy()),), {})


def name_function(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """Return the name of the activation that a call is, by the function's name or its values; else None.

    >>> x = torch.zeros(2)
    >>> name_function(torch.tanh, (x,), {}), name_function(torch.clamp, (x,), {"min": 0})
    ('tanh', 'relu')
    """
    name = fold(getattr(func, "__name__", ""))
    if name in ACTIVATIONS:
        return None if ACTIVATIONS[name] in COMPARING else ACTIVATIONS[name]
    values = [*args, *kwargs.values()]
    signals = [value for value in values if isinstance(value, torch.Tensor) and value.ndim]
    if (
        ROLES.get(name) is not Operation.ELEMENTWISE
        or len(signals) != 1
        or not signals[0].is_floating_point()
    ):
        return None
    grid = torch.from_numpy(GRID.copy())
    replaced = [grid if value is signals[0] else value for value in args]
    named = {key: grid if value is signals[0] else value for key, value in kwargs.items()}
    return name_values(func, replaced, named)


def name_values(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """Return the name of the activation with the values that a function has on the grid; else None."""
    try:
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            values = func(*args, **kwargs)
        name = recognize(values.numpy()).name
        if name == "relu" and values.min() != 0:
            return None  # a small positive lower bound that keeps a divisor from zero
    except Exception:  # noqa: BLE001 - code of the user's, called with what it may not take
        return None
    return None if name in NO_ACTIVATION else name


def is_normalizing(module: nn.Module) -> bool:
    """Return whether a norm normalizes its input.

    One that uses running statistics with their initial values does not change the scale.
    """
    if not isinstance(module, RUNNING) or module.training or module.running_var is None:
        return True
    return not bool((module.running_var == 1).all())
