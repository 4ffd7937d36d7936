"""Metrics for Prometheus.

With several processes, each writes its counts to a file in the folder PROMETHEUS_MULTIPROC_DIR, and each
reports the sums of all. The supervisor numbers the processes. A process continues the counters of the last
one with its number.
"""

import os
from importlib.metadata import version
from itertools import product
from platform import python_version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    start_http_server,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

import service

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
NUMBER = "PROMETHEUS_PROCESS_NUMBER"


def identify_process() -> int:
    """Return the number of this process, or its id unless a supervisor has numbered it."""
    return int(os.environ.get(NUMBER) or os.getpid())


if FOLDER in os.environ:
    values.ValueClass = values.MultiProcessValue(identify_process)

disable_created_metrics()  # a series for each series, with the time when it began
REGISTRY = CollectorRegistry()
# From a small body to a large one that a slow client reads.
BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 600)  # seconds
STORE_KINDS = ("read", "write")
REFUSAL_REASONS = ("connections", "large bodies", "digests", "requests for large models")  # names of Shares

REQUESTS = Counter(
    "weightinit_requests", "Completed requests.", ["route", "method", "status"], registry=REGISTRY
)
SECONDS = Histogram(
    "weightinit_request_seconds",
    "Seconds from the head of a request to the end of its response.",
    ["route"],
    registry=REGISTRY,
    buckets=BUCKETS,
)
FIRST_BYTE_SECONDS = Histogram(
    "weightinit_first_byte_seconds",
    "Seconds from the head of a request to the head of its response.",
    ["route"],
    registry=REGISTRY,
    buckets=BUCKETS,
)
REFUSED = Counter(
    "weightinit_refused",
    "Requests and connections refused at a limit: 429 for that of one address, 503 for that of all.",
    ["reason", "status"],
    registry=REGISTRY,
)
SEND_TIMEOUTS = Counter(
    "weightinit_send_timeouts", "Connections aborted because the client did not read.", registry=REGISTRY
)
DRAWN_BYTES = Counter("weightinit_drawn_bytes", "Bytes of weights drawn for bodies.", registry=REGISTRY)
OPEN_STREAMS = Gauge(
    "weightinit_open_streams", "Large bodies being sent.", registry=REGISTRY, multiprocess_mode="livesum"
)
RUNNING_DIGESTS = Gauge(
    "weightinit_running_digests",
    "Digests being computed.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
STORE_SECONDS = Histogram(
    "weightinit_store_seconds",
    "Seconds of calls of the store, with the time that they wait for a thread.",
    ["kind"],
    registry=REGISTRY,
    buckets=BUCKETS,
)
STORE_ERRORS = Counter(
    "weightinit_store_errors",
    "Calls that failed because the store is unavailable.",
    ["kind"],
    registry=REGISTRY,
)
WORKERS = Gauge("weightinit_workers", "Processes that serve.", registry=REGISTRY, multiprocess_mode="livesum")
READY_WORKERS = Gauge(
    "weightinit_ready_workers",
    "Processes that passed the self-check and are not about to stop.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
BUILD_INFO = Gauge(
    "weightinit_build_info",
    "Versions of the service, the stream, Python and Numba; always 1.",
    ["version", "stream", "python", "numba"],
    registry=REGISTRY,
    multiprocess_mode="max",
)


def choose_registry() -> CollectorRegistry:
    """Return the registry of this process, or one with the sums of all processes if there are several."""
    if FOLDER not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)
    return shared


def render_metrics() -> bytes:
    """Write all metrics in Prometheus' text format."""
    return generate_latest(choose_registry())


def serve_metrics(host: str, port: int) -> None:
    """Serve all metrics over HTTP on a port of their own, in a thread. Raises OSError if it is not free."""
    start_http_server(port, host, choose_registry())


def start_metrics(stream: int) -> None:
    """Count this process, set its versions, and start the counters whose labels are known at 0.

    Without a 0, Prometheus does not see the first increase. `stream` is the version of the stream.
    """
    WORKERS.set(1)
    BUILD_INFO.labels(service.__version__, stream, python_version(), version("numba")).set(1)
    for kind in STORE_KINDS:
        STORE_SECONDS.labels(kind)
        STORE_ERRORS.labels(kind)
    for reason, status in product(REFUSAL_REASONS, (429, 503)):
        REFUSED.labels(reason, status)


def forget_process(number: int) -> None:
    """Remove the gauges of a process that has ended from the sums of all. Its counters stay."""
    if FOLDER in os.environ:
        mark_process_dead(number)


if FOLDER not in os.environ:
    ProcessCollector(registry=REGISTRY)
    PlatformCollector(registry=REGISTRY)
