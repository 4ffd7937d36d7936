"""The wire: HTTP/1.1 on a kept connection, with little between the clock and the socket."""

import re
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

TIMEOUT = 120.0
BUFFER = 1024 * 1024
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:\s*([0-9]+)\r\n", re.IGNORECASE)
OK = (200, 206)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whose body was read and dropped: seconds to the first byte of the body and to the last."""

    status: int
    length: int
    first: float
    last: float


class Connection:
    """A connection to a port of the loopback address."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(BUFFER)
        self._fill = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, whatever is still to come on it."""
        self._socket.close()

    def ask(self, request: bytes, *, expected: Collection[int] = OK, whole: bool = True) -> Reply:
        """Send a request and read its answer to the end, or only the start. Raises OSError, RuntimeError.

        An answer of another status than those expected is an error; with none, any will do.
        """
        start = time.perf_counter()
        self._socket.sendall(request)
        self._fill = self._receive()
        end = self._find_head_end()
        status, length = self._parse_head(end)
        read = self._fill - end
        if length and not read:
            read = self._receive()
        first = time.perf_counter() - start
        while whole and read < length:
            read += self._receive()
        last = time.perf_counter() - start
        if expected and status not in expected:
            raise RuntimeError(f"{request.split(HEAD_END[:2])[0]!r} was answered with {status}")
        return Reply(status, length, first, last)

    def _find_head_end(self) -> int:
        while (end := self._buffer.find(HEAD_END, 0, self._fill)) < 0:
            self._fill += self._receive(self._fill)
        return end + len(HEAD_END)

    def _parse_head(self, end: int) -> tuple[int, int]:
        found = LENGTH.search(self._buffer, 0, end)
        return int(self._buffer[9:12]), int(found[1]) if found else 0

    def _receive(self, offset: int = 0) -> int:
        read = self._socket.recv_into(memoryview(self._buffer)[offset:])
        if not read:
            raise ConnectionError("the connection was closed before the end of an answer")
        return read


def make_get(path: str, params: Mapping[str, object] | None = None, headers: str = "") -> bytes:
    """Make a GET request.

    >>> make_get("/v1/weights", {"shape": "2,3"}, "Range: bytes=0-9")
    b'GET /v1/weights?shape=2,3 HTTP/1.1\\r\\nHost: localhost\\r\\nRange: bytes=0-9\\r\\n\\r\\n'
    """
    target = f"{path}?{urlencode(params, safe=',:/')}" if params else path
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", *([headers] if headers else []), "", ""]
    return "\r\n".join(lines).encode()


def make_weights(rows: int, columns: int, **params: object) -> bytes:
    """Make the request for a normal float32 tensor in PyTorch's layout, as raw bytes."""
    said = {"shape": f"{rows},{columns}", "layout": "torch", "distribution": "normal", "seed": 42, **params}
    return make_get("/v1/weights", said, "Accept: application/octet-stream")
