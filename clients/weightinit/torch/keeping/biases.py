"""Find biases beyond the limit that PyTorch draws from, in layers that have not been trained.

Linear and convolutions draw biases and kernels from ±1/√fan_in, recurrent layers from ±1/√hidden_size
(torch.nn.Linear.reset_parameters, torch.nn.RNNBase.reset_parameters).
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
# The factor by which rounding may move a draw beyond its limit.
ROUNDING = 1.01
# Among ENOUGH uniform draws, the largest exceeds NEAR of the limit, except with probability 0.8³².
ENOUGH, NEAR = 32, 0.8


@dataclass(frozen=True, slots=True)
class LargeBias:
    """A bias beyond the limit that its layer draws from: set on purpose, or perhaps trained."""

    limit: float
    is_set: bool


def find_large_biases(
    tensors: Sequence[NamedTensor], described: Sequence[list[Block]]
) -> dict[int, LargeBias]:
    """Return the biases beyond the limits that their layers draw from, by id of the parameter.

    Training moves biases beyond the limit too, so only those of new layers were certainly set. A layer is new
    if its kernel is as drawn, or constant. All layers are new if at least half of the biases are constant; or
    if the norms still are, and at most half of the biases, or only one, exceed their limits.
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
    """Return whether a trainable bias of several elements is constant: it has not been trained."""
    bias = named.parameter
    return bias.requires_grad and bias.numel() > 1 and find_uniform(bias) is not None


def find_limit(named: NamedTensor) -> float | None:
    """Return the limit that a layer draws a bias from; None for other tensors."""
    bias = named.parameter
    is_bias = named.attribute.startswith("bias") and bias.ndim == 1 and is_readable(bias)
    return find_layer_limit(named.module) if is_bias else None


def find_layer_limit(module: nn.Module) -> float | None:
    """Return the limit that a layer draws its kernels and biases from; None for other modules."""
    if isinstance(module, RECURRENT):
        return 1 / math.sqrt(int(module.hidden_size))
    # A kernel that was sharded and flattened has lost its axes.
    if isinstance(module, DENSE) and module.weight.ndim > 1:
        fan_in, _ = nn.init._calculate_fan_in_and_fan_out(module.weight)  # noqa: SLF001 - what PyTorch counts
        return 1 / math.sqrt(fan_in) if fan_in else None
    return None


def is_beyond(tensor: torch.Tensor, limit: float) -> bool:
    """Return whether a tensor has elements beyond a limit and is not constant."""
    return measure_largest(tensor) > ROUNDING * limit and find_uniform(tensor) is None


def has_new_kernel(named: NamedTensor, limit: float) -> bool:
    """Return whether the kernel next to a bias is as drawn within its limit, or constant."""
    kernel = getattr(named.module, named.attribute.replace("bias", "weight"), None)
    if not isinstance(kernel, torch.Tensor) or not is_readable(kernel):
        return False
    return find_uniform(kernel) is not None or is_drawn_within(kernel, limit)


def is_drawn_within(kernel: torch.Tensor, limit: float) -> bool:
    """Return whether a kernel's largest value fits a uniform draw up to a limit."""
    return kernel.numel() >= ENOUGH and NEAR * limit < measure_largest(kernel) <= ROUNDING * limit


def has_new_norms(tensors: Sequence[NamedTensor]) -> bool:
    """Return whether most trainable scales and shifts of norms, if there are any, are constant."""
    norms = [
        named.parameter
        for named in tensors
        if find_rows(named.module) is NORM and named.parameter.requires_grad and named.parameter.numel() > 1
    ]
    still = [tensor for tensor in norms if find_uniform(tensor) is not None]
    return bool(norms) and 2 * len(still) >= len(norms)


def measure_largest(tensor: torch.Tensor) -> float:
    """Return the largest absolute value of a tensor."""
    return float(torch.linalg.vector_norm(tensor.detach(), math.inf))
