"""A source of every kind, and a digest of the bytes of each.

python -m tests.stream.sources.digests prints the digests as JSON: to compare one process, or machine, with
another.
"""

import hashlib
import json

from service.core.cut import compute_cut
from service.core.models.values import LogArange, Sinusoidal
from service.core.slices import select_all
from service.stream import derive_key
from service.stream.order import find_positions
from service.stream.sources.identity import IdentityTensor
from service.stream.sources.shifted import ShiftedTensor
from service.stream.sources.sparse import SparseTensor
from service.stream.sources.values import InverseSoftplusTensor, ValuesTensor

KEY, MASK_KEY = derive_key(42, "sources"), derive_key(42, "sources", domain=b"weightinit sparse")
SHAPE = (300, 257)  # a few chunks
ALL = select_all(SHAPE)


def make_sources(dtype):
    """Yield a label and a source of every kind."""
    scaling = {"factor": 0.3, "mean": 0.1, "low": -0.75, "high": 0.5}
    for layout in ("OI", "IO"):
        positions = find_positions(SHAPE, layout, ALL)
        for distribution in ("uniform", "normal", "truncated_normal"):
            yield (
                f"{distribution} {layout}",
                ShiftedTensor(KEY, SHAPE, positions, distribution, dtype, **scaling),
            )
        for ends in ((-0.3, 5.0), (4.5, float("inf"))):
            cut = compute_cut(*ends)[:3]
            source = ShiftedTensor(KEY, SHAPE, positions, "truncated_normal", dtype, **scaling, cut=cut)
            yield f"cut {ends} {layout}", source
        for axis in ("I", "O"):
            source = SparseTensor(KEY, MASK_KEY, SHAPE, layout, ALL, dtype, 0.1, 0.7, axis)
            yield f"sparse {axis} {layout}", source
        yield f"identity {layout}", IdentityTensor(SHAPE, layout, ALL, dtype, 1.1)
        yield f"inverse softplus {layout}", InverseSoftplusTensor(KEY, SHAPE, positions, dtype)
    even = (300, 256)
    yield "log_arange", ValuesTensor(even, select_all(even), dtype, LogArange())
    yield "sinusoidal", ValuesTensor(even, select_all(even), dtype, Sinusoidal())


def list_sources():
    """Return all of them in two dtypes."""
    return {
        f"{label} {dtype}": source
        for dtype in ("float64", "bfloat16")
        for label, source in make_sources(dtype)
    }


def digest_sources():
    return {label: hashlib.sha256(source.read()).hexdigest() for label, source in list_sources().items()}


if __name__ == "__main__":
    print(json.dumps(digest_sources()))
