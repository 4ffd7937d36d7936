"""Sinks: destinations for the bytes of a transfer."""

import hashlib
from io import FileIO
from typing import TYPE_CHECKING, Protocol

from weightinit.errors import BrokenTransfer, OutputFailed

if TYPE_CHECKING:
    from weightinit.transport.body import Body

# Bytes per step: few enough for a progress bar and an interrupt, enough to have no overhead.
STEP = 8 * 2**20
FILE_STEP = 2**20


class Sink(Protocol):
    """A destination for a representation's bytes."""

    def begin(self, etag: str | None, /) -> None:
        """Prepare for the representation with this tag from its first byte on, discarding any other."""

    def take(self, body: "Body", offset: int, /) -> int:
        """Read some bytes of the body to an offset, and return their number."""

    def compute_digest(self) -> bytes:
        """Return the SHA-256 of all bytes, after the last one was taken."""


class MemorySink:
    """The caller's memory."""

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def begin(self, _etag: str | None, /) -> None:
        """Do nothing: old bytes are overwritten."""

    def take(self, body: "Body", offset: int, /) -> int:
        """Read bytes to their place in memory."""
        return body.read_into(self._view[offset : offset + STEP])

    def compute_digest(self) -> bytes:
        """Return the SHA-256 of the memory."""
        return hashlib.sha256(self._view).digest()


class FileSink:
    """An unbuffered file, from the offset `base` on. Raises OutputFailed if it cannot be written."""

    def __init__(self, file: FileIO, base: int = 0) -> None:
        self._file = file
        self._base = base
        self._buffer = memoryview(bytearray(FILE_STEP))

    def begin(self, _etag: str | None, /) -> None:
        """Truncate the bytes of another representation."""
        self._file.truncate(self._base)

    def take(self, body: "Body", offset: int, /) -> int:
        """Write some bytes at their place in the file."""
        read = body.read_into(self._buffer)
        try:
            self._file.seek(self._base + offset)
            write_all(self._file, self._buffer[:read])
        except OSError as error:
            raise OutputFailed(f"{self._file.name} cannot be written: {error.strerror or error}") from error
        return read

    def compute_digest(self) -> bytes:
        """Return the SHA-256 of the file from `base` on."""
        self._file.seek(self._base)
        digest = hashlib.sha256()
        while read := self._file.readinto(self._buffer):
            digest.update(self._buffer[:read])
        return digest.digest()


class PipeSink:
    """A stream that cannot seek, such as standard output.

    It must be unbuffered, so that a reader that closes the pipe is noticed while it can be reported.
    """

    def __init__(self, file: FileIO, header: bytes = b"") -> None:
        self._file = file
        self._header = header
        self._buffer = memoryview(bytearray(FILE_STEP))
        self._digest = hashlib.sha256()
        self._is_begun = False

    def begin(self, _etag: str | None, /) -> None:
        """Write the header. Raises BrokenTransfer the second time."""
        if self._is_begun:
            error = BrokenTransfer("the transfer must restart, but a pipe cannot; write to a file")
            error.retryable = False
            raise error
        self._is_begun = True
        self._write(memoryview(self._header))

    def take(self, body: "Body", _offset: int, /) -> int:
        """Write the next bytes."""
        read = body.read_into(self._buffer)
        self._write(self._buffer[:read])
        self._digest.update(self._buffer[:read])
        return read

    def _write(self, data: memoryview) -> None:
        try:
            write_all(self._file, data)
        except OSError as error:
            raise OutputFailed(f"the output cannot be written: {error.strerror or error}") from error

    def compute_digest(self) -> bytes:
        """Return the SHA-256 of what was written."""
        return self._digest.digest()


def write_all(file: FileIO, data: memoryview) -> None:
    """Write all of the data, in as many calls as it takes. Raises OSError."""
    while data:
        data = data[file.write(data) :]
