"""The protocol: what uvicorn leaves open between a connection and a request.

It answers what is no HTTP in text, keeps a head of any length, and waits forever for the first request
and for the rest of any.
"""

import asyncio
from time import monotonic
from typing import cast

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.problems import MEDIA_TYPE, Problem, describe, render
from service.api.sending.direct import EXTENSION, Wire
from service.server.lingering_close import Exit, Parting
from service.server.timeouts import STATE, Arrivals

LONGEST_UNSENT = 4096  # bytes that a stream may leave behind without waiting
LONGEST_HEAD = 64 * 1024  # bytes of the target and of all fields


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 by httptools, with problems for errors, a limit for heads, and timeouts from the start.

    Its transport says so as soon as a chunk is not sent whole, so that a stream waits with the next, and says
    that it is when all is: a reader that stalls is behind by one chunk and not by the best part of two. A
    head alone is less than that and goes out together with a small body.
    """

    _head = 0
    _answered: RequestResponseCycle | None = None  # what is or was last, where others may wait for their turn

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the keep-alive timeout, as after each answer."""
        stream = cast("asyncio.Transport", transport)
        stream.set_write_buffer_limits(high=LONGEST_UNSENT, low=0)
        super().connection_made(stream)
        self._arrivals: Arrivals = self.app_state[STATE]
        self._exit = cast("asyncio.Transport", Exit(stream, self._part))
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more, and have what is being answered know: uvicorn tells the last that came."""
        self._arrivals.pop(self, None)
        self._stop_answering()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes: something arrives, be it an empty line, and the keep-alive timeout is over."""
        self._arrivals.setdefault(self, monotonic())
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Start to count a head, which may come right behind another request."""
        self._arrivals.setdefault(self, monotonic())
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
        """Offer the socket to the answer, which closes it our way."""
        super().on_headers_complete()
        self.cycle.transport = self._exit
        self.scope["extensions"] = {EXTENSION: cast("dict[object, object]", Wire(self.transport, self.cycle))}

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        self._arrivals.pop(self, None)
        super().on_message_complete()

    def give_up(self) -> None:
        """Answer a request that does not arrive, and close; but finish first what another is answered."""
        cycle = self._answered
        if cycle and cycle.response_complete and cycle.more_body:
            self.transport.close()  # it was answered before its body came
        elif not (is_being_answered(cycle) or self.transport.is_closing()):
            self._refuse(describe(408, "The request took too long to arrive."))

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, unless in the midst of another answer, and close."""
        cycle = self._answered
        if cycle and cycle.response_started and not cycle.response_complete:
            self._part()
        elif self._head > LONGEST_HEAD:
            self._refuse(describe(431, f"The head must be at most {LONGEST_HEAD} bytes."))
        else:
            self._refuse(describe(400, msg))

    def _refuse(self, problem: Problem) -> None:
        body = render(problem)
        head = (
            f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self._part()

    def _part(self) -> None:
        """Close after the last that is answered, at once where nothing more arrives."""
        if self._arrivals.pop(self, None) is None:
            self.transport.close()
            return
        self._stop_answering()
        self.pipeline.clear()
        self.flow.resume_reading()
        Parting(self.transport).begin()

    def _stop_answering(self) -> None:
        if self._answered:
            self._answered.disconnected = True
            self._answered.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _count(self, length: int) -> None:
        self._head += length
        if self._head > LONGEST_HEAD:
            raise ValueError("the head is too long")  # the parser stops, and calls it an HttpParserError


def is_being_answered(cycle: RequestResponseCycle | None) -> bool:
    """Tell whether a request is whole or has the beginning of an answer, and not yet all of it."""
    return bool(cycle and not cycle.response_complete and (cycle.response_started or not cycle.more_body))
