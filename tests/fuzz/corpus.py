"""The kept corpus: for each target the inputs that reach all code that a fuzzer has reached.

A file per target has an input per line, as a literal of Python's bytes.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).with_name("inputs")
MAX_BYTES = 15_000  # of a file


def read_inputs(target: str) -> list[bytes]:
    """Read the inputs of a target."""
    path = FOLDER / f"{target}.txt"
    lines = path.read_text("ascii").splitlines() if path.exists() else []
    return [ast.literal_eval(line) for line in lines]


def write_inputs(target: str, inputs: Iterable[bytes], broken: Iterable[bytes] = ()) -> None:
    """Write the inputs of a target: those that broke it, and then the shortest, up to MAX_BYTES."""
    first = sorted(set(broken))
    lines, size = [], 0
    for data in [*first, *sorted(set(inputs) - set(first), key=lambda data: (len(data), data))]:
        line = f"{data!r}\n"
        size += len(line)
        if size > MAX_BYTES:
            break
        lines.append(line)
    (FOLDER / f"{target}.txt").write_text("".join(lines), "ascii")
