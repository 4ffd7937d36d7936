"""Pipes: bytes on standard output, which is no terminal then."""

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
    """Open standard output for bytes after a header. Raises UsageError, OutputFailed."""
    from weightinit.transport.sinks import PipeSink

    if screen.as_json:
        raise UsageError("--json and -o - cannot both go to standard output")
    if is_terminal(sys.stdout):
        raise OutputFailed("weights are no text for a terminal: name a file with -o, or pipe them on")
    sys.stdout.flush()
    with FileIO(sys.stdout.fileno(), "wb", closefd=False) as output:
        yield PipeSink(output, header)
