"""Servers: the service and its peers on the loopback address, each in a process of its own."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import ROOT, find_free_port, run_process
from benchmarks.wire import Connection, make_get

STARTED_WITHIN = 120.0  # seconds: a first start compiles the kernels
POLL = 0.002


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> Connection:
        """Open a connection."""
        return Connection(self.port)


def find_python() -> str:
    """Return the interpreter that scripts/serve would take, or this one where there is none."""
    python = ROOT / ".venv" / "serve" / "bin" / "python"
    return str(python) if python.exists() else sys.executable


@contextmanager
def run_server(command: Sequence[str], port: int, path: str) -> Iterator[Server]:
    """Run a server, from the moment that a path is answered with 200. Raises TimeoutError, RuntimeError."""
    with run_process(command) as process:
        deadline = time.monotonic() + STARTED_WITHIN
        while not is_answered(port, path):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{' '.join(command)} did not answer within {STARTED_WITHIN:g} s")
            time.sleep(POLL)
        yield Server(port, process.pid)


def is_answered(port: int, path: str) -> bool:
    """Tell whether a path is answered with 200."""
    try:
        with Connection(port) as connection:
            return connection.ask(make_get(path), expected=()).status == 200
    except OSError:
        return False


@contextmanager
def run_service() -> Iterator[Server]:
    """Run the service as `python -m service` does, with its default settings but for the port."""
    port = find_free_port()
    with run_server([find_python(), "-m", "service", "--port", str(port)], port, "/readyz") as server:
        yield server


@contextmanager
def run_constant() -> Iterator[Server]:
    """Run the application of benchmarks/peers/constant.py under uvicorn, set as the service sets it."""
    port = find_free_port()
    options = (
        "--loop uvloop --http httptools --ws none --workers 1 --no-access-log --no-server-header "
        f"--timeout-keep-alive 75 --log-level info --port {port}"
    )
    command = [find_python(), "-m", "uvicorn", "benchmarks.peers.constant:app", *options.split()]
    with run_server(command, port, "/livez") as server:
        yield server


@contextmanager
def run_nginx(folder: Path, executable: str, config: str, port: int) -> Iterator[Server]:
    """Run nginx in the foreground, with all that it writes in a folder."""
    path = folder / "nginx.conf"
    path.write_text(config)
    command = [executable, "-p", str(folder), "-c", str(path), "-e", str(folder / "error.log")]
    with run_server(command, port, "/livez") as server:
        yield server
