"""Fits: the straight line through measured costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True)
class Line:
    """y = intercept + slope · x, and how far the farthest point is from it, relative to itself."""

    intercept: float
    slope: float
    residual: float

    def at(self, x: float) -> float:
        """Return y."""
        return self.intercept + self.slope * x


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """Fit a line by least squares of the relative error, so that small costs count as much as large.

    >>> fit_line([1, 10, 1000], [3, 21, 2001])
    Line(intercept=1.0, slope=2.0, residual=0.0)
    >>> fit_line([1, 10, 1000], [7, 7, 7])
    Line(intercept=7.0, slope=0.0, residual=0.0)
    """
    x, y = np.array(xs, float), np.array(ys, float)
    (intercept, slope), *_ = np.linalg.lstsq(np.stack([1 / y, x / y], axis=1), np.ones_like(y), rcond=None)
    residual = np.abs((intercept + slope * x) / y - 1).max()
    # What is nothing beside y is nothing: the arithmetic's own errors.
    level = abs(slope * x).max() < NEGLIGIBLE * y.max()
    return Line(*(float(f"{value:.9g}") for value in (intercept, 0.0 if level else slope, residual.round(9))))
