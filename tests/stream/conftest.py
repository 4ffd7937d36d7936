"""Compile independent.c, and request slices from it."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.stream import inverse_cdf as tables

SOURCE = Path(__file__).with_name("independent.c")
COMPILE = ("-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", str(SOURCE), "-lm", "-o")


@dataclass(frozen=True)
class Independent:
    """The stream in C, written from docs/stream.md alone."""

    program: Path

    def draw(self, requests):
        """Return the bytes of all the requests, one after the other."""
        lines = "\n".join(format_request(**request) for request in requests)
        command = [self.program, tables.PATH]
        return subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout


def format_request(*, seed, name, distribution, dtype, layout, shape, slices, factor, bound):
    axes = (
        ",".join(map(str, axis)) for axis in (shape, [cut[0] for cut in slices], [cut[1] for cut in slices])
    )
    fields = (seed, name.encode().hex() or "-", distribution, dtype, layout, *axes, factor.hex(), bound.hex())
    return " ".join(map(str, fields))


@pytest.fixture(scope="session")
def independent(tmp_path_factory):
    """The compiled program. Without a C compiler the tests fail: they must not be skipped silently."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    assert compiler, "no C compiler: install one, or let CC name it"
    program = tmp_path_factory.mktemp("independent") / "independent"
    subprocess.run([compiler, *COMPILE, program], check=True)
    return Independent(program)
