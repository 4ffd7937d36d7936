"""Strided positions of every kind that the kernels distinguish, and a digest of the draws at each.

python -m tests.stream.positions prints the digests as JSON: to compare one process, or machine, with another.
"""

import hashlib
import itertools
import json

from tests.stream.drawing import DISTRIBUTIONS, DTYPES, make_tensor

FAR = 2**62
FANS = {"fan_in": 50, "fan_out": 50}

# Shape, layout, slices: half-open intervals. Together they take whole tiles, parts of tiles, runs with gaps,
# and single positions, near the start, around the 2^34 positions that a u32 block number covers, and far out.
POSITIONS = {
    "one element": ((9, 9), "OI", ((4, 5), (7, 8))),
    "odd offset": ((20000,), "O", ((12347, 19999),)),
    "across a lane": ((20000,), "O", ((1021, 1028),)),
    "across a tile": ((20000,), "O", ((4093, 8195),)),
    "runs with holes": ((9, 5000), "OI", ((0, 9), (3, 4001))),
    "short runs": ((40, 40, 5, 5), "OIHW", ((1, 40), (2, 40), (1, 4), (0, 3))),
    "pairs far apart": ((300, 40, 3, 3), "IOHW", ((0, 300), (0, 9), (1, 3), (1, 3))),
    "Keras dense": ((123, 77), "IO", ((0, 123), (0, 77))),
    "Keras convolution": ((3, 3, 19, 37), "HWIO", ((0, 3), (0, 3), (0, 19), (0, 37))),
    "Keras stack": ((5, 20, 30), "GIO", ((0, 5), (1, 20), (2, 30))),
    "eight axes": ((3, 2, 3, 2, 3, 2, 3, 2), "WHDOIBGI", ((0, 3), (0, 2)) * 3 + ((1, 3), (0, 2))),
    "run across 2^34": ((2**35,), "O", ((2**34 - 3000, 2**34 + 3001),)),
    "strided across 2^34": ((2**20, 2**15), "IO", ((2**19, 2**19 + 900), (2**14 - 1, 2**14 + 1))),
    "Keras beyond 2^40": ((2**22, 2**20), "IO", ((2**22 - 50, 2**22), (2**20 - 50, 2**20))),
    "run beyond 2^40": ((2**42,), "O", ((2**40 + 5, 2**40 + 5005),)),
    "run up to 2^63": ((2**63 - 1,), "O", ((2**63 - 4000, 2**63 - 1),)),
    "strided up to 2^63": ((2**31, 2**32 - 1), "IO", ((2**31 - 60, 2**31), (2**32 - 61, 2**32 - 1))),
}


def list_tensors():
    """All of them in every distribution and dtype: a label, and the arguments of make_tensor."""
    for (name, (shape, layout, slices)), distribution, dtype in itertools.product(
        POSITIONS.items(), DISTRIBUTIONS, DTYPES
    ):
        spec = {"shape": shape, "layout": layout, "distribution": distribution, "dtype": dtype, **FANS}
        yield f"{name}, {distribution}, {dtype}", {"slices": tuple(slice(*cut) for cut in slices), **spec}


def digest_positions():
    return {
        label: hashlib.sha256(make_tensor(**tensor).read()).hexdigest() for label, tensor in list_tensors()
    }


if __name__ == "__main__":
    print(json.dumps(digest_positions()))
