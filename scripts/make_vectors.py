"""Make tests/golden/vectors.jsonl: golden vectors of stream version 1, drawn by reference/weightinit.c.

Each line is a query of `/v1/weights`, with the length, SHA-256, first and last bytes of the weights, or the
reason of the refusal. They cover every scheme, mode, distribution, dtype and layout, every other field, and
the limits that docs/stream.md states. Lines may be added; only a new stream version may change one.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

from scripts.vector_specs import ACTIVATIONS, DISTRIBUTIONS, DTYPES, LAYOUTS, MODES, SCHEMES, list_fields

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "reference/weightinit.c"
TABLES = ROOT / "service/stream/tables.npy"
PATH = ROOT / "tests/golden/vectors.jsonl"
FLAGS = ("-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

BASE: dict[str, object] = {"shape": "7,5", "scheme": "he", "seed": 42, "name": "vectors"}
LINE: dict[str, object] = {"shape": 2**40, "layout": "O", "scheme": "he", "fan_in": 300, "fan_out": 300}
SEEDS = (0, 2**32, 2**53 - 1, 2**53, 2**53 + 1, 2**63, 2**64 - 1)
#: Empty, with characters of queries, é composed and decomposed, not Latin, an emoji, NUL, the longest.
NAMES = (
    "",
    "a b+c&d=e%25#",
    "caf\u00e9",
    "cafe\u0301",
    "ключ/重み",
    "🎲",
    "a\0b",
    " ",
    "é" * 512,
    "x" * 26,
    "x" * 27,
)
#: Pairs whose product, sum or root is rounded in binary64.
FANS = (
    *((fan, fan + step) for fan in (3, 50, 784, 4095) for step in (1, 2, 5, 7, 300)),
    (2**53 + 1, 1),
    (2**53 - 1, 2**53 + 1),
    (94906267, 94906269),
    (2**63 - 1, 2**63 - 1),
    (2**63 - 1, 3),
    (2**62 + 1, 2**61 + 12345),
)
#: The ends of the ranges, and draws below the smallest normal number of a dtype.
STDDEVS = {
    "float64": (1e-150, 0.02, 1e150),
    "float32": (2.0**-149, 1.4e-45, 1e-45, 1e-40, 0.02, 5e37, 6e37),
    "float16": (2.0**-24, 5.9e-8, 1e-5, 0.02, 10000.0, 10300.0, 28800.0, 28900.0, 37818.0, 37819.0),
    "bfloat16": (2.0**-133, 9e-41, 1e-39, 0.02, 5e37, 6e37),
}
#: Positions of draws that would round to the end of the open interval.
AT_BOUND = (
    ("uniform", "float32", 111721868),
    ("uniform", "float32", 126461483),
    ("uniform", "float16", 66867),
    ("uniform", "bfloat16", 465),
    ("truncated_normal", "float16", 9119),
)
REFUSED: tuple[dict[str, object], ...] = (
    {"dtype": "float16", "scheme": "explicit", "limit": 65504.0},
    {"dtype": "float16", "scheme": "variance_scaling", "scale": 1e10},
    {"groups": 2},
    {"layout": "HW"},
    {"layout": "O"},
    {"shape": "2,2,2,2,2,2"},
    {"limit": 1.0},
    {"stddev": 1e-151, "scheme": "explicit"},
    {"seed": 2**64},
    {"slice": "0:8"},
    {"slice": "3:3"},
    {"distribution": "normal", "scheme": "he_uniform"},
)


def list_specs() -> Iterator[dict[str, object]]:
    """Yield the fields of each query."""
    yield from list_plain()
    yield from list_fields()


def list_plain() -> Iterator[dict[str, object]]:
    """Yield queries of draws around zero, whose variance is a scale over a fan, or set."""
    for layout, scheme, mode, distribution, dtype in product(LAYOUTS, SCHEMES, MODES, DISTRIBUTIONS, DTYPES):
        yield {
            **layout,
            "scheme": scheme,
            "mode": mode,
            "distribution": distribution,
            "dtype": dtype,
            "seed": 42,
        }
    for distribution, dtype in product(DISTRIBUTIONS, DTYPES):
        kind: dict[str, object] = {"distribution": distribution, "dtype": dtype}
        yield from ({**BASE, **kind, "seed": seed} for seed in SEEDS)
        yield from ({**BASE, **kind, "negative_slope": slope} for slope in (0.01, -0.3, 1e9))
        explicit = {"shape": "7,5", "seed": 42, "name": "vectors", **kind}
        yield from ({**explicit, "stddev": value} for value in STDDEVS[dtype])
        yield {**LINE, **kind, "seed": 42, "name": "run", "slice": f"{2**35 + 1235}:{2**35 + 10236}"}
        yield {"shape": f"{2**31},{2**31}", **kind, "seed": 42, "slice": f"{2**31 - 3}:,{2**31 - 3}:"}
        yield {"shape": "9,8,7,6", "layout": "torch", **kind, "seed": 42, "slice": "2:5,:,6:"}
    for dtype in DTYPES:
        explicit = {"shape": "7,5", "seed": 42, "name": "vectors", "dtype": dtype}
        yield from ({**explicit, "parent_stddev": value} for value in STDDEVS[dtype])
        yield from ({**explicit, "limit": value} for value in (*STDDEVS[dtype], 0.05, 65503.99))
    for scheme, distribution in product(("xavier", "kaiming", "lecun"), DISTRIBUTIONS):
        yield {**BASE, "scheme": f"{scheme}_{distribution}"}
    yield {**BASE, "scheme": "he_normal", "distribution": "truncated_normal"}
    yield from ({"shape": "7,5", "activation": name, "seed": 42} for name in ACTIVATIONS.split())
    yield from ({**BASE, "name": name, "dtype": "float64"} for name in NAMES)
    for (fan_in, fan_out), mode in product(FANS, MODES):
        yield {**BASE, "fan_in": fan_in, "fan_out": fan_out, "mode": mode, "dtype": "float64", "shape": "3"}
    for distribution, dtype, position in AT_BOUND:
        line = {**LINE, "seed": 42, "name": "golden/bound", "slice": f"{position - 3}:{position + 5}"}
        yield {**line, "distribution": distribution, "dtype": dtype}
    yield from ({**BASE, **fields} for fields in REFUSED)


def build(folder: Path) -> Path:
    """Compile the C program into a folder, and return its path."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise SystemExit("no C compiler: install one, or set CC")
    program = folder / "weightinit"
    subprocess.run([compiler, *FLAGS, "-o", program, SOURCE], check=True)
    return program


def describe(program: Path) -> bytes:
    """Return what the C program writes about all queries: one line for each."""
    queries = "".join(urlencode(spec, safe=",:/") + "\n" for spec in list_specs())
    return subprocess.run([program, TABLES], input=queries.encode(), check=True, capture_output=True).stdout


def main() -> None:
    """Write the file: a line about its origin, then the vectors."""
    origin = "scripts/make_vectors.py: reference/weightinit.c, which follows docs/stream.md, by gcc on x86-64"
    with tempfile.TemporaryDirectory() as folder:
        vectors = describe(build(Path(folder)))
    PATH.write_bytes(f"{json.dumps({'stream': 1, 'origin': origin})}\n".encode() + vectors)


if __name__ == "__main__":
    main()
