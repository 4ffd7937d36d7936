"""Cache: tensors and responses on disk. Processes that need the same tensor download it once.

An entry is one file: its bytes, then a trailer with their expiry time, size and digest. It is written to a
temporary file and renamed. Readers check the digest, so a damaged entry is never used, and writers need no
fsync. A failure of the cache is not an error: the bytes come from the service, with a CacheWarning.
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
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TypeVar

import httpx

from weightinit.errors import CacheWarning, DigestMismatch, NotFound, NotWeightinit, Retired
from weightinit.settings import Settings
from weightinit.transport.connection import Connection
from weightinit.transport.requests import Query
from weightinit.transport.responses import (
    MAX_MODEL_BYTES,
    may_be_stored,
    read_json_text,
    read_lifetime,
    replay,
)
from weightinit.transport.session import write_url
from weightinit.transport.sinks import write_all

# seconds since 1970, size in bytes, SHA-256, and the format with its version
TRAILER = struct.Struct("<dQ32s8s")
MAGIC = b"weights1"
STEP = 2**20

ENTRY = ".weights"
TEMPORARY = ".tmp"
SHARD = 2  # digits of a key: entries that share them share a lock, so that there are few lock files


T = TypeVar("T")


def compute_key(endpoints: Sequence[str], query: Query) -> str:
    """Return the key of an entry: a digest of the query and of the endpoints that it may be sent to."""
    identity = [sorted(endpoints), query.path, sorted(query.params.items())]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the cache: its key, its size in bytes, and when it was last used, in seconds since 1970."""

    key: str
    nbytes: int
    used: float


class Cache:
    """A directory of entries of at most `limit` bytes in total; the least recently used are removed first.

    When offline, stale entries are used too, as RFC 9111, section 4.2.4, allows without a connection.
    """

    def __init__(self, directory: Path, limit: int, *, offline: bool = False) -> None:
        self._directory = directory
        self._limit = limit
        self._offline = offline

    def fill(self, key: str, view: memoryview, download: Callable[[], float]) -> None:
        """Fill memory from an entry, or download it and store the entry.

        `download` fills the same memory and returns for how many seconds it may be cached; its exceptions
        propagate. While one process downloads an entry, others that need it wait.
        """
        if self._load(key, view) is not None:
            return
        if self._offline:
            download()  # raises Offline
            return
        with self._lock(key) as is_locked:
            if is_locked and self._load(key, view) is not None:
                return
            lifetime = download()
            if is_locked and lifetime > 0 and len(view) <= self._limit:
                self._store(key, view, time.time() + lifetime)

    def get(self, key: str) -> bytes | None:
        """Return the bytes of an entry; None if there is none, or it is stale."""
        found = self._load(key)
        return None if found is None else bytes(found)

    def put(self, key: str, data: bytes, lifetime: float) -> None:
        """Store an entry that is fresh for `lifetime` seconds."""
        with self._lock(key) as is_locked:
            if is_locked and len(data) <= self._limit:
                self._store(key, memoryview(data), time.time() + lifetime)

    def drop(self, key: str) -> bool:
        """Remove an entry; return whether it is gone. On Windows, an entry that is being read stays."""
        try:
            (self._directory / (key + ENTRY)).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def entries(self) -> list[Entry]:
        """List the entries, the least recently used first."""
        entries = []
        for path in self._directory.glob("*" + ENTRY):
            with suppress(FileNotFoundError):
                status = path.stat()
                entries.append(Entry(path.name.removesuffix(ENTRY), status.st_size, status.st_mtime))
        return sorted(entries, key=lambda entry: (entry.used, entry.key))

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

    def _load(self, key: str, view: memoryview | None = None) -> memoryview | None:
        """Return the bytes of an entry, in `view` if given; None if there is none that may be used."""
        path = self._directory / (key + ENTRY)
        try:
            with path.open("rb", buffering=0) as file:
                if view is None:
                    size = os.fstat(file.fileno()).st_size - TRAILER.size
                    view = memoryview(bytearray(max(0, size)))
                until = _read_entry(file, view)
                os.utime(file.fileno())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            _warn(f"entry {path} cannot be used ({error}) and is downloaded again")
            return None
        return view if self._offline or time.time() < until else None

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
            # After success it was renamed already.
            with suppress(OSError):
                temporary.unlink()

    def _sweep(self, key: str) -> None:
        """Remove the temporary files of dead writers: those whose lock is free."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - slow to import, and needed to write only

        for path in self._directory.glob("*" + TEMPORARY):
            if path.name[:SHARD] == key[:SHARD]:
                path.unlink(missing_ok=True)
                continue
            with suppress(Timeout), FileLock(self._find_lock(path.name), blocking=False):
                path.unlink(missing_ok=True)

    def _evict(self, key: str) -> None:
        """Remove the least recently used entries, except this one, until the rest is within the limit."""
        entries = self.entries()
        excess = sum(entry.nbytes for entry in entries) - self._limit
        for entry in entries:
            if excess <= 0:
                return
            if entry.key != key:
                self.drop(entry.key)
                excess -= entry.nbytes

    def _find_lock(self, key: str) -> Path:
        return self._directory / f"{key[:SHARD]}.lock"


def _read_entry(file: FileIO, view: memoryview) -> float:
    """Read an entry into memory, and return its expiry time. Raises ValueError if it is damaged."""
    if os.fstat(file.fileno()).st_size != len(view) + TRAILER.size:
        raise ValueError("wrong size")
    digest = hashlib.sha256()
    for start in range(0, len(view), STEP):
        piece = view[start : start + STEP]
        if file.readinto(piece) != len(piece):
            raise ValueError("too few bytes")
        digest.update(piece)
    until, *rest = TRAILER.unpack(file.read(TRAILER.size))
    if rest != [len(view), digest.digest(), MAGIC]:
        raise ValueError("wrong digest")
    return float(until)


def _warn(message: str) -> None:
    warnings.warn(f"the cache {message}", CacheWarning, stacklevel=2)


class CachedConnection(Connection):
    """A connection with a cache, if the settings have one."""

    def __init__(self, settings: Settings, *, progress: bool | None = None) -> None:
        super().__init__(settings, progress=progress)
        directory, limit = settings.cache, settings.cache_limit
        self._cache = Cache(directory, limit, offline=settings.offline) if directory else None

    def ask(
        self, query: Query, read: Callable[[httpx.Response], T], endpoints: Sequence[str] | None = None
    ) -> T:
        """Return a response from the cache, or request and cache it.

        `endpoints` are part of the key: those of the settings by default, none if every service sends the
        same.
        """
        cache = self._cache
        if not cache:
            return self.exchange(query, read)
        key = compute_key(self._settings.endpoints if endpoints is None else endpoints, query)
        kept = cache.get(key)
        if kept is not None:
            # An entry of another version of the client may not be readable.
            with suppress(NotWeightinit, DigestMismatch):
                return read(replay(kept, write_url(self._settings.endpoints[0], query)))

        def take(response: httpx.Response) -> T:
            text = read_json_text(response, MAX_MODEL_BYTES)
            answer = read(replay(text, response.url))
            if may_be_stored(response):
                cache.put(key, text, read_lifetime(response))
            return answer

        try:
            return self.exchange(query, take)
        except (NotFound, Retired):
            cache.drop(key)
            raise
