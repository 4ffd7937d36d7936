"""The inverse-CDF tables of stream version 1, made by scripts/make_tables.py."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.core import TRUNCATED_UNIT_STDDEV

#: Octaves of the magnitude x = m + 1/2, from [2^-1, 2^0) to [2^30, 2^31).
OCTAVES = 32
#: Segments of equal width in each octave: the index takes 5 leading mantissa bits.
SEGMENT_BITS = 5
SEGMENTS = 1 << SEGMENT_BITS
#: Where truncated_normal is truncated, in standard deviations of the result: 2 / 0.8796….
TRUNCATED_CUT = 2.0 / TRUNCATED_UNIT_STDDEV

PATH = Path(__file__).with_name("tables.npy")
SHA256 = "785812d3448197fb1e669d0f9ccb278a675e9d3101db54d0ea40e2cd1b0993da"


def load_tables() -> NDArray[np.float64]:
    """Return the tables of normal and truncated_normal, shape (2, 1024, 4): coefficients c0..c3 in each row.

    Raises RuntimeError if the digest of their bytes differs from the published one.
    """
    tables: NDArray[np.float64] = np.load(PATH)
    if (found := hashlib.sha256(tables.tobytes()).hexdigest()) != SHA256:
        raise RuntimeError(f"{PATH.name} is damaged: SHA-256 {found}, expected {SHA256}")
    tables.setflags(write=False)
    return tables
