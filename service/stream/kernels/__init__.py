"""Stream version 1 compiled by Numba: Philox, transforms and rounding, in blocks that fit the L1 cache.

Loops are simple enough for LLVM to vectorize; reference.py computes the same bits in NumPy. fastmath is off,
because it would contract products and sums into FMA, which rounds differently.
"""

from service.stream.kernels.encode import DTYPE_CODES
from service.stream.kernels.fill import fill
from service.stream.kernels.transforms import DISTRIBUTION_CODES

__all__ = ["DISTRIBUTION_CODES", "DTYPE_CODES", "fill"]
