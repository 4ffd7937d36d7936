"""Detect tensors with few distinct values, which neither a random draw nor training produces.

A draw from a continuous distribution repeats a value only because its dtype has finitely many numbers: for n
elements with d distinct values out of K possible ones, the probability is below C(K, d) · (d/K)ⁿ.
"""

import math
from itertools import pairwise

import torch

from weightinit.adapters.actions import LARGEST, SMALLEST
from weightinit.torch.keeping.values import count_axes, is_readable

# The most distinct values of a pattern. Quantized kernels have 2⁸, and so do PyTorch's uniform draws in
# bfloat16.
MOST = 64
# The number of elements that are sampled before all are counted.
SAMPLE = 4096
# The probability, per tensor, below which a draw is ruled out.
CHANCE = 1e-5
# Training moves a constant vector to neighboring numbers of bfloat16 or float16; chosen values are at least
# this many steps apart.
STEPS = 8

# The bits of precision of each dtype, the coarsest first.
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
    # In sparse draws and pruned kernels the nonzero values do not repeat.
    if len(others) > 1 and 2 * len(others) > sum(counts[value] for value in others):
        return False
    return is_chosen(distinct, tensor.numel(), is_vector=count_axes(tensor) < 2)


def count_values(flat: torch.Tensor) -> dict[float, int]:
    """Return how often each value occurs in a vector; {} if there are more than MOST distinct values."""
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
    """Return whether a number may have been chosen, rather than be uninitialized memory."""
    return value == 0 or SMALLEST < abs(value) < LARGEST


def is_chosen(distinct: list[float], count: int, *, is_vector: bool) -> bool:
    """Return whether `count` elements have so few distinct values that it cannot be by chance."""
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
    # 0, 1 and -1 are common choices: they are not counted as free ones.
    free = len([value for value in distinct if value not in {0.0, 1.0, -1.0}])
    choices = math.lgamma(possible + 1) - math.lgamma(free + 1) - math.lgamma(possible - free + 1)
    return choices + count * math.log(few / possible) < math.log(CHANCE)


def is_next(low: float, high: float, bits: int) -> bool:
    """Return whether two numbers are less than STEPS apart in a dtype of that precision."""
    return high - low < STEPS * math.ldexp(max(abs(low), abs(high)), -bits)


def find_precision(distinct: list[float]) -> int:
    """Return the precision in bits of the coarsest dtype that represents all numbers."""
    numbers = torch.tensor(distinct, dtype=torch.float64)
    fitting = (bits for dtype, bits in PRECISIONS.items() if torch.equal(numbers.to(dtype).double(), numbers))
    return next(fitting, PRECISIONS[torch.float32])
