"""The server's protocol: any bytes, in one piece or in many, get the same responses."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from service.api.work.shares import Shares
from service.server.head import format_without_upgrade
from service.server.protocol import Protocol
from service.server.timeouts import RequestTimeouts, SendTimeouts

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Respond 200 after the whole body, which the body repeats."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": body})


class Transport(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 80)})
        self.written = b""
        self.is_ended = False
        self.protocol: asyncio.BaseProtocol | None = None

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        assert not self.is_ended, "wrote after the end"
        self.written += bytes(data)

    def write_eof(self) -> None:
        self.is_ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.is_ended = True

    abort = close

    def is_closing(self) -> bool:
        return self.is_ended

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


CONFIG = Config(answer, lifespan="off", log_config=None, access_log=False)
CONFIG.load()
LOOP = asyncio.new_event_loop()


async def converse(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    """Send pieces on a connection. Return what the server wrote, and whether it closed."""
    transport = Transport()
    protocol = Protocol(
        CONFIG,
        ServerState(),
        {},
        asyncio.get_running_loop(),
        timeouts=RequestTimeouts(3600),
        send_timeouts=SendTimeouts(3600),
        connection_shares=Shares("connections", 9, 1.0),
        allowed_hosts=frozenset(),
    )
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    for piece in pieces:
        if transport.is_ended:
            break
        protocol.data_received(piece)
        await settle(protocol)
    await settle(protocol)
    ended = transport.is_ended
    transport.is_ended = True
    protocol.connection_lost(None)
    await settle(protocol)
    return transport.written, ended


async def settle(protocol: Protocol) -> None:
    """Let the tasks run that can: each needs a few rounds of the loop."""
    for _ in range(4):
        await asyncio.sleep(0)
    while protocol.pipeline:
        before = len(protocol.pipeline)
        for _ in range(4):
            await asyncio.sleep(0)
        if len(protocol.pipeline) == before:
            break


def split(data: bytes, size: int) -> Iterator[bytes]:
    """Split bytes into pieces of a size."""
    return (data[start : start + size] for start in range(0, len(data), size))


def read_statuses(written: bytes) -> list[bytes]:
    """Read the statuses of responses, with 400 for 501: a cut line may become one that is not a request's."""
    return [status.replace(b"501", b"400") for status in STATUS.findall(written)]


def receive_requests(data: bytes) -> None:
    """Any bytes get the same responses in one piece as in many; each response is one of HTTP."""
    whole = LOOP.run_until_complete(converse(iter([data])))
    pieces = LOOP.run_until_complete(converse(split(data, 1 + len(data) % 7)))
    assert read_statuses(whole[0]) == read_statuses(pieces[0]), (whole, pieces)
    assert whole[1] == pieces[1], (whole, pieces)
    assert whole[0].startswith(b"HTTP/1.1 ") or not whole[0]
    check_rewriting(data)


class Collector:
    """Collects what the parser reports of the last head."""

    def on_message_begin(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.target = b""
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_complete:
            self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.is_complete = True


def check_rewriting(data: bytes) -> None:
    """A head written again without its upgrade is the same head, and asks for none."""
    first, second = Collector(), Collector()
    parser = httptools.HttpRequestParser(first)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        return
    if parser.get_method() == b"CONNECT" or not parser.should_upgrade():
        return
    line = parser.get_method(), first.target, parser.get_http_version()
    again = httptools.HttpRequestParser(second)
    again.feed_data(format_without_upgrade(*line, first.fields))
    assert not again.should_upgrade()
    assert (again.get_method(), second.target, again.get_http_version()) == line
    kept = [field for field in first.fields if field[0] not in {b"upgrade", b"http2-settings", b"connection"}]
    assert [field for field in second.fields if field[0] != b"connection"] == kept
