"""Make service/stream/tables.npy: the two inverse-CDF tables of stream version 1.

Each segment's cubic interpolates the exact transform, computed with 60 digits by mpmath, at the four
Chebyshev nodes of the segment (Trefethen, Approximation Theory and Practice, 2013, ch. 2). The result is
reproducible: the SHA-256 it prints is the one that service/stream/inverse_cdf.py requires.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import mpmath as mp
import numpy as np

from service.stream.inverse_cdf import OCTAVES, PATH, SEGMENTS

mp.mp.dps = 60  # tails of 2^-33 cost ten digits in 1 - 2 tail
HALF_RANGE = mp.mpf(2) ** 31
CENTRAL_MASS = mp.ncdf(2) - mp.mpf(1) / 2
TRUNCATED_STDDEV = mp.sqrt(1 - 2 * mp.npdf(2) / CENTRAL_MASS)
NODES = [mp.cos(mp.pi * (2 * k + 1) / 8) for k in range(4)]


def quantile(tail: mp.mpf) -> mp.mpf:
    """Return z with P(Z > z) = tail for a standard normal Z."""
    return mp.sqrt(2) * mp.erfinv(1 - 2 * tail)


def normal(x: mp.mpf) -> mp.mpf:
    """Return |z| of a standard normal at magnitude x in (0, 2^31): P(|Z| > |z|) = x / 2^31."""
    return quantile(x / HALF_RANGE / 2)


def truncated_normal(x: mp.mpf) -> mp.mpf:
    """Return |z| of a normal truncated at ±2, scaled to unit variance, at magnitude x in (0, 2^31)."""
    return quantile(mp.mpf(1) / 2 - CENTRAL_MASS * (1 - x / HALF_RANGE)) / TRUNCATED_STDDEV


def fit(transform: Callable[[mp.mpf], mp.mpf], start: mp.mpf, width: mp.mpf) -> list[float]:
    """Return c0..c3 of the cubic through the transform at the segment's Chebyshev nodes.

    In the last segment the nodes are stretched to reach its end, where both transforms are 0. The cubic is
    then 0 there too, which preserves the relative precision of the smallest magnitudes.
    """
    reach = 1 + NODES[0] if start + width == HALF_RANGE else mp.mpf(2)
    xs = [start + width * (1 + node) / reach for node in NODES]
    rows = mp.matrix([[x**power for power in range(4)] for x in xs])
    return [float(c) for c in mp.lu_solve(rows, mp.matrix([transform(x) for x in xs]))]


def make_table(transform: Callable[[mp.mpf], mp.mpf]) -> list[list[float]]:
    """Return a row of four coefficients for each segment of each octave, starting at 2^-1."""
    octaves = [mp.mpf(2) ** (exponent - 1) for exponent in range(OCTAVES)]
    return [
        fit(transform, octave * (1 + mp.mpf(k) / SEGMENTS), octave / SEGMENTS)
        for octave in octaves
        for k in range(SEGMENTS)
    ]


def main() -> None:
    """Write the tables and print their digest."""
    tables = np.array([make_table(normal), make_table(truncated_normal)], dtype="<f8")
    np.save(Path(PATH), tables)
    print(hashlib.sha256(tables.tobytes()).hexdigest())


if __name__ == "__main__":
    main()
