"""Biases: those beyond what PyTorch's layers draw, in layers that have not been trained.

Linear and the convolutions draw biases from ±1/√fan_in, recurrent layers from ±1/√hidden_size
(torch.nn.Linear.reset_parameters, torch.nn.RNNBase.reset_parameters), and their kernels, too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from weightinit.adapters.actions import Block, Constant
from weightinit.torch.keeping.values import find_uniform, is_readable
from weightinit.torch.layers import NORM, find_rows
from weightinit.torch.walk import NamedTensor

RECURRENT = (nn.RNNBase, nn.RNNCellBase)
DENSE = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
# How far rounding may take a draw beyond its limit.
ROUNDING = 1.01
# Of so many elements that are drawn, one is this near to the limit, but for 0.8³² of all cases.
ENOUGH, NEAR = 32, 0.8


@dataclass(frozen=True, slots=True)
class LargeBias:
    """A bias beyond the limit of what its layer draws: set on purpose, or perhaps trained."""

    limit: float
    is_set: bool


def find_large_biases(
    tensors: Sequence[NamedTensor], described: Sequence[list[Block]]
) -> dict[int, LargeBias]:
    """Find the biases beyond the limits of what their layers draw, by the ids of the parameters.

    Of layers that were trained nothing can be told: training takes biases beyond the limit as well. A layer
    is new if its kernel is as it was drawn, or of one value. All layers are if at least half of the biases
    are of one value; or if the norms of the model still are, and most biases, or all but one, within their
    limits.
    """
    biases = {
        id(named.parameter): (named, limit)
        for named, blocks in zip(tensors, described, strict=True)
        if [block.action for block in blocks] == [Constant(0.0)] and (limit := find_limit(named))
    }
    beyond = {key: limit for key, (named, limit) in biases.items() if is_beyond(named.parameter, limit)}
    if not beyond:
        return {}
    is_new = (len(beyond) == 1 or 2 * len(beyond) <= len(biases)) and has_new_norms(tensors)
    is_new = is_new or 2 * sum(is_still(named) for named, _ in biases.values()) >= len(biases)
    return {key: LargeBias(limit, is_new or has_new_kernel(*biases[key])) for key, limit in beyond.items()}


def is_still(named: NamedTensor) -> bool:
    """Return whether a bias is of one value and would not be if it had been trained."""
    bias = named.parameter
    return bias.requires_grad and bias.numel() > 1 and find_uniform(bias) is not None


def find_limit(named: NamedTensor) -> float | None:
    """Find the limit of what a layer draws its bias from; None for another tensor."""
    bias = named.parameter
    is_bias = named.attribute.startswith("bias") and bias.ndim == 1 and is_readable(bias)
    return find_layer_limit(named.module) if is_bias else None


def find_layer_limit(module: nn.Module) -> float | None:
    """Find the limit of what a layer draws its kernels and biases from; None for other modules."""
    if isinstance(module, RECURRENT):
        return 1 / math.sqrt(int(module.hidden_size))
    # What shards and flattens a kernel leaves none of its axes.
    if isinstance(module, DENSE) and module.weight.ndim > 1:
        fan_in, _ = nn.init._calculate_fan_in_and_fan_out(module.weight)  # noqa: SLF001 - what PyTorch counts
        return 1 / math.sqrt(fan_in) if fan_in else None
    return None


def is_beyond(tensor: torch.Tensor, limit: float) -> bool:
    """Return whether a tensor has elements beyond a limit, and is not of one value."""
    return measure_largest(tensor) > ROUNDING * limit and find_uniform(tensor) is None


def has_new_kernel(named: NamedTensor, limit: float) -> bool:
    """Return whether the kernel of a bias is one that was drawn within its limit, or set to one value."""
    kernel = getattr(named.module, named.attribute.replace("bias", "weight"), None)
    if not isinstance(kernel, torch.Tensor) or not is_readable(kernel):
        return False
    return find_uniform(kernel) is not None or is_drawn_within(kernel, limit)


def is_drawn_within(kernel: torch.Tensor, limit: float) -> bool:
    """Return whether a kernel is as a layer draws it, up to its limit."""
    return kernel.numel() >= ENOUGH and NEAR * limit < measure_largest(kernel) <= ROUNDING * limit


def has_new_norms(tensors: Sequence[NamedTensor]) -> bool:
    """Return whether most scales and shifts of norms, if there are any that are trained, are of one value."""
    norms = [
        named.parameter
        for named in tensors
        if find_rows(named.module) is NORM and named.parameter.requires_grad and named.parameter.numel() > 1
    ]
    still = [tensor for tensor in norms if find_uniform(tensor) is not None]
    return bool(norms) and 2 * len(still) >= len(norms)


def measure_largest(tensor: torch.Tensor) -> float:
    """Measure the largest absolute value of a tensor."""
    return float(torch.linalg.vector_norm(tensor.detach(), math.inf))
