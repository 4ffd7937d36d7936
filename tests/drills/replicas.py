"""Replicas of the service behind haproxy, and a thread that kills one after the other."""

import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.postgres import find_free_port
from tests.servers import LONGEST_START, wait_until

# A server that refuses or cuts a connection is down at once, and up again with its next probe. A request that
# got no response is sent to another server, unless it may have changed something.
CONFIGURATION = """
global
    maxconn 2000
    log stdout format raw local0
defaults
    mode http
    log global
    log-format "%ST %ts %rc %HM [%[capture.req.hdr(0)]] [%[capture.req.hdr(1)]]"
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout queue 5s
    retries 5
    option redispatch 1
    retry-on conn-failure empty-response response-timeout
frontend all
    bind 127.0.0.1:{port}
    http-request capture req.hdr(User-Agent) len 40
    http-request capture req.hdr(Range) len 40
    default_backend replicas
backend replicas
    balance roundrobin
    option httpchk GET /readyz
    http-request disable-l7-retry unless METH_GET or {{ method HEAD }}
    default-server check inter 300ms fastinter 100ms downinter 300ms fall 2 rise 1
    default-server observe layer4 error-limit 1 on-error mark-down
{servers}
"""
LOG = re.compile(r"^(\d+|-1) (\w|-)(\w|-) \+?(\d+) \S+ \[(.*?)\] \[(.*?)\]$")


@dataclass
class Replica:
    """A service on a port, whose process is killed and started again."""

    folder: Path
    environment: dict[str, str]
    port: int = field(default_factory=find_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The log of all its processes."""
        return self.folder / f"{self.port}.log"

    def start(self) -> None:
        """Start a process."""
        command = [sys.executable, "-m", "service", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, **self.environment}, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """Kill the process."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def is_ready(self) -> bool:
        """Return whether it serves."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@dataclass
class Killer:
    """Kills replicas at random moments. One other is ready at each kill."""

    replicas: list[Replica]
    pause: tuple[float, float] = (1.0, 4.0)
    kills: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    numbers: random.Random = field(default_factory=lambda: random.Random(1))

    def run(self) -> None:
        """Kill and start again until stopped."""
        while not self.stopped.wait(self.numbers.uniform(*self.pause)):
            ready = [replica for replica in self.replicas if replica.is_ready()]
            if len(ready) > 1:
                victim = self.numbers.choice(ready)
                victim.kill()
                victim.start()
                self.kills += 1


@contextmanager
def run_replicas(folder: Path, count: int, environment: dict[str, str]) -> Iterator[list[Replica]]:
    """Run replicas, and kill them at the end."""
    replicas = [Replica(folder, environment) for _ in range(count)]
    with ExitStack() as stack:
        for replica in replicas:
            stack.callback(replica.kill)
            replica.start()
        for replica in replicas:
            wait_until(replica.is_ready, LONGEST_START)
        yield replicas


@contextmanager
def run_haproxy(folder: Path, replicas: list[Replica]) -> Iterator[str]:
    """Run haproxy in front of replicas, and return its URL. Its log is `haproxy.log`."""
    port = find_free_port()
    servers = "\n".join(f"    server r{replica.port} 127.0.0.1:{replica.port}" for replica in replicas)
    path = folder / "haproxy.cfg"
    path.write_text(CONFIGURATION.format(port=port, servers=servers), "ascii")
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", str(path)], stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is None and is_served(url))
        time.sleep(1)  # until each replica was probed
        yield url
    finally:
        process.terminate()
        process.wait()


def is_served(url: str) -> bool:
    """Return whether a URL is served."""
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def count_log(folder: Path) -> Counter[str]:
    """Count the requests in haproxy's log, those that a kill cut, and those for the rest of a body."""
    counts: Counter[str] = Counter()
    for line in (folder / "haproxy.log").read_text("utf-8").splitlines():
        if not (found := LOG.match(line)):
            continue
        status, cause, phase, retries, _agent, byte_range = found.groups()
        counts["requests"] += 1
        counts["cut by a kill"] += cause == "S" and phase == "D"
        counts["sent again by haproxy"] += int(retries) > 0
        counts["resumed"] += bool(re.fullmatch(r"bytes=[1-9]\d*-", byte_range))
        # Other codes are of clients that left or sent nothing, and of haproxy itself.
        counts[f"status {status}" if cause == "-" else f"ended early: {status} {cause}{phase}"] += 1
    return counts
