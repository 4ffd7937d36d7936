"""A server of known bytes that fails on request.

It uses HTTP over plain sockets, so that it can break any rule of the protocol. Each request takes the next
fault of the script; after the last one, responses are correct.
"""

import base64
import hashlib
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

RAW = "application/octet-stream"
PROBLEM = "application/problem+json"
FOREVER = "public, max-age=31536000, immutable"


@dataclass
class Request:
    """A client's request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass
class Answer:
    """A response, before a fault changes it."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    def encode(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass
class Exchange:
    """A request and its connection."""

    server: "FaultServer"
    request: Request
    connection: socket.socket
    is_over: bool = False

    def make_answer(self) -> Answer:
        """Return the correct response: the whole body, a range of it, or only headers."""
        return self.server.make_answer(self.request)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self, answer: Answer) -> None:
        self.send(answer.encode())

    def wait_for_client_to_leave(self) -> None:
        with suppress(OSError):
            while self.connection.recv(4096):
                pass

    def close(self) -> None:
        """Close the connection so that the client receives everything that was sent."""
        self.is_over = True
        with suppress(OSError):
            plain = (
                self.connection.unwrap() if isinstance(self.connection, ssl.SSLSocket) else self.connection
            )
            plain.shutdown(socket.SHUT_WR)
        self.wait_for_client_to_leave()

    def reset(self) -> None:
        """Reset the connection."""
        self.is_over = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Fault = Callable[[Exchange], None]


@dataclass
class FaultServer:
    """A server that sends one tensor's bytes for any path."""

    body: bytes
    etag: str | None = '"one"'
    script: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    context: ssl.SSLContext | None = None
    extra: dict[str, str] = field(default_factory=lambda: {"Cache-Control": FOREVER})
    digests: bool = True
    url: str = ""

    def make_answer(self, request: Request) -> Answer:
        headers = {"Content-Type": RAW, "Weightinit-Stream": "1", **self.extra}
        if self.etag:
            headers["ETag"] = self.etag
        if self.digests and "want-repr-digest" in request.headers:
            digest = base64.b64encode(hashlib.sha256(self.body).digest()).decode()
            headers["Repr-Digest"] = f"sha-256=:{digest}:"
        start = re.fullmatch(r"bytes=([0-9]+)-", request.headers.get("range", ""))
        if start and request.headers.get("if-range") == self.etag:
            first, size = int(start[1]), len(self.body)
            headers |= {
                "Content-Range": f"bytes {first}-{size - 1}/{size}",
                "Content-Length": str(size - first),
            }
            return Answer(206, headers, self.body[first:])
        return Answer(200, headers | {"Content-Length": str(len(self.body))}, self.body)

    @property
    def ranges(self) -> list[str | None]:
        """The requested ranges."""
        return [request.headers.get("range") for request in self.requests]

    def handle(self, connection: socket.socket) -> None:
        """Answer the requests of one connection until it is closed."""
        with suppress(OSError, ValueError), connection.makefile("rb") as lines:
            is_over = False
            while not is_over and (request := read_request(lines)):
                self.requests.append(request)
                fault = self.script.pop(0) if self.script else serve
                exchange = Exchange(self, request, connection)
                fault(exchange)
                is_over = exchange.is_over
        connection.close()


def read_request(lines: BinaryIO) -> Request | None:
    first = lines.readline().decode("latin-1").split()
    if len(first) != 3:
        return None  # the end, or no HTTP at all, such as the random bytes that open TLS
    headers = {}
    while line := lines.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Request(first[0], first[1], headers, lines.read(int(headers.get("content-length", 0))))


@contextmanager
def run(server: FaultServer) -> Iterator[FaultServer]:
    """Run a server on a free port, and stop all its threads at the end."""
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))
    server.url = f"{'https' if server.context else 'http'}://127.0.0.1:{listener.getsockname()[1]}"

    def handle(connection: socket.socket) -> None:
        if server.context:
            try:
                connection = server.context.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
            connections.append(connection)
        server.handle(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threads.append(threading.Thread(target=handle, args=[connection]))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield server
    finally:
        # A closed listener does not wake the thread that accepts; one that is shut down does.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        listener.close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()


# --- faults ---------------------------------------------------------------------------------------


def serve(exchange: Exchange) -> None:
    exchange.answer(exchange.make_answer())


def truncate(count: int) -> Fault:
    """Send only this many bytes of the body."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.make_answer()
        answer.body = answer.body[:count]
        exchange.answer(answer)
        exchange.close()

    return fault


def reset(count: int) -> Fault:
    """Reset the connection after this many bytes of the body, some of which may be lost."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.make_answer()
        answer.body = answer.body[:count]
        exchange.answer(answer)
        exchange.reset()

    return fault


def stall(count: int) -> Fault:
    """Send only this many bytes of the body, then nothing while the client waits."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.make_answer()
        answer.body = answer.body[:count]
        exchange.answer(answer)
        exchange.wait_for_client_to_leave()

    return fault


def drip(count: int, pause: float = 0.05) -> Fault:
    """Send the headers, then this many bytes of the body one by one, with pauses in seconds."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.make_answer()
        body, answer.body = answer.body, b""
        exchange.answer(answer)
        for byte in body[:count]:
            exchange.send(bytes([byte]))
            time.sleep(pause)
        exchange.close()

    return fault


def change(**headers: str | None) -> Fault:
    """Change headers: `content_range="bytes 1-2/3"`; None removes one."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.make_answer()
        for name, value in headers.items():
            answer.headers.pop(title := name.replace("_", "-").title().replace("Etag", "ETag"), None)
            if value is not None:
                answer.headers[title] = value
        exchange.answer(answer)
        exchange.close()

    return fault


def flip_bit(at: int) -> Fault:
    """Send one wrong bit."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.make_answer()
        body = bytearray(answer.body)
        body[at] ^= 1
        answer.body = bytes(body)
        exchange.answer(answer)

    return fault


def refuse(status: int, body: bytes = b"", media_type: str = PROBLEM, **headers: str) -> Fault:
    """Respond with a status."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    length = {"Content-Type": media_type, "Content-Length": str(len(body))}

    def fault(exchange: Exchange) -> None:
        exchange.answer(Answer(status, {**length, **named}, body))

    return fault


def send(data: bytes) -> Fault:
    """Send these bytes instead of a response."""

    def fault(exchange: Exchange) -> None:
        exchange.send(data)
        exchange.close()

    return fault


def hang_up(exchange: Exchange) -> None:
    exchange.close()


def send_chunked(exchange: Exchange) -> None:
    """Send the correct bytes in chunks, without a Content-Length."""
    answer = exchange.make_answer()
    del answer.headers["Content-Length"]
    answer.headers["Transfer-Encoding"] = "chunked"
    body, answer.body = answer.body, b""
    exchange.answer(answer)
    for start in range(0, len(body), 65536):
        piece = body[start : start + 65536]
        exchange.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    exchange.send(b"0\r\n\r\n")


def redirect(url: str) -> Fault:
    return lambda exchange: refuse(307, location=url + exchange.request.target)(exchange)
