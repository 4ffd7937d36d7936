"""Cache: tensors and answers kept on disk, each tensor downloaded once however many processes want it.

An entry is one file: its bytes, then a trailer with their size, digest and the time until which they are used
without asking. It appears whole, by a rename. Whoever reads it checks the digest, so that nothing is taken
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
SHARD = 2  # digits of a key: tensors that begin alike share a lock, so that there are few lock files


T = TypeVar("T")


def compute_key(endpoints: Sequence[str], query: Query) -> str:
    """Compute the name of an entry: a digest of the query and of the services that it may go to."""
    identity = [sorted(endpoints), query.path, sorted(query.params.items())]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the cache: its key, its size in bytes, and when it was last used, in seconds since 1970."""

    key: str
    nbytes: int
    used: float


class Cache:
    """A directory of entries, of at most `limit` bytes in all; the least recently used go first.

    An offline one uses entries of any age, as RFC 9111, section 4.2.4, allows where nobody can be asked.
    """

    def __init__(self, directory: Path, limit: int, *, offline: bool = False) -> None:
        self._directory = directory
        self._limit = limit
        self._offline = offline

    def fill(self, key: str, view: memoryview, download: Callable[[], float]) -> None:
        """Fill memory with an entry, or by downloading it, which then becomes the entry.

        `download` fills the same memory and returns for how many seconds it may be kept; what it raises is
        passed on. While one process downloads, others that want the same entry wait for it.
        """
        if self._load(key, view) is not None:
            return
        if self._offline:
            download()  # which says that it must not
            return
        with self._lock(key) as is_locked:
            if is_locked and self._load(key, view) is not None:
                return
            lifetime = download()
            if is_locked and lifetime > 0 and len(view) <= self._limit:
                self._store(key, view, time.time() + lifetime)

    def get(self, key: str) -> bytes | None:
        """Return an entry that is not long; None where there is none, or only one to be asked for again."""
        found = self._load(key)
        return None if found is None else bytes(found)

    def put(self, key: str, data: bytes, lifetime: float) -> None:
        """Make an entry, to be used without asking for some seconds, and offline at any time."""
        with self._lock(key) as is_locked:
            if is_locked and len(data) <= self._limit:
                self._store(key, memoryview(data), time.time() + lifetime)

    def drop(self, key: str) -> bool:
        """Remove an entry; return whether it is gone: what is being read stays, on Windows."""
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
        """Load an entry, into memory of its size where that is given; None where there is none to be used."""
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


class CachedConnection(Connection):
    """A connection with a cache, where the settings have one."""

    def __init__(self, settings: Settings, *, progress: bool | None = None) -> None:
        super().__init__(settings, progress=progress)
        directory, limit = settings.cache, settings.cache_limit
        self._cache = Cache(directory, limit, offline=settings.offline) if directory else None

    def ask(
        self, query: Query, read: Callable[[httpx.Response], T], endpoints: Sequence[str] | None = None
    ) -> T:
        """Read an answer that is kept, or ask for it and keep it.

        `endpoints` are those whose answer it is: ours, or none where it is the same from everybody.
        """
        cache = self._cache
        if not cache:
            return self.exchange(query, read)
        key = compute_key(self._settings.endpoints if endpoints is None else endpoints, query)
        kept = cache.get(key)
        if kept is not None:
            # Another version of the client may have kept what this one cannot read.
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
