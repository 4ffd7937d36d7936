"""A server process: the supervisor's end, which pings it, and its own, which answers."""

import logging
import os
import shutil
import signal
import socket
import threading
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from time import monotonic

from uvicorn.config import Config

from service.api.metrics import FOLDER
from service.server.graceful import GracefulServer

HEALTHCHECK_TIMEOUT = 10.0  # seconds in which the event loop of a worker must run
START_TIMEOUT = 60.0  # seconds in which a new worker must answer first, even on a busy machine
PING, RETIRE = b"ping", b"retire"

logger = logging.getLogger("uvicorn.error")


@dataclass(eq=False)
class Worker:
    """A server process, and the pipe over which it answers pings."""

    number: int
    process: SpawnProcess
    connection: Connection
    replaces: "Worker | None" = None  # the worker to retire when this one serves
    started_at: float = field(default_factory=monotonic)
    progressed_at: float = field(default_factory=monotonic)  # its event loop ran
    is_asked: bool = False  # a ping is not answered yet
    has_answered: bool = False
    is_serving: bool = False
    kill_at: float = float("inf")

    @property
    def is_leaving(self) -> bool:
        """Return whether the worker was told to shut down."""
        return self.kill_at < float("inf")

    def check(self) -> None:
        """Send a ping. Kill the worker if it hangs or has reached its deadline."""
        self._receive()
        now = monotonic()
        timeout = HEALTHCHECK_TIMEOUT if self.has_answered else START_TIMEOUT
        if now >= self.kill_at:
            self.process.kill()
        elif now - self.progressed_at > timeout:
            logger.error("Worker [%d] hangs: killed", self.process.pid)
            self.process.kill()
        elif not self.is_asked:
            self.is_asked = True
            self.send(PING)

    def send(self, message: bytes) -> None:
        """Send a message, unless the process has ended."""
        try:
            self.connection.send_bytes(message)
        except OSError:
            return  # its sentinel reports the end

    def _receive(self) -> None:
        try:
            while self.connection.poll():
                self.is_serving, has_progressed = self.connection.recv()
                self.has_answered, self.is_asked = True, False
                if has_progressed:
                    self.progressed_at = monotonic()
        except (EOFError, OSError):
            return  # its sentinel reports the end


def run_worker(
    config: Config, drain_delay: float, sockets: list[socket.socket], connection: Connection
) -> None:
    """Serve in a worker process."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of a terminal, sent to all its processes
    config.configure_logging()
    server = GracefulServer(config, drain_delay)
    threading.Thread(target=answer, args=(server, connection), name="supervisor", daemon=True).start()
    try:
        server.run(sockets)
    except KeyboardInterrupt:
        return


def answer(server: GracefulServer, connection: Connection) -> None:
    """Answer the supervisor. End the process when the supervisor is gone."""
    try:
        while True:
            if connection.recv_bytes() == RETIRE:
                server.stop()
            connection.send((server.started, server.has_progressed()))
    except (EOFError, OSError):
        if folder := os.environ.get(FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)
