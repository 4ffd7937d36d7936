"""Exchanges: send the bytes of a row, read the responses, and see how the connection is left."""

import re
import socket
import time
from dataclasses import dataclass, field

from tests.server.raw.rows import Row

METHOD = re.compile(rb"^([A-Z]+) \S+ HTTP/1", re.MULTILINE)
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*")
PROBE = b"GET /livez HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
TIMEOUT = 30  # seconds
PAUSE = 0.005  # seconds between pieces, in which the server receives one


@dataclass(frozen=True)
class Response:
    """A response: its status, the lines of its head in lower case, and its body."""

    status: int
    lines: tuple[bytes, ...]
    body: bytes

    def read(self, name: bytes) -> bytes | None:
        """Return the value of a field, or None."""
        values = [line.partition(b": ")[2] for line in self.lines if line.startswith(name + b": ")]
        assert len(values) <= 1, f"{name!r} is sent twice"
        return values[0] if values else None


@dataclass
class Exchange:
    """A connection, and what it has received and not yet read."""

    connection: socket.socket
    received: bytes = b""
    interim: list[int] = field(default_factory=list)

    def send(self, row: Row, pieces: int) -> None:
        """Send the bytes of a row in pieces. The server may close before the last."""
        size = -(-len(row.sent) // pieces)
        for start in range(0, len(row.sent), size):
            if start:
                time.sleep(PAUSE)
            try:
                self.connection.sendall(row.sent[start : start + size])
            except ConnectionError:
                break
        if row.is_cut:
            self.connection.shutdown(socket.SHUT_WR)

    def read_response(self, method: bytes) -> Response:
        """Read the next final response, whose body Content-Length ends (RFC 9112, section 6.3)."""
        head = self._read_until(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        found = STATUS_LINE.fullmatch(first)
        assert found, first
        status = int(found[1])
        if status < 200:
            self.interim.append(status)
            return self.read_response(method)
        response = Response(status, tuple(line.lower() for line in lines), b"")
        length = response.read(b"content-length")
        assert response.read(b"transfer-encoding") is None
        if method == b"HEAD" or status in {204, 304}:
            return response
        assert length is not None, head
        while len(self.received) < int(length):
            self._receive()
        body, self.received = self.received[: int(length)], self.received[int(length) :]
        return Response(status, response.lines, body)

    def is_closed(self) -> bool:
        """Return whether the server has closed, and sent nothing more."""
        return not self.received and not self.connection.recv(1)

    def _read_until(self, end: bytes) -> bytes:
        while end not in self.received:
            self._receive()
        read, _, self.received = self.received.partition(end)
        return read

    def _receive(self) -> None:
        part = self.connection.recv(2**16)
        assert part, f"the connection is closed after {self.received!r}"
        self.received += part


def exchange(port: int, row: Row, pieces: int = 1) -> tuple[list[Response], list[int]]:
    """Send a row, and return its final responses and the statuses of interim ones.

    After the last response the server has to close; or not, and then another request gets its own response.
    """
    methods = METHOD.findall(row.sent)
    methods += [b"GET"] * (len(row.statuses) - len(methods))
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation = Exchange(connection)
        conversation.send(row, pieces)
        responses = [conversation.read_response(method) for method in methods[: len(row.statuses)]]
        if not row.closes:
            connection.sendall(PROBE)
            assert conversation.read_response(b"GET").status == 200
        assert conversation.is_closed()
    return responses, conversation.interim
