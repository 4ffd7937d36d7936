"""Run the service in a process of its own, on a free port, as its users do."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ADDRESS = re.compile(r"running on (https?://[^ ]+:(\d+))")
LONGEST_START = 120  # seconds; the first start of all compiles the kernels


@dataclass
class Server:
    """A running server; `log` has its lines so far."""

    process: subprocess.Popen[str]
    url: str = ""
    port: int = 0
    log: list[str] = field(default_factory=list)
    listening: threading.Event = field(default_factory=threading.Event)

    def read_log(self) -> None:
        """Collect the log's lines, and the address that one of them contains."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            if found := ADDRESS.search(line):
                self.url, self.port = found[1], int(found[2])
                self.listening.set()
        self.listening.set()

    def wait_until_ready(self) -> None:
        """Wait until the self-check has passed."""
        assert self.listening.wait(LONGEST_START), "the server does not listen"
        assert self.url, f"the server ended: {''.join(self.log)}"
        wait_until(self.is_ready, LONGEST_START)

    def is_ready(self) -> bool:
        """Return whether the self-check has passed; False while no process listens yet."""
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.ConnectError:
            return False

    def measure_memory(self) -> int:
        """Return the resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def read_metric(self, name: str) -> float:
        """Return a metric's sum over all labels."""
        text = httpx.get(f"{self.url}/metrics").text
        return sum(float(found[1]) for found in re.finditer(rf"(?m)^{name}(?:{{.*}})? (\S+)$", text))


@contextmanager
def run_server(*arguments: str, **environment: str) -> Iterator[Server]:
    """Run the service with arguments and environment variables, and stop it at the end.

    Published models are deleted with it, unless a data directory or a database is given.
    """
    with tempfile.TemporaryDirectory(prefix="weightinit-data-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "--port", "0", *arguments],
            env={**os.environ, "WEIGHTINIT_DATA_DIRECTORY": folder, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        server = Server(process)
        reader = threading.Thread(target=server.read_log, daemon=True)
        reader.start()
        try:
            server.wait_until_ready()
            yield server
        finally:
            process.terminate()
            process.wait(60)
            reader.join(60)
            assert process.stdout is not None
            process.stdout.close()


def wait_until(is_so, seconds=30.0) -> None:
    """Wait until a condition holds; fail after a time limit."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)
