"""Files: write tensors and models to disk atomically, and resume interrupted downloads.

Until `w.npy` is complete, its bytes are in `w.npy.part`, and `w.npy.part.json` has the query and the
entity tag that the rest must match.
"""

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from weightinit.errors import OutputFailed, WeightinitError
from weightinit.spec.layer import Spec
from weightinit.spec.slices import TensorSlice
from weightinit.transport.digests import WANTED, compute_file_digest
from weightinit.transport.requests import Query, make_weights_query
from weightinit.transport.sinks import FileSink, write_all

if TYPE_CHECKING:
    import httpx

    from weightinit.transport.connection import Connection

PART = ".part"
NOTE = ".part.json"
LOCK = ".part.lock"  # held while a process writes the part


def make_npy_header(spec: Spec, tensor_slice: TensorSlice) -> bytes:
    """Return the header that numpy.save writes before the bytes of an array (NEP 1)."""
    from numpy.lib.format import write_array_header_1_0  # noqa: PLC0415 - slow to import, and for .npy only

    header = BytesIO()
    description = {"descr": spec.format.npy, "fortran_order": False, "shape": tensor_slice.shape}
    write_array_header_1_0(header, description)
    return header.getvalue()


def make_no_header(_spec: Spec, _slice: TensorSlice) -> bytes:
    """Return the header of raw bytes, which is empty."""
    return b""


# The function that returns a file's header, by the name of the format.
HEADERS: dict[str, Callable[[Spec, TensorSlice], bytes]] = {"npy": make_npy_header, "raw": make_no_header}


def save_weights(
    connection: "Connection", path: Path, spec: Spec, tensor_slice: TensorSlice, header: bytes
) -> None:
    """Write a tensor, or a slice of it, to a file; see `save`."""
    save(
        connection,
        path,
        make_weights_query(spec, tensor_slice),
        tensor_slice.count_bytes(spec.format),
        header,
    )


def save(
    connection: "Connection", path: Path, query: Query, size: int | None, header: bytes = b""
) -> bytes | None:
    """Write a header and the bytes of a query's response to a file, replacing an existing one.

    An interrupted download of the same query is resumed. Returns the SHA-256 of the bytes if they were
    verified. Raises OutputFailed, and the client's errors.
    """
    try:
        path = find_target(path)
        part, note = (path.with_name(path.name + suffix) for suffix in (PART, NOTE))
        check_file(part)
        path.parent.stat()  # raises if the folder is missing, which FileLock would create
        with _lock_part(path):
            part.touch()
            with FileIO(part, "r+") as file, _remove_empty(part, note, len(header)):
                sink = PartSink(file, header, query, note)
                received, etag = sink.find_rest()
                transfer = connection.transfer(query, sink, size, received=received, etag=etag)
                os.fsync(file.fileno())
            part.replace(path)
            note.unlink(missing_ok=True)
    except WeightinitError:
        raise
    except OSError as error:
        raise OutputFailed(f"{path} cannot be written: {error.strerror}") from error
    return transfer.verified


def has_content(connection: "Connection", path: Path, query: Query) -> bytes | None:
    """Return the SHA-256 of a file if its content is a query's response, without downloading it.

    Returns None if the file does not exist or differs, or if the service sends no SHA-256: it has to draw
    the weights for it, and does so only up to a size that its operator sets. Raises the client's errors.
    """
    from weightinit.transport.responses import RAW  # noqa: PLC0415 - httpx is slow

    if not path.is_file():
        return None
    head = replace(query, method="HEAD")
    read = partial(_read_identity, query=head)
    _, size = connection.exchange(head, read, {"Accept": RAW})
    if size != path.stat().st_size:
        return None
    digest, _ = connection.exchange(head, read, {"Accept": RAW} | WANTED)
    return digest if digest and digest == compute_file_digest(path) else None


def _read_identity(response: "httpx.Response", query: Query) -> tuple[bytes | None, int | None]:
    from weightinit.transport.responses import Head  # noqa: PLC0415 - httpx is slow

    head = Head.of(response, query)
    return head.digest, head.size


def find_target(path: Path) -> Path:
    """Return the file to write, following symbolic links, which stay links. Raises OutputFailed."""
    target = Path(os.path.realpath(path))
    if not path.name:
        raise OutputFailed(f"{str(path)!r} is not the name of a file")
    check_file(target)
    return target


def check_file(path: Path) -> None:
    """Check that a path is a file or nothing: a device would be replaced. Raises OutputFailed, OSError."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OutputFailed(f"{path} is not a regular file; to write to standard output, use -o -")


@contextmanager
def _lock_part(path: Path) -> Iterator[None]:
    """Hold the lock of a file's part. Raises OutputFailed if another process holds it, OSError."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - slow to import, and needed to write only

    lock = path.with_name(path.name + LOCK)
    try:
        with FileLock(lock, blocking=False):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout:
        raise OutputFailed(f"{path} is being written by another process") from None


@contextmanager
def _remove_empty(part: Path, note: Path, base: int) -> Iterator[None]:
    """After a failure, remove a partial file and its note if there are no bytes to resume from."""
    try:
        yield
    except BaseException:
        if part.stat().st_size <= base:
            part.unlink()
            note.unlink(missing_ok=True)
        raise


class PartSink(FileSink):
    """A partial file, with a note beside it that identifies the representation."""

    def __init__(self, file: FileIO, header: bytes, query: Query, note: Path) -> None:
        super().__init__(file, len(header))
        self._note = note
        self._header = header
        self._identity = {"path": query.path, **query.params}

    def find_rest(self) -> tuple[int, str | None]:
        """Return the number of bytes received before, and their entity tag."""
        try:
            note = json.loads(self._note.read_text())
            etag, identity = note["etag"], note["query"]
        except (OSError, ValueError, KeyError, TypeError):
            return 0, None
        received = os.fstat(self._file.fileno()).st_size - self._base
        is_same = identity == self._identity and self._file.read(self._base) == self._header
        return (received, etag) if is_same and received > 0 else (0, None)

    def begin(self, etag: str | None, /) -> None:
        """Restart the file, and write the query and the entity tag to its note."""
        # First, so that a note never describes bytes that were removed.
        self._note.unlink(missing_ok=True)
        self._file.truncate(0)
        self._file.seek(0)
        write_all(self._file, memoryview(self._header))
        self._note.write_text(json.dumps({"query": self._identity, "etag": etag}))
