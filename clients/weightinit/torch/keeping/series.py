"""Series: tensors whose values follow one another, as those of sinusoids, ramps and powers; no draw does.

Along an axis a sinusoid, an arithmetic and a geometric series are all solutions of one recurrence,
x[t] = a · x[t-1] + b · x[t-2] + c, each with its own a, b and c.
"""

import math
from itertools import pairwise

import torch

from weightinit.torch.keeping.values import is_readable

# A line of so many elements has at least three equations for each of the three coefficients.
SHORTEST = 12
# How many elements of a line are looked at, and how many lines.
LONGEST, LINES = 64, 16
# How far rounding, of phases too, takes an element from its recurrence, and how far apart the elements of a
# line have to be to show it, in units of the precision of their dtype. Of bfloat16 and float16 nothing shows.
ROUNDING, SPREAD = 256, 4000
# Below this a determinant may be zero, of numbers up to one.
ROUGHLY = 0.02
# How many times as large as the deviation of the others what is on the diagonal of an identity has to be.
LARGER = 8


def is_series(tensor: torch.Tensor) -> bool:
    """Return whether all lines of a tensor along one of its axes are series.

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
    """Return whether the lines along an axis are series: one of them, and then some of the others."""
    middle: list[int | slice] = [size // 2 for size in tensor.shape]
    middle[axis] = slice(SHORTEST)
    if not may_be_series(tensor[tuple(middle)].tolist()):
        return False
    lines = tensor.narrow(axis, 0, min(LONGEST, tensor.shape[axis])).movedim(axis, -1)
    lines = lines.flatten(0, -2) if tensor.ndim > 1 else lines[None]
    some = lines[:: max(1, len(lines) // LINES)][:LINES]
    return 2 * fit_lines(some) > len(some)


def may_be_series(line: list[float]) -> bool:
    """Return whether numbers may be a series, with no more than arithmetic, because most are not.

    The steps of a series follow a recurrence of two terms, so a determinant of five that follow each other
    is zero up to rounding.
    """
    steps = [after - before for before, after in pairwise(line)]
    size = max(map(abs, steps))
    if not 0 < size < math.inf:
        return False
    scaled = [step / size for step in steps]
    return all(abs(find_determinant(scaled[start : start + 5])) < ROUGHLY for start in range(len(steps) - 4))


def find_determinant(steps: list[float]) -> float:
    """Find the determinant of the three rows of three that follow each other in five numbers."""
    a, b, c, d, e = steps
    return a * (c * e - d * d) - b * (b * e - c * d) + c * (b * d - c * c)


def fit_lines(lines: torch.Tensor) -> int:
    """Count the lines that are series and far from constant; 0 if any line is far from both."""
    values = lines.double()
    unit = torch.finfo(lines.dtype).eps * values.abs().amax(1)
    is_varied = values.amax(1) - values.amin(1) > SPREAD * unit
    before = torch.stack([values[:, 1:-1], values[:, :-2], torch.ones_like(values[:, 2:])], -1)
    after = values[:, 2:, None]
    try:
        residual = (before @ (torch.linalg.pinv(before) @ after) - after).abs().amax((1, 2))
    except RuntimeError:  # infinity, and what was in memory before
        return 0
    is_fit = residual <= ROUNDING * unit
    return 0 if bool((is_varied & ~is_fit).any()) else int(is_varied.sum())


def has_diagonal(tensor: torch.Tensor) -> bool:
    """Return whether a square matrix is an identity with little beside it, of any scale and sign.

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
