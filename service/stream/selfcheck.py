"""The golden vectors, and the check that this machine draws them."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from service.core import LayerSpec, resolve_parameters
from service.stream.key import STREAM_VERSION
from service.stream.sources.making import make_source

PATH = Path(__file__).with_name("golden.json")


class Case(TypedDict):
    """A spec, a half-open interval for each axis, and the slice's little-endian bytes or their SHA-256."""

    spec: dict[str, object]
    box: list[tuple[int, int]]
    bytes: NotRequired[str]
    sha256: NotRequired[str]


class SelfCheckError(RuntimeError):
    """This machine does not draw the golden vectors, so it must not serve."""


def load_cases() -> Iterator[Case]:
    """Yield the golden vectors of the current stream version."""
    golden = json.loads(PATH.read_text("utf-8"))
    if golden["stream"] != STREAM_VERSION:
        raise SelfCheckError(
            f"{PATH.name} has vectors of stream {golden['stream']}, expected stream {STREAM_VERSION}"
        )
    yield from golden["cases"]


def is_drawn(case: Case, drawn: bytes) -> bool:
    """Return whether drawn bytes match a case."""
    if "bytes" in case:
        return drawn.hex() == case["bytes"]
    return hashlib.sha256(drawn).hexdigest() == case["sha256"]


def check() -> int:
    """Draw all golden vectors and return their number. Raises SelfCheckError at the first that differs."""
    count = 0
    for case in load_cases():
        spec = LayerSpec.parse(case["spec"])
        slices = tuple(slice(*bounds) for bounds in case["box"])
        source = make_source(spec, resolve_parameters(spec), slices)
        drawn = np.empty(source.nbytes, np.uint8)
        source.bind()(0, drawn)
        if not is_drawn(case, drawn.tobytes()):
            raise SelfCheckError(f"{case['spec']}, slice {case['box']}, differs from its golden vector")
        count += 1
    return count
