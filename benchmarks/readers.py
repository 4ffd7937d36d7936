"""Readers: connections that read weights to nowhere, in processes of their own.

As a module this is such a process: one thread that waits for all its sockets at once. It says `connected`,
waits for a line, asks, says `open` when all have their first bytes, and last how long it read and how much.
"""

import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import cast

from benchmarks.processes import ROOT, clean_environment
from benchmarks.wire import make_weights

BUFFER = 256 * 1024  # stays in the second-level cache
ITEMSIZE = 4
TASTE = 4096  # bytes that a stalled reader takes before it stops


@dataclass(frozen=True, slots=True)
class Order:
    """What a process of readers is to read: so many tensors of rows × columns, some of which stall.

    `first` numbers them, so that no two readers of a server read the same tensor.
    """

    port: int
    readers: int
    rows: int
    columns: int
    stalled: int = 0
    first: int = 0


class Readers:
    """Processes of readers that are at it."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def wait_until_open(self) -> None:
        """Wait until each reader has its first bytes. Raises RuntimeError."""
        for process in self._processes:
            assert process.stdout
            if process.stdout.readline().strip() != "open":
                raise RuntimeError("a process of readers ended early")

    def start(self) -> None:
        """Let them send their requests."""
        for process in self._processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()

    def wait_until_read(self) -> float:
        """Wait for all bodies and return the seconds of the slowest process. Raises RuntimeError."""
        self.wait_until_open()
        ends = [json.loads(process.stdout.readline()) for process in self._processes if process.stdout]
        if not all(read > wanted for _, read, wanted in ends):
            raise RuntimeError(f"bodies broke off: {ends}")
        return float(max(seconds for seconds, _, _ in ends))


@contextmanager
def run_readers(orders: list[Order]) -> Iterator[Readers]:
    """Run a process for each order, connected but silent, and end them afterwards."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_run(order)) for order in orders]
        for process in processes:
            assert process.stdout
            if process.stdout.readline().strip() != "connected":
                raise RuntimeError("a process of readers could not connect")
        yield Readers(processes)


@contextmanager
def _run(order: Order) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.readers", json.dumps(asdict(order))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=clean_environment(),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def connect(order: Order) -> list[socket.socket]:
    """Open the connections."""
    return [socket.create_connection(("127.0.0.1", order.port)) for _ in range(order.readers)]


def ask(sockets: list[socket.socket], order: Order) -> None:
    """Request a tensor on each connection; the server is to close it at the end."""
    for number, sock in enumerate(sockets, order.first):
        request = make_weights(order.rows, order.columns, name=f"reader/{number}")
        sock.sendall(request[:-2] + b"Connection: close\r\n\r\n")
        sock.settimeout(0)


def read(sockets: list[socket.socket], order: Order) -> int:
    """Read from all to the end, but from the stalled only a taste; return how many bytes, heads included."""
    buffer, total = bytearray(BUFFER), 0
    silent = set(sockets)
    stalling = dict.fromkeys(sockets[: order.stalled], TASTE)
    left = len(sockets)
    with selectors.DefaultSelector() as selector:
        for sock in sockets:
            selector.register(sock, selectors.EVENT_READ)
        while left:
            for key, _ in selector.select():
                sock = cast("socket.socket", key.fileobj)
                count = sock.recv_into(buffer, stalling.get(sock, 0))
                total += count
                if sock in silent:
                    silent.discard(sock)
                    if not silent:
                        print("open", flush=True)
                if sock in stalling or not count:
                    selector.unregister(sock)
                    left -= not count
    return total


def main() -> None:
    """Connect, wait for the word, read."""
    order = Order(**json.loads(sys.argv[1]))
    sockets = connect(order)
    print("connected", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    ask(sockets, order)
    total = read(sockets, order)
    wanted = order.readers * order.rows * order.columns * ITEMSIZE
    print(json.dumps([time.perf_counter() - start, total, wanted]), flush=True)


if __name__ == "__main__":
    main()
