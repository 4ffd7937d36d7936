"""Compare both tabulated transforms with SciPy's inverse normal CDF, for all 2^31 magnitudes.

Prints for each: the largest absolute and relative error in float64, the largest error in units in the last
place after rounding to float32, whether the magnitude never increases with x, and the exact variance and
kurtosis of the 2^32 possible values. Takes about two minutes on two cores; --step N takes every N-th
magnitude.
"""

import argparse
import math
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from service.core import TRUNCATED_UNIT_STDDEV
from service.stream.inverse_cdf import load_tables
from service.stream.kernels import DISTRIBUTION_CODES
from service.stream.kernels.transforms import transform_table

CHUNK = 1 << 22
ORDINARY = 1e-7  # eight draws in 10^8 are smaller


class Extent(NamedTuple):
    """The errors, moments and ends of one chunk of magnitudes."""

    absolute: float
    relative: float
    ulps: float
    ordinary_ulps: float
    monotone: bool
    second: float
    fourth: float
    first_value: float
    last_value: float


def compute_exact(distribution: str, x: np.ndarray) -> np.ndarray:
    """Return the magnitudes computed by SciPy (Cephes' ndtri, relative error about 1e-15)."""
    if distribution == "normal":
        return -ndtri(x / 2.0**32)
    central = ndtr(2.0) - 0.5
    return -ndtri(0.5 - central * (1 - x / 2.0**31)) / TRUNCATED_UNIT_STDDEV


def verify_chunk(distribution: str, step: int, start: int) -> Extent:
    """Compare the magnitudes of one chunk with SciPy's."""
    words = np.arange(start, start + CHUNK * step, step, dtype=np.uint32)
    drawn, index = np.empty(CHUNK), np.empty(CHUNK, np.uint32)
    transform_table(words, load_tables()[DISTRIBUTION_CODES[distribution] - 1], drawn, index)
    exact = compute_exact(distribution, words + 0.5)
    error = np.abs(drawn - exact)
    spacing = np.spacing(exact.astype(np.float32)).astype(np.float64)
    ulps = np.abs(drawn.astype(np.float32).astype(np.float64) - exact) / spacing
    squares = drawn * drawn
    return Extent(
        absolute=float(error.max()),
        relative=float((error / exact).max()),
        ulps=float(ulps.max()),
        ordinary_ulps=float(ulps.max(where=exact > ORDINARY, initial=0.0)),
        monotone=bool((np.diff(drawn) <= 0).all()),
        second=float(squares.sum()),
        fourth=float((squares * squares).sum()),
        first_value=float(drawn[0]),
        last_value=float(drawn[-1]),
    )


def verify(distribution: str, step: int) -> None:
    """Print the results of one transform over all magnitudes."""
    starts = range(0, 2**31, CHUNK * step)
    with ProcessPoolExecutor() as pool:
        chunks = list(pool.map(partial(verify_chunk, distribution, step), starts))
    count = CHUNK * len(chunks)
    monotone = all(c.monotone for c in chunks) and all(
        before.last_value >= after.first_value for before, after in pairwise(chunks)
    )
    variance = math.fsum(c.second for c in chunks) / count
    print(
        f"{distribution}: absolute error {max(c.absolute for c in chunks):.3g}, "
        f"relative {max(c.relative for c in chunks):.3g}, "
        f"float32 {max(c.ulps for c in chunks):.4f} ulp, "
        f"above {ORDINARY} {max(c.ordinary_ulps for c in chunks):.4f} ulp, monotone {monotone}, "
        f"largest {chunks[0].first_value!r}, smallest {chunks[-1].last_value!r}, "
        f"variance 1{variance - 1:+.3g}, "
        f"kurtosis {math.fsum(c.fourth for c in chunks) / count / variance**2:.10f}"
    )


def main() -> None:
    """Verify both transforms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", type=int, default=1, help="take every N-th magnitude (a power of two)")
    step = parser.parse_args().step
    for distribution in ("normal", "truncated_normal"):
        verify(distribution, step)


if __name__ == "__main__":
    main()
