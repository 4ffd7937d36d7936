"""Responses: a head, then a body that is drawn as it is sent."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.connections import ReaderLeftError
from service.api.context import Context
from service.api.ranges import Span
from service.api.representations import Representation
from service.api.streaming import INLINE, send_body
from service.api.wires import EXTENSION


class BodyResponse(Response):
    """A span of a representation. Raises HTTPException 503 where too many large ones are being sent."""

    def __init__(
        self, status: int, headers: dict[str, str], whole: Representation, span: Span, context: Context
    ) -> None:
        if span.length > INLINE and context.open_streams >= context.settings.max_streams:
            raise HTTPException(503, "Too many large bodies are being sent.", {"Retry-After": "1"})
        self.status_code = status
        self.background = None
        self.raw_headers = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        self._whole, self._span, self._context = whole, span, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and the body."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        wire = scope.get("extensions", {}).get(EXTENSION)
        self._context.open_streams += 1
        try:
            await send_body(self._whole, self._span, self._context.workers, wire, receive, send)
        except ReaderLeftError:
            return
        except asyncio.CancelledError:
            return  # the time to stop is over: the server closes the connection, and no trace helps anyone
        finally:
            self._context.open_streams -= 1
