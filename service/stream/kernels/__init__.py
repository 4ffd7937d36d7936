"""Stream version 1 as machine code: words, transforms and rounding, in blocks that stay in the L1 cache.

Every step is a plain loop that LLVM vectorises; reference.py states the same in NumPy, bit for bit. Nothing
here may be contracted into FMA, so fastmath stays off.
"""

from service.stream.kernels.encode import FORMS
from service.stream.kernels.fill import fill
from service.stream.kernels.transforms import LAWS

__all__ = ["FORMS", "LAWS", "fill"]
