"""Cache: tensors kept on disk, each downloaded once however many processes want it.

An entry is one file: the tensor's bytes, then a trailer with their size, digest and the time until which they
may be kept. It appears whole, by a rename. Whoever reads it checks the digest, so that nothing is taken
from a damaged one, and no flush to the disk has to be waited for. Nothing that goes wrong here is an
error: the bytes come from the service instead, with a CacheWarning.
"""

import hashlib
import json
import os
import struct
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

from weightinit.errors import CacheWarning
from weightinit.transport.requests import Query
from weightinit.transport.sinks import write_all

# seconds since 1970, size in bytes, SHA-256, and the format with its version
TRAILER = struct.Struct("<dQ32s8s")
MAGIC = b"weights1"
STEP = 2**20

ENTRY = ".weights"
TEMPORARY = ".tmp"
SHARD = 2  # digits of a key: tensors that begin alike share a lock, so that there are few lock files


def compute_key(endpoints: Sequence[str], query: Query) -> str:
    """Compute the name of an entry: a digest of the query and of the services that it may go to."""
    identity = [sorted(endpoints), query.path, sorted(query.params.items())]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


class Cache:
    """A directory of tensors, of at most `limit` bytes in all; the least recently used go first."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._limit = limit

    def fill(self, key: str, view: memoryview, download: Callable[[], float]) -> None:
        """Fill memory with an entry, or by downloading it, which then becomes the entry.

        `download` fills the same memory and returns for how many seconds it may be kept; what it raises is
        passed on. While one process downloads, others that want the same entry wait for it.
        """
        if self._load(key, view):
            return
        with self._lock(key) as is_locked:
            if is_locked and self._load(key, view):
                return
            lifetime = download()
            if is_locked and lifetime > 0 and len(view) <= self._limit:
                self._store(key, view, time.time() + lifetime)

    @contextmanager
    def _lock(self, key: str) -> Iterator[bool]:
        from filelock import FileLock  # noqa: PLC0415 - slow to import, and needed to write only

        with ExitStack() as stack:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(self._find_lock(key)))
            except OSError as error:
                _warn(f"{self._directory} cannot be used: {error.strerror or error}")
                is_locked = False
            else:
                is_locked = True
            yield is_locked

    def _load(self, key: str, view: memoryview) -> bool:
        path = self._directory / (key + ENTRY)
        try:
            with path.open("rb", buffering=0) as file:
                until = _read_entry(file, view)
                os.utime(file.fileno())
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, ValueError) as error:
            _warn(f"entry {path} cannot be used ({error}) and is downloaded again")
            return False
        return time.time() < until

    def _store(self, key: str, view: memoryview, until: float) -> None:
        temporary = self._directory / f"{key}.{os.getpid()}-{threading.get_ident()}{TEMPORARY}"
        try:
            self._sweep(key)
            digest = hashlib.sha256()
            with temporary.open("wb", buffering=0) as file:
                for start in range(0, len(view), STEP):
                    piece = view[start : start + STEP]
                    digest.update(piece)
                    write_all(file, piece)
                write_all(file, memoryview(TRAILER.pack(until, len(view), digest.digest(), MAGIC)))
            temporary.replace(self._directory / (key + ENTRY))
            self._evict(key)
        except OSError as error:
            _warn(f"{self._directory} cannot be written: {error.strerror or error}")
        finally:
            # Gone already, where all went well.
            with suppress(OSError):
                temporary.unlink()

    def _sweep(self, key: str) -> None:
        """Remove what writers that died have left: files that nobody holds the lock for."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - slow to import, and needed to write only

        for path in self._directory.glob("*" + TEMPORARY):
            if path.name[:SHARD] == key[:SHARD]:
                path.unlink(missing_ok=True)
                continue
            with suppress(Timeout), FileLock(self._find_lock(path.name), blocking=False):
                path.unlink(missing_ok=True)

    def _evict(self, key: str) -> None:
        """Remove the least recently used entries until the rest is within the limit, this one kept."""
        entries = []
        for path in self._directory.glob("*" + ENTRY):
            with suppress(FileNotFoundError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        excess = sum(size for _, size, _ in entries) - self._limit
        for _, size, path in sorted(entries):
            if excess <= 0:
                return
            if path.name != key + ENTRY:
                path.unlink(missing_ok=True)
                excess -= size

    def _find_lock(self, key: str) -> Path:
        return self._directory / f"{key[:SHARD]}.lock"


def _read_entry(file: FileIO, view: memoryview) -> float:
    """Read an entry to memory, and return until when it may be kept. Raises ValueError if it is damaged."""
    if os.fstat(file.fileno()).st_size != len(view) + TRAILER.size:
        raise ValueError("another size")
    digest = hashlib.sha256()
    for start in range(0, len(view), STEP):
        piece = view[start : start + STEP]
        if file.readinto(piece) != len(piece):
            raise ValueError("fewer bytes")
        digest.update(piece)
    until, *rest = TRAILER.unpack(file.read(TRAILER.size))
    if rest != [len(view), digest.digest(), MAGIC]:
        raise ValueError("another digest")
    return float(until)


def _warn(message: str) -> None:
    warnings.warn(f"the cache {message}", CacheWarning, stacklevel=2)
