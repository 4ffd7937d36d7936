"""The protocol: what uvicorn leaves open between a connection and a request.

It answers what is no HTTP in text, keeps a head of any length, and waits forever for the first one.
"""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.problems import MEDIA_TYPE, describe, render
from service.api.wires import EXTENSION, Wire

LONGEST_UNSENT = 4096  # bytes that a stream may leave behind without waiting
LONGEST_HEAD = 64 * 1024  # bytes of the target and of all fields


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 by httptools, with problems for errors, a limit for heads, and a timeout from the start.

    Its transport says so as soon as a chunk is not sent whole, so that a stream waits with the next, and says
    that it is when all is: a reader that stalls is behind by one chunk and not by the best part of two. A
    head alone is less than that and goes out together with a small body.
    """

    _head = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the keep-alive timeout, as after each answer."""
        stream = cast("asyncio.Transport", transport)
        stream.set_write_buffer_limits(high=LONGEST_UNSENT, low=0)
        super().connection_made(stream)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def on_message_begin(self) -> None:
        """Start to count a head."""
        super().on_message_begin()
        self._head = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Offer the socket to the answer."""
        super().on_headers_complete()
        self.scope["extensions"] = {EXTENSION: cast("dict[object, object]", Wire(self.transport, self.cycle))}

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, unless in the midst of another answer, and close."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle and cycle.response_started and not cycle.response_complete:
            self.transport.close()
            return
        too_long = self._head > LONGEST_HEAD
        problem = (
            describe(431, f"The head must be at most {LONGEST_HEAD} bytes.")
            if too_long
            else describe(400, msg)
        )
        body = render(problem)
        head = (
            f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _count(self, length: int) -> None:
        self._head += length
        if self._head > LONGEST_HEAD:
            raise ValueError("the head is too long")  # the parser stops, and calls it an HttpParserError
