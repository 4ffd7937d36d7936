"""Metrics for Prometheus.

With several processes, each writes its counts to a file in the folder PROMETHEUS_MULTIPROC_DIR, and each
reports the sums of all. The supervisor numbers the processes. A process continues the counters of the last
one with its number.
"""

import os
from collections.abc import Iterable
from functools import cache
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
NUMBER = "PROMETHEUS_PROCESS_NUMBER"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


def identify_process() -> int:
    """Return the number of this process, or its id unless a supervisor has numbered it."""
    return int(os.environ.get(NUMBER) or os.getpid())


if FOLDER in os.environ:
    values.ValueClass = values.MultiProcessValue(identify_process)

REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "weightinit_requests", "Completed requests.", ["route", "method", "status"], registry=REGISTRY
)
SECONDS = Histogram(
    "weightinit_request_seconds",
    "Seconds from the head of a request to the end of its response.",
    ["route"],
    registry=REGISTRY,
)
DRAWN_BYTES = Counter("weightinit_drawn_bytes", "Bytes of weights drawn for bodies.", registry=REGISTRY)
OPEN_STREAMS = Gauge(
    "weightinit_open_streams", "Large bodies being sent.", registry=REGISTRY, multiprocess_mode="livesum"
)

# `labels` takes a lock and formats its arguments at each call, and there are few different arguments.
find_counter = cache(REQUESTS.labels)
find_histogram = cache(SECONDS.labels)


def render_metrics() -> bytes:
    """Write all metrics in Prometheus' text format."""
    if FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    shared = CollectorRegistry()
    MultiProcessCollector(shared)
    return generate_latest(shared)


def forget_process(number: int) -> None:
    """Remove the open streams of a process that has ended from the sums of all. Its counters stay."""
    if FOLDER in os.environ:
        mark_process_dead(number)


if FOLDER not in os.environ:
    ProcessCollector(registry=REGISTRY)
    PlatformCollector(registry=REGISTRY)


class MetricsMiddleware:
    """Count each request under the path of its route, never under the path that the client sent."""

    def __init__(self, app: ASGIApp, routes: Iterable[Route]) -> None:
        self.app = app
        self._paths: dict[object, str] = {route.endpoint: route.path for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and record the status and the duration of its response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, start = 500, perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            route = self._paths.get(scope.get("endpoint"), "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            find_counter(route, method, status).inc()
            find_histogram(route).observe(perf_counter() - start)
