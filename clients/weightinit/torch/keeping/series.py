"""Detect tensors that were computed as sinusoids, ramps or powers, which no random draw produces.

Along an axis, sinusoids, arithmetic and geometric series all satisfy one recurrence, x[t] = a · x[t-1] + b ·
x[t-2] + c, each with its own a, b and c. A line is a vector along one axis of a tensor.
"""

import math
from itertools import pairwise

import torch

from weightinit.torch.keeping.values import is_readable

# A line of this length has at least three equations for each of the three coefficients.
SHORTEST = 12
# The most elements of a line, and the most lines, that are examined.
LONGEST, LINES = 64, 16
# In units of the dtype's precision: how far rounding, also of phases, may move an element from its
# recurrence, and the smallest range of a line that shows a recurrence. For bfloat16 and float16 no line has
# this range.
ROUNDING, SPREAD = 256, 4000
# A determinant of numbers up to one counts as zero below this.
ROUGHLY = 0.02
# The smallest ratio of an identity's diagonal to the standard deviation of its other elements.
LARGER = 8


def is_series(tensor: torch.Tensor) -> bool:
    """Return whether the lines of a tensor along one of its axes are series.

    >>> is_series(torch.linspace(-1, 1, 16)), is_series(torch.arange(64.0).view(4, 16).sin())
    (True, True)
    >>> is_series(torch.randn(16, 16)), is_series(torch.ones(16))
    (False, False)
    """
    if not is_readable(tensor):
        return False
    return any(
        size >= SHORTEST and are_series(tensor.detach(), axis) for axis, size in enumerate(tensor.shape)
    )


def are_series(tensor: torch.Tensor, axis: int) -> bool:
    """Return whether lines along an axis are series, from a quick test of one line and a sample of others."""
    middle: list[int | slice] = [size // 2 for size in tensor.shape]
    middle[axis] = slice(SHORTEST)
    if not may_be_series(tensor[tuple(middle)].tolist()):
        return False
    lines = tensor.narrow(axis, 0, min(LONGEST, tensor.shape[axis])).movedim(axis, -1)
    lines = lines.flatten(0, -2) if tensor.ndim > 1 else lines[None]
    some = lines[:: max(1, len(lines) // LINES)][:LINES]
    return 2 * fit_lines(some) > len(some)


def may_be_series(line: list[float]) -> bool:
    """Return whether numbers may be a series, by a cheap test that most draws fail.

    The steps of a series satisfy a recurrence of two terms, so the determinant of five consecutive steps is
    zero up to rounding.
    """
    steps = [after - before for before, after in pairwise(line)]
    size = max(map(abs, steps))
    if not 0 < size < math.inf:
        return False
    scaled = [step / size for step in steps]
    return all(abs(find_determinant(scaled[start : start + 5])) < ROUGHLY for start in range(len(steps) - 4))


def find_determinant(steps: list[float]) -> float:
    """Return the determinant of the 3×3 Hankel matrix of five numbers."""
    a, b, c, d, e = steps
    return a * (c * e - d * d) - b * (b * e - c * d) + c * (b * d - c * c)


def fit_lines(lines: torch.Tensor) -> int:
    """Return the number of lines that are series and not constant; 0 if any other line is neither."""
    values = lines.double()
    unit = torch.finfo(lines.dtype).eps * values.abs().amax(1)
    is_varied = values.amax(1) - values.amin(1) > SPREAD * unit
    before = torch.stack([values[:, 1:-1], values[:, :-2], torch.ones_like(values[:, 2:])], -1)
    after = values[:, 2:, None]
    try:
        residual = (before @ (torch.linalg.pinv(before) @ after) - after).abs().amax((1, 2))
    except RuntimeError:  # infinite values or uninitialized memory
        return 0
    is_fit = residual <= ROUNDING * unit
    return 0 if bool((is_varied & ~is_fit).any()) else int(is_varied.sum())


def has_diagonal(tensor: torch.Tensor) -> bool:
    """Return whether a square matrix is a multiple of the identity plus small values.

    >>> has_diagonal(torch.eye(16) + 0.01 * torch.randn(16, 16)), has_diagonal(torch.randn(16, 16))
    (True, False)
    """
    if not is_readable(tensor) or tensor.ndim != 2 or not SHORTEST <= len(tensor) == tensor.shape[1]:
        return False
    values = tensor.detach()
    diagonal = values.diagonal().float()
    level = float(diagonal.mean().abs())
    if float(values[0, 1:].float().std()) * LARGER > level or float(diagonal.std()) * 2 > level:
        return False
    others = values.float() - diagonal.diag()
    return float(others.std()) * LARGER < level
