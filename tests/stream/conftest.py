"""Compile reference/weightinit.c, and draw weights by it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from service.stream import inverse_cdf as tables
from tests.stream.scripts import load_script


@dataclass(frozen=True)
class Independent:
    """The stream in C, which follows docs/stream.md."""

    program: Path

    def draw(self, spec, slices=()):
        """Return the bytes of a slice of a spec's tensor."""
        return subprocess.run(
            [self.program, tables.PATH, format_query(spec, slices)], stdout=subprocess.PIPE, check=True
        ).stdout


def format_query(spec, slices=()):
    """Return the query of a spec and half-open intervals."""
    fields = spec | {"shape": ",".join(map(str, spec["shape"]))}
    fields |= {"slice": ",".join(f"{start}:{stop}" for start, stop in slices)} if slices else {}
    return urlencode(fields)


@pytest.fixture(scope="session")
def independent(tmp_path_factory):
    """The compiled program. Without a C compiler the tests fail: they must not be skipped silently."""
    return Independent(load_script("make_vectors").build(tmp_path_factory.mktemp("reference")))
