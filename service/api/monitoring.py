"""Monitoring: the metrics, the id and the line of the log of each request."""

import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar
from functools import cache
from random import getrandbits
from time import perf_counter

from prometheus_client import Counter, Histogram
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.metrics import FIRST_BYTE_SECONDS, REQUESTS, SECONDS
from service.api.sending.direct import EXTENSION

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
HEADER = b"x-request-id"
BEARER_ID = "weightinit.bearer_id"  # key in the ASGI scope of the id of a valid token
GIVEN_ID = re.compile(rb"[ -~]{1,128}")
# The API has no secrets in queries, but clients send what other services expect.
SECRET = re.compile("auth|key|password|secret|signature|token", re.IGNORECASE)

REQUEST_ID: ContextVar[bytes] = ContextVar("request_id", default=b"")
logger = logging.getLogger("weightinit.access")


@cache  # `labels` takes a lock and formats its arguments, and there are few different arguments
def find_metrics(route: str, method: str, status: int) -> tuple[Counter, Histogram, Histogram]:
    """Return the counter of requests, the histogram of durations, and that of times to the first byte."""
    return REQUESTS.labels(route, method, status), SECONDS.labels(route), FIRST_BYTE_SECONDS.labels(route)


class MonitoringMiddleware:
    """Count and log each request, and give its response the header X-Request-ID.

    Metrics have the path of the route, never the path that the client sent. `is_logged` is whether to log.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[Route], *, is_logged: bool) -> None:
        self.app = app
        self._paths: dict[object, str] = {route.endpoint: route.path for route in routes}
        self._is_logged = is_logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and record the status and the duration of its response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, start, first, sent = 500, perf_counter(), 0.0, 0
        is_logged = self._is_logged
        request_id = choose_request_id(scope["headers"])
        REQUEST_ID.set(request_id)

        async def note(message: Message) -> None:
            nonlocal status, first, sent
            if message["type"] == "http.response.start":
                status, first = message["status"], perf_counter()
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id)]
            elif is_logged:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            seconds = perf_counter() - start
            route = self._paths.get(scope.get("endpoint"), "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            requests, durations, first_bytes = find_metrics(route, method, status)
            requests.inc()
            durations.observe(seconds)
            if first:
                first_bytes.observe(first - start)
            if is_logged:
                log_request(scope, route, status, seconds, sent)


def choose_request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the X-Request-ID of a request if it is 1 to 128 printable ASCII characters, else a new one.

    >>> choose_request_id([(b"x-request-id", b"a1")]), len(choose_request_id([(b"x-request-id", b"")]))
    (b'a1', 32)
    """
    for name, value in headers:
        if name == HEADER and GIVEN_ID.fullmatch(value):
            return value
    return b"%032x" % getrandbits(128)  # unique, not secret


def log_request(scope: Scope, route: str, status: int, seconds: float, sent: int) -> None:
    """Log a request whose response has ended. `sent` counts the bytes that went through ASGI."""
    client, socket = scope.get("client"), scope.get("extensions", {}).get(EXTENSION)
    method, path = scope["method"], scope["path"]
    fields = {
        "client": client[0] if client else None,
        "token": scope.get(BEARER_ID),
        "method": method,
        "path": path,
        "query": hide_secrets(scope["query_string"].decode("latin-1")),
        "route": route,
        "status": status,
        "duration_ms": round(seconds * 1000, 3),
        "bytes": 0 if method == "HEAD" else sent + (socket.written if socket else 0),
    }
    logger.info("%s %s %d", method, path, status, extra={"fields": fields})


def hide_secrets(query: str) -> str:
    """Replace the values of parameters whose names suggest a secret.

    >>> hide_secrets("shape=3,3&access_token=abc&seed=1")
    'shape=3,3&access_token=***&seed=1'
    """
    return "&".join(map(_hide_secret, query.split("&")))


def _hide_secret(parameter: str) -> str:
    *names, value = parameter.split("=")
    for number, name in enumerate(names, 1):
        if SECRET.search(name):
            return "=".join([*names[:number], "***"])
    return "=".join([*names, value])
