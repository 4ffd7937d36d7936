"""Fairness: how long small requests wait while large streams run."""

import time
from collections.abc import Callable

from benchmarks.experiments.draws import OURS
from benchmarks.measure import Figures, alternate, find_percentile
from benchmarks.readers import Order, run_readers
from benchmarks.scale import Scale
from benchmarks.servers import Server, run_service
from benchmarks.wire import make_get, make_weights

STREAMS, PROCESSES = 8, 2
SIDE = 524288  # squared, 1 TiB of float32: no stream ends meanwhile
MILLI = 1e3
PAUSE = 0.001


def race_idle(scale: Scale, name: str) -> Figures:
    """Race the idle service: the p99 in milliseconds of some hundred requests, with and without streams."""
    times = scale.pick(300, 30)
    with run_service() as service:

        def measure() -> float:
            seconds = []
            for _ in range(times):
                time.sleep(PAUSE)
                seconds.append(PROBES[name](service))
            return MILLI * find_percentile(seconds, 99)

        def measure_beside_streams() -> float:
            each = STREAMS // PROCESSES
            orders = [Order(service.port, each, SIDE, SIDE, first=k * each) for k in range(PROCESSES)]
            with run_readers(orders) as readers:
                readers.start()
                readers.wait_until_open()
                return measure()

        return alternate({OURS: measure_beside_streams, "idle": measure}, scale.rounds)


def probe_livez(service: Server) -> float:
    """Return the seconds of /livez."""
    with service.connect() as connection:
        return connection.ask(make_get("/livez")).last


def probe_small(service: Server) -> float:
    """Return the seconds to the first byte of 100 × 100 weights."""
    with service.connect() as connection:
        return connection.ask(make_weights(100, 100, name="small")).first


def probe_large(service: Server) -> float:
    """Return the seconds to the first byte of 1 GiB of weights, and leave."""
    with service.connect() as connection:
        return connection.ask(make_weights(16384, 16384, name="large"), whole=False).first


PROBES: dict[str, Callable[[Server], float]] = {
    "fairness-livez": probe_livez,
    "fairness-small": probe_small,
    "fairness-large": probe_large,
}
