"""Interrupts: how a task tells the thread that works for it to stop."""

import threading
import time
from contextvars import ContextVar

from weightinit.errors import WeightinitError

# Set for a thread by whoever may give up waiting for it; asyncio.to_thread hands it over.
stopping: ContextVar[threading.Event | None] = ContextVar("stopping", default=None)


def check_interrupt() -> None:
    """Raise WeightinitError where nobody waits for this any longer."""
    event = stopping.get()
    if event is not None and event.is_set():
        raise WeightinitError("the task that asked was cancelled")


def pause(seconds: float) -> None:
    """Sleep, or until nobody waits any longer, which raises WeightinitError."""
    event = stopping.get()
    if event is None:
        time.sleep(seconds)
    else:
        event.wait(seconds)
        check_interrupt()
