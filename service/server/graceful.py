"""A server that first reports that it is not ready, then stops, and always ends in time."""

import os
import signal
import socket
import threading
from time import monotonic, sleep
from types import FrameType

from uvicorn.config import Config
from uvicorn.server import Server

from service.api.metrics import READY_WORKERS

# uvicorn notices within 0.1 s that it must stop, and waits 0.1 s before the shutdown timeout starts. The rest
# is for the cancelled responses and the end of the interpreter.
EXIT_GRACE = 0.5  # seconds


class GracefulServer(Server):
    """uvicorn's server with a drain delay, and a deadline for the whole shutdown.

    On SIGTERM or SIGINT it sets `draining` in the ASGI state of requests, serves for the drain delay, then
    shuts down. The process exits at the deadline even if a thread is still at work: Python would wait for it.
    """

    def __init__(self, config: Config, drain_delay: float) -> None:
        super().__init__(config)
        self._drain_delay = drain_delay
        self._exit_at = float("inf")
        self._has_ticked = False
        self._is_stopping = threading.Event()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal or `stop`."""
        threading.Thread(target=self._exit_in_time, name="deadline", daemon=True).start()
        super().run(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  # a signal handler
        """Drain and shut down. A second SIGINT skips the delay and cuts off the running responses."""
        if not (self._captured_signals or self._is_stopping.is_set()):
            self._captured_signals.append(sig)
            self.stop(self._drain_delay)
        elif sig == signal.SIGINT:
            self.should_exit = self.force_exit = True

    def stop(self, delay: float = 0) -> None:
        """Shut down after a delay in seconds, or at once if the server has not started to listen."""
        if self.started:
            self._exit_at = monotonic() + delay
            self.lifespan.state["draining"] = True
        else:
            self._exit_at = monotonic()
        self.should_exit = self._exit_at <= monotonic()
        self._is_stopping.set()

    async def on_tick(self, counter: int) -> bool:
        """Return whether to shut down. uvicorn calls this every 0.1 s."""
        self._has_ticked = True
        if self._is_stopping.is_set():
            READY_WORKERS.set(0)  # not in `stop`: a signal handler must not wait for a lock
        if monotonic() >= self._exit_at:
            self.should_exit = True
        return await super().on_tick(counter)

    def has_progressed(self) -> bool:
        """Return whether the event loop ran since the last call, or the server starts or shuts down."""
        has_ticked, self._has_ticked = self._has_ticked, False
        return has_ticked or not self.started or self.should_exit

    def _exit_in_time(self) -> None:
        self._is_stopping.wait()
        delay = max(0.0, self._exit_at - monotonic())
        sleep(delay + (self.config.timeout_graceful_shutdown or 0) + EXIT_GRACE)
        os._exit(0)
