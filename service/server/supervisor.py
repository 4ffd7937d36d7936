"""The supervisor of several server processes: it replaces those that end or hang.

uvicorn's supervisor waits for one worker after the other to answer a ping, so it notices the end of a process
only after the timeout of the ping. This one watches all workers at once.
"""

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import wait
from time import monotonic

from uvicorn.config import STARTUP_FAILURE, Config

from service.api.metrics import NUMBER, forget_process
from service.server.graceful import EXIT_GRACE, GracefulServer
from service.server.worker import RETIRE, START_TIMEOUT, Worker, run_worker

PING_INTERVAL = 0.5  # seconds
PAUSE = 2.0  # seconds; if the supervisor itself did not run for longer, the workers may not have run either
KILL_GRACE = EXIT_GRACE + 0.1  # seconds after the shutdown timeout; workers exit before that
STABLE_TIME = 10.0  # seconds; a worker that ends sooner is replaced after a delay
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds; the delay doubles

logger = logging.getLogger("uvicorn.error")
spawn = get_context("spawn")


class Supervisor:
    """Starts the workers, replaces those that end or hang, and stops them all at the end.

    SIGTERM and SIGINT stop the service, SIGHUP restarts the workers one by one, SIGTTIN and SIGTTOU add and
    remove a worker.
    """

    def __init__(self, config: Config, drain_delay: float) -> None:
        self._config, self._drain_delay = config, drain_delay
        self._size = config.workers
        self._workers: list[Worker] = []
        self._outdated: list[Worker] = []  # to be restarted
        self._sockets: list[socket.socket] = []
        self._status = 0
        self._is_stopping = False
        self._failures = 0  # workers in succession that ended early
        self._start_at = monotonic()  # no worker is replaced before

    def run(self) -> int:
        """Run the workers until a signal. Return the exit status of the service."""
        self._sockets = [self._config.bind_socket()]
        logger.info("Started parent process [%d]", os.getpid())
        with receive_signals() as signals:
            while self._workers or not self._is_stopping:
                for number in read_signals(signals):
                    self._handle(number)
                for worker in self._workers:
                    worker.check()
                if not self._is_stopping:
                    self._adjust()
                    self._restart()
                self._wait(signals)
                for worker in [worker for worker in self._workers if worker.process.exitcode is not None]:
                    self._reap(worker)
        logger.info("Stopping parent process [%d]", os.getpid())
        return self._status

    def _wait(self, signals: socket.socket) -> None:
        """Wait for a signal, the end of a worker, or the time to do something."""
        timeout, start = self._find_timeout(), monotonic()
        ended = wait([signals, *(worker.process.sentinel for worker in self._workers)], timeout)
        for worker in self._workers:
            if worker.process.sentinel in ended:
                worker.process.join()  # the sentinel closes a moment before the process can be reaped
        now = monotonic()
        if now - start > timeout + PAUSE:  # for example after `docker pause`
            for worker in self._workers:
                worker.progressed_at = now

    def _find_timeout(self) -> float:
        """Return the seconds until the next ping, deadline or replacement."""
        now = monotonic()
        times = [now + PING_INTERVAL, *(worker.kill_at for worker in self._workers)]
        if self._start_at > now:
            times.append(self._start_at)
        return max(0.01, min(times) - now)

    def _start(self, replaces: Worker | None = None) -> None:
        """Start a worker with the lowest free number: it continues the counters of the last one with it."""
        number = min(set(range(len(self._workers) + 1)) - {worker.number for worker in self._workers})
        os.environ[NUMBER] = str(number)
        ours, theirs = spawn.Pipe()
        arguments = (self._config, self._drain_delay, self._sockets, theirs)
        process = spawn.Process(target=run_worker, args=arguments)
        process.start()
        theirs.close()  # so that each end notices when the other process is gone
        self._workers.append(Worker(number, process, ours, replaces))

    def _reap(self, worker: Worker) -> None:
        """Remove a worker that has ended, and decide when its replacement starts."""
        self._workers.remove(worker)
        worker.connection.close()
        forget_process(worker.number)
        code, pid = worker.process.exitcode, worker.process.pid
        for other in self._workers:
            if other.replaces is worker:
                other.replaces = None
        if worker.is_leaving:
            return
        if worker.replaces:
            logger.error("New worker [%d] ended with exit code %s: the restart is aborted", pid, code)
            self._outdated.clear()
        elif code == STARTUP_FAILURE:
            logger.error("Worker [%d] failed to start: the service stops", pid)
            self._status = STARTUP_FAILURE
            self._stop()
        else:
            self._delay_start(monotonic() - worker.started_at)
            delay = max(0.0, self._start_at - monotonic())
            logger.error("Worker [%d] ended with exit code %s; replaced in %.1f s", pid, code, delay)

    def _delay_start(self, lifetime: float) -> None:
        """Delay the next start if a worker ended early: twice as long as before the last one."""
        now = monotonic()
        if lifetime >= STABLE_TIME:
            self._failures, self._start_at = 0, now
        elif now >= self._start_at:  # otherwise a replacement is due already
            self._start_at = now + min(FIRST_DELAY * 2**self._failures, LONGEST_DELAY)
            self._failures = min(self._failures + 1, 10)

    def _adjust(self) -> None:
        """Start or retire workers until as many serve as are wanted."""
        members = [worker for worker in self._workers if not worker.is_leaving and not worker.replaces]
        for worker in members[self._size :]:
            self._retire(worker)
        if monotonic() >= self._start_at:
            for _ in range(self._size - len(members)):
                self._start()

    def _restart(self) -> None:
        """Retire a worker whose replacement serves, or else start the replacement of the next."""
        for worker in self._workers:
            if worker.replaces and worker.is_serving:
                self._retire(worker.replaces)
                worker.replaces = None
            elif worker.replaces and monotonic() - worker.started_at > START_TIMEOUT:
                worker.process.kill()
        if not any(worker.replaces or worker.is_leaving for worker in self._workers):
            while self._outdated:
                worker = self._outdated.pop(0)
                if worker in self._workers:
                    self._start(worker)
                    break

    def _retire(self, worker: Worker) -> None:
        """Shut a worker down without the drain delay: the others take the connections."""
        worker.kill_at = monotonic() + (self._config.timeout_graceful_shutdown or 0) + KILL_GRACE
        worker.send(RETIRE)

    def _stop(self) -> None:
        self._is_stopping = True
        deadline = self._drain_delay + (self._config.timeout_graceful_shutdown or 0) + KILL_GRACE
        for worker in self._workers:
            worker.kill_at = min(worker.kill_at, monotonic() + deadline)
            worker.process.terminate()

    def _handle(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._is_stopping:
            if number == signal.SIGINT:  # cuts off the running responses
                for worker in self._workers:
                    if worker.process.pid:
                        os.kill(worker.process.pid, signal.SIGINT)
            return
        if number == signal.SIGHUP:
            logger.info("Received SIGHUP: restarting the workers one by one")
            self._outdated = [worker for worker in self._workers if not worker.is_leaving]
        elif number == signal.SIGTTIN:
            self._size += 1
            logger.info("Received SIGTTIN: %d workers", self._size)
        elif number == signal.SIGTTOU:
            self._size = max(1, self._size - 1)
            logger.info("Received SIGTTOU: %d workers", self._size)
        else:
            logger.info("Received %s: stopping", name)
            self._stop()


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU)


@contextmanager
def receive_signals() -> Iterator[socket.socket]:
    """Give a socket from which to read the numbers of the signals that arrive, a byte each."""
    reader, writer = socket.socketpair()
    reader.settimeout(0)
    writer.settimeout(0)
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(writer.fileno())
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        reader.close()
        writer.close()


def read_signals(signals: socket.socket) -> bytes:
    """Read the numbers of the signals that have arrived."""
    try:
        return signals.recv(4096)
    except BlockingIOError:
        return b""


def run(config: Config, drain_delay: float) -> int:
    """Serve until SIGTERM or SIGINT, in this process or in workers. Return the exit status."""
    if config.workers > 1:
        return Supervisor(config, drain_delay).run()
    server = GracefulServer(config, drain_delay)
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    return 0 if server.started else STARTUP_FAILURE
