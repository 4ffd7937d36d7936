"""Locks: one process at a time, through a file; the system lets go of a lock whose holder dies."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

BUSY = {errno.EACCES, errno.EAGAIN}


@contextmanager
def hold_lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a file, which is made if need be, while a block runs; say whether it is held.

    Where the system or the file system has no locks there is nothing to hold, and the answer is yes: whoever
    writes does so by renaming whole files, and a lock only spares the work of doing it twice. Without
    `wait`, the answer is no while someone else has it. Raises OSError where the file cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, hold_lock(Path(folder) / "lock") as held:
    ...     held
    True
    """
    with ExitStack() as stack:
        # Appending makes the file and leaves what is in it.
        file = stack.enter_context(path.open("ab"))
        held = _lock(file.fileno(), wait=wait)
        while held and not _is_at(path, file.fileno()):
            # Whoever held it before has renamed or removed it: what is locked is another file now.
            file = stack.enter_context(path.open("ab"))
            held = _lock(file.fileno(), wait=wait)
        try:
            yield held
        finally:
            if held:
                _unlock(file.fileno())


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lock(descriptor: int, *, wait: bool) -> bool:
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in BUSY
    return True


def _unlock(descriptor: int) -> None:
    # Closing the file would not do: a child that was forked meanwhile has it open too.
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
