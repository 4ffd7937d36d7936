"""Latency: a few bytes out of 100 GiB beside `/livez`, on one kept connection."""

from statistics import median

from benchmarks.experiments.draws import OURS
from benchmarks.measure import Figures, Measure, alternate
from benchmarks.scale import Scale
from benchmarks.servers import run_service
from benchmarks.wire import Connection, make_get

MICRO = 1e6
COLUMNS = 4096
ROWS = 100 * 2**30 // 4 // COLUMNS  # of float32: an embedding of 6.5 million words
SPEC = {"shape": f"{ROWS},{COLUMNS}", "seed": 42, "name": "embedding", "activation": "relu"}
RAW = "Accept: application/octet-stream"
ROW = f"{ROWS // 3}:{ROWS // 3 + 1}"

REQUESTS = {
    "latency-tail": make_get("/v1/weights", SPEC, f"{RAW}\r\nRange: bytes=-1024"),
    "latency-row": make_get("/v1/weights", {**SPEC, "layout": "torch", "slice": ROW}, RAW),
    "latency-row-keras": make_get("/v1/weights", {**SPEC, "slice": ROW}, RAW),
}
LENGTHS = {"latency-tail": 1024, "latency-row": COLUMNS * 4, "latency-row-keras": COLUMNS * 4}


def race_livez(scale: Scale, name: str) -> Figures:
    """Race `/livez`, the median of some hundred requests at a time. Raises RuntimeError."""
    times = scale.pick(300, 30)
    with run_service() as service, service.connect() as connection:
        length = connection.ask(REQUESTS[name]).length
        if length != LENGTHS[name]:
            raise RuntimeError(f"{name} brought {length} bytes, not {LENGTHS[name]}")
        contestants = {
            OURS: make_latency(connection, REQUESTS[name], times),
            "/livez": make_latency(connection, make_get("/livez"), times),
        }
        return alternate(contestants, scale.rounds)


def make_latency(connection: Connection, request: bytes, times: int) -> Measure:
    """Make a measure of the median microseconds of a request, to the last byte of its answer."""
    return lambda: MICRO * median(connection.ask(request).last for _ in range(times))
