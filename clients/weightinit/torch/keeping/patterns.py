"""Patterns: tensors of few distinct values, which no draw and no training makes.

A draw from a continuous distribution repeats a value no more often than the numbers of its dtype make it: of
n elements with d distinct values among K that are possible, the chance is below C(K, d) · (d/K)ⁿ.
"""

import math
from itertools import pairwise

import torch

from weightinit.adapters.actions import LARGEST, SMALLEST
from weightinit.torch.keeping.values import count_axes, is_readable

# More distinct values than these are no pattern: kernels that were quantized have 2⁸, and so has what PyTorch
# draws uniformly in bfloat16.
MOST = 64
# How many elements are looked at before all are.
SAMPLE = 4096
# The chance below which a draw is ruled out, for each tensor.
CHANCE = 1e-5
# What training leaves of a vector of one value are neighbours in bfloat16 and float16; chosen values are this
# many steps apart.
STEPS = 8

# Of the dtypes whose numbers some values are, the coarsest first: the bits of their precision.
PRECISIONS = {torch.bfloat16: 8, torch.float16: 11, torch.float32: 24}


def has_pattern(tensor: torch.Tensor) -> bool:
    """Return whether a tensor has so few distinct values that they were chosen.

    >>> has_pattern(torch.eye(4)), has_pattern(torch.randn(4, 4)), has_pattern(torch.zeros(4))
    (True, False, False)
    """
    if not is_readable(tensor):
        return False
    counts = count_values(tensor.detach().reshape(-1))
    distinct = sorted(counts)
    if sum(counts.values()) < tensor.numel() or len(distinct) == 1 or not all(map(is_reasonable, distinct)):
        return False
    others = [value for value in distinct if value]
    # What sparse draws and pruning leave does not repeat.
    if len(others) > 1 and 2 * len(others) > sum(counts[value] for value in others):
        return False
    return is_chosen(distinct, tensor.numel(), is_vector=count_axes(tensor) < 2)


def count_values(flat: torch.Tensor) -> dict[float, int]:
    """Count how often a vector has each of its values; {} where it has more of them than a pattern has."""
    some = torch.cat([flat[: SAMPLE // 16], flat[:: max(1, len(flat) // SAMPLE)]])
    counts: dict[float, int] = {}
    for part in (some, flat):
        left = part
        for value in counts:
            left = left[left != value]
        found = [] if not len(left) else torch.unique(left[:SAMPLE]).tolist()
        counts |= dict.fromkeys(found, 0)
        if len(counts) > MOST:
            return {}
    return {value: int((flat == value).sum()) for value in counts}


def is_reasonable(value: float) -> bool:
    """Return whether a number may have been chosen, and is not what was in memory before."""
    return value == 0 or SMALLEST < abs(value) < LARGEST


def is_chosen(distinct: list[float], count: int, *, is_vector: bool) -> bool:
    """Return whether so many elements have, other than by chance, no more than some distinct values."""
    few = len(distinct)
    if few == count or (2 * few > count and 0 not in distinct):
        return False
    bits = find_precision(distinct)
    step = math.ldexp(max(map(abs, distinct)), 1 - bits)
    possible = min(2.0 ** (bits - 1), (distinct[-1] - distinct[0]) / step + 1)
    if few >= possible:
        return False
    is_rounded = is_vector and bits < PRECISIONS[torch.float32]
    if is_rounded and any(is_next(low, high, bits) for low, high in pairwise(distinct)):
        return False
    # Each of 0, 1 and -1 is one value among all.
    free = len([value for value in distinct if value not in {0.0, 1.0, -1.0}])
    choices = math.lgamma(possible + 1) - math.lgamma(free + 1) - math.lgamma(possible - free + 1)
    return choices + count * math.log(few / possible) < math.log(CHANCE)


def is_next(low: float, high: float, bits: int) -> bool:
    """Return whether two numbers are neighbours, or nearly so, in a dtype of that precision."""
    return high - low < STEPS * math.ldexp(max(abs(low), abs(high)), -bits)


def find_precision(distinct: list[float]) -> int:
    """Find the bits of the coarsest dtype that has all of some numbers."""
    numbers = torch.tensor(distinct, dtype=torch.float64)
    fitting = (bits for dtype, bits in PRECISIONS.items() if torch.equal(numbers.to(dtype).double(), numbers))
    return next(fitting, PRECISIONS[torch.float32])
