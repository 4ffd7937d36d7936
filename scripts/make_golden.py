"""Make service/stream/golden.json: the golden vectors of stream version 1, which never change.

The NumPy reference draws them, without the compiled kernels. They cover each distribution, dtype and layout,
at the start of a small tensor and beyond position 2^40 of a huge one; runs through all lanes of several
tiles; draws clipped to the bound; slices that use the other paths through the kernels; and each other source
of elements, in each dtype. Cases may be added; only a new stream version may change one.
"""

import hashlib
import json
import math
from itertools import product

from service.core import DTYPES, LayerSpec, resolve_parameters
from service.core.schemes import DISTRIBUTIONS
from service.stream import STREAM_VERSION
from service.stream.selfcheck import PATH
from service.stream.sources.reference import draw_spec

LAYOUTS = ("IO", "OI", "WIO", "OIW", "HWIO", "OIHW", "DHWIO", "OIDHW", "GIO", "IBOO")
SMALL, LARGE = (5, 4, 3, 2, 2), (2**9, 2**10, 2**11, 2**7, 2**8)
ACROSS = 6
SHORT = 2048
#: Draws so near the end of the open interval that they would round to it, so they are clipped to the bound.
AT_BOUND = (
    ("uniform", "float32", 111721868),
    ("uniform", "float32", 126461483),
    ("uniform", "float16", 66867),
    ("uniform", "bfloat16", 465),
    ("truncated_normal", "float16", 9119),
)
LANE_STARTS = (500, 1524, 2548, 3572)
SLICES = {
    "golden/rows with holes": ([40, 8], "OI", [(0, 40), (0, 5)]),
    **{
        f"golden/lane {lane}": ([9, 4096], "OI", [(0, 9), (at, at + 3)])
        for lane, at in enumerate(LANE_STARTS)
    },
    "golden/across 2^34": ([2**17, 2**20], "IO", [(2**17 - 2, 2**17), (2**17 - 2, 2**17 + 2)]),
}
TRUNCATED = {"distribution": "truncated_normal"}
#: The sources beside the plain draws: fields, shape, layout and slice. Some are beyond position 2^40.
SOURCES: dict[str, tuple[dict[str, object], list[int], str, list[tuple[int, int]]]] = {
    "mean": ({"stddev": 0.5, "mean": 0.25}, [4, 9], "OI", [(0, 4), (1, 9)]),
    "mean of a uniform": ({"limit": 0.5, "mean": -0.75}, [4, 9], "IO", [(0, 4), (0, 9)]),
    "interval": ({"low": 0.1, "high": 0.3}, [2**20, 2**24], "OI", [(2**20 - 3, 2**20), (2**24 - 7, 2**24)]),
    "cut of a scheme": (
        {"scheme": "he", **TRUNCATED, "lower": -3.0, "upper": 3.0},
        [6, 7],
        "OI",
        [(0, 6), (0, 7)],
    ),
    "one end cut": ({"parent_stddev": 0.02, "lower": 0.5, "upper": 1e300}, [6, 7], "IO", [(0, 6), (0, 7)]),
    "cut of an interval": (
        {"parent_stddev": 1.0, "low": -0.5, "high": 3.0, "mean": 0.3},
        [2**20, 3, 2**24],
        "OWI",
        [(2**20 - 3, 2**20), (0, 3), (2**24 - 5, 2**24)],
    ),
    "sparse": (
        {"scheme": "sparse", "stddev": 0.1, "sparsity": 0.6},
        [5, 3, 2, 2],
        "OIHW",
        [(0, 5), (0, 3), (0, 2), (0, 2)],
    ),
    "sparse outputs": (
        {"scheme": "sparse", "stddev": 0.1, "sparsity": 0.4, "sparsity_axis": "O"},
        [3, 7, 5],
        "GIO",
        [(1, 3), (0, 7), (1, 5)],
    ),
    "orthogonal": ({"scheme": "orthogonal", "gain": 1.3}, [70, 40], "OI", [(0, 70), (0, 40)]),
    "orthogonal wide": ({"scheme": "orthogonal"}, [2, 5, 3, 4], "HWIO", [(0, 2), (2, 5), (0, 3), (0, 4)]),
    "delta_orthogonal": (
        {"scheme": "delta_orthogonal"},
        [3, 4, 3, 5],
        "HWIO",
        [(0, 3), (0, 4), (0, 3), (0, 5)],
    ),
    "identity": (
        {"scheme": "identity", "gain": 0.7},
        [2**20, 2**20],
        "IO",
        [(2**20 - 4, 2**20), (2**20 - 5, 2**20)],
    ),
    "dirac": (
        {"scheme": "dirac", "groups": 2, "center": "torch"},
        [6, 3, 2, 3],
        "OIHW",
        [(0, 6), (0, 3), (0, 2), (0, 3)],
    ),
    "constant": ({"constant": -0.1}, [2**40], "O", [(2**40 - 5, 2**40)]),
}


def make_case(values: dict[str, object], intervals: list[tuple[int, int]]) -> dict[str, object]:
    """Return a case: a spec, a slice of it as half-open intervals, and the bytes or their digest."""
    spec = LayerSpec.parse({"activation": "relu", "seed": 42, **values})
    drawn = draw_spec(spec, resolve_parameters(spec), tuple(slice(*bounds) for bounds in intervals)).tobytes()
    content = {"bytes": drawn.hex()} if len(drawn) <= SHORT else {"sha256": hashlib.sha256(drawn).hexdigest()}
    return {"spec": {"activation": "relu", "seed": 42, **values}, "box": intervals, **content}


def make_corner(distribution: str, dtype: str, layout: str, sizes: tuple[int, ...]) -> dict[str, object]:
    """Return a case at the first corner of a small tensor, or at the last one of a huge one."""
    shape = sizes[: len(layout)]
    if sizes is LARGE:
        shape = tuple(
            size * 2 ** math.ceil((44 - math.log2(math.prod(shape))) / len(shape)) for size in shape
        )
    width = max(2, round(ACROSS ** (2 / len(shape))))
    intervals = [
        (size - min(size, width), size) if sizes is LARGE else (0, min(size, width)) for size in shape
    ]
    values = {
        "shape": list(shape),
        "layout": layout,
        "distribution": distribution,
        "dtype": dtype,
        "seed": 2**64 - 1 if sizes is LARGE else 42,
        "name": f"golden/{layout}/ключ",
    }
    return make_case(values, intervals)


def make_line(distribution: str, dtype: str, start: int, length: int, name: str) -> dict[str, object]:
    """Return a case of consecutive positions."""
    values = {
        "shape": [2**40],
        "layout": "O",
        "fan_in": 300,
        "fan_out": 300,
        "distribution": distribution,
        "dtype": dtype,
        "name": name,
    }
    return make_case(values, [(start, start + length)])


def make_slices(distribution: str, name: str) -> dict[str, object]:
    """Return a case of one of SLICES, which use other paths through the kernels."""
    shape, layout, intervals = SLICES[name]
    values = {
        "shape": shape,
        "layout": layout,
        "distribution": distribution,
        "dtype": "float32",
        "name": name,
    }
    return make_case(values, intervals)


def make_source(name: str, dtype: str) -> dict[str, object]:
    """Return a case of one of SOURCES."""
    fields, shape, layout, intervals = SOURCES[name]
    values = {"shape": shape, "layout": layout, **fields, "dtype": dtype, "name": f"golden/{name}"}
    return make_case(values, intervals)


def main() -> None:
    """Write all cases."""
    cases = [
        *(make_corner(*row) for row in product(DISTRIBUTIONS, DTYPES, LAYOUTS, (SMALL, LARGE))),
        *(make_line(*row, 2**35 + 1235, 9001, "golden/run") for row in product(DISTRIBUTIONS, DTYPES)),
        *(make_line(*row, 1, "golden/bound") for row in AT_BOUND),
        *(make_slices(*row) for row in product(DISTRIBUTIONS, SLICES)),
        *(make_source(*row) for row in product(SOURCES, DTYPES)),
    ]
    origin = "scripts/make_golden.py: the NumPy reference of docs/stream.md"
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    text = f'{{"stream": {STREAM_VERSION}, "origin": "{origin}", "cases": [\n{lines}\n]}}\n'
    PATH.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
