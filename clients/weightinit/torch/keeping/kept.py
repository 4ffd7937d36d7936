"""Describe frozen tensors, and warn of tensors that are kept but have no values."""

import warnings
from collections.abc import Sequence

from torch import nn

from weightinit.adapters.actions import Block, Leave, Unknown, find_layout
from weightinit.adapters.messages import shorten
from weightinit.adapters.plan import PlannedTensor
from weightinit.torch.keeping.values import is_garbage
from weightinit.torch.layers import RUNNING, describe_parameter, describe_tied
from weightinit.torch.walk import NamedTensor, walk_buffers, walk_parameters

FROZEN = "Frozen: requires_grad is False."


def describe_named(named: NamedTensor) -> list[Block]:
    """Describe how a parameter is initialized by the modules that own it; [] if they are unknown."""
    shape = tuple(named.parameter.shape)
    if blocks := describe_tied(named.owners, shape):
        return blocks
    described = (describe_parameter(module, attribute, shape) for module, attribute in named.owners)
    return next((blocks for blocks in described if blocks), [])


def is_frozen(named: NamedTensor) -> bool:
    """Return whether no module that owns a tensor trains it."""
    return not any(tensor.requires_grad for tensor in named.tied)


def is_trained(root: nn.Module) -> bool:
    """Return whether a module trains any parameter; if it trains none, frozen ones are not kept."""
    return any(parameter.requires_grad for parameter in root.parameters())


def find_frozen_norms(root: nn.Module) -> set[nn.Module]:
    """Return the norms with running statistics whose parameters are frozen, if the module trains others."""
    if not is_trained(root):
        return set()
    return {
        part
        for part in root.modules()
        if isinstance(part, RUNNING) and any(True for _ in part.parameters()) and not is_trained(part)
    }


def warn_of_unset(root: nn.Module, plan: Sequence[PlannedTensor], prefix: str = "") -> None:
    """Warn of frozen parameters and buffers that are kept but contain no meaningful values.

    Memory from `to_empty` can be recognized only by NaN and denormal numbers.
    """
    filled = {id(tensor.target) for tensor in plan if not isinstance(tensor.action, Leave | Unknown)}
    kept = {id(tensor.target) for tensor in plan if tensor.action == Leave()}
    parameters = [named for named in walk_parameters(root, prefix) if id(named.parameter) in kept]
    buffers = [
        named
        for named in walk_buffers(root, prefix)
        if id(named.parameter) not in filled
        and (named.parameter.is_meta or not isinstance(named.module, RUNNING))
    ]
    unset = [
        named.names[0]
        for named in (*parameters, *buffers)
        if named.parameter.is_meta or is_garbage(named.parameter)
    ]
    if unset:
        message = (
            f"{shorten(unset)}: kept, but without values: on the meta device, NaN or denormal. "
            "Fill them yourself."
        )
        warnings.warn(UnsetTensorWarning(message), stacklevel=3)


class UnsetTensorWarning(UserWarning):
    """Tensors that are kept have no values: they are on the meta device, NaN or denormal."""


def find_axes(named: NamedTensor) -> str:
    """Return the layout of a tensor; "" if it is unknown, or if modules that share the tensor differ."""
    shape = tuple(named.parameter.shape)
    return "" if describe_tied(named.owners, shape) else find_layout(describe_named(named))
