"""Pipes: write bytes to standard output."""

import sys
from contextlib import contextmanager
from io import FileIO
from typing import TYPE_CHECKING

from weightinit.cli.options import UsageError
from weightinit.cli.screen import Screen, is_terminal
from weightinit.errors import OutputFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightinit.transport.sinks import PipeSink


@contextmanager
def open_pipe(screen: Screen, header: bytes = b"") -> "Iterator[PipeSink]":
    """Yield a sink that writes a header and bytes to standard output. Raises UsageError, OutputFailed."""
    from weightinit.transport.sinks import PipeSink

    if screen.as_json:
        raise UsageError("--json and -o - cannot both write to standard output")
    if is_terminal(sys.stdout):
        raise OutputFailed("binary data is not written to a terminal: set a file with -o, or use a pipe")
    sys.stdout.flush()
    with FileIO(sys.stdout.fileno(), "wb", closefd=False) as output:
        yield PipeSink(output, header)
