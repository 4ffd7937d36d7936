"""Remotes: contestants in processes of their own, which answer line by line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks.processes import ROOT


class Remote:
    """A process that answers each line of JSON with another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: object) -> float:
        """Send a request, and wait for the response. Raises RuntimeError where the process has ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended without an answer")
        return float(json.loads(line))


@contextmanager
def run_remote(module: str, environment: Mapping[str, str]) -> Iterator[Remote]:
    """Run a module beside this process; it inherits the cores that this one may use."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        yield Remote(process)
    finally:
        process.terminate()
        process.communicate()
