"""Start: from exec to ready, once the kernels are compiled."""

from time import perf_counter

from benchmarks.experiments.draws import OURS
from benchmarks.measure import Figures, alternate
from benchmarks.scale import Scale
from benchmarks.servers import run_service


def measure_start(scale: Scale) -> Figures:
    """Measure the seconds until /readyz answers 200; the first start, which may compile, is the warm-up."""

    def start() -> float:
        begin = perf_counter()
        with run_service():
            return perf_counter() - begin

    return alternate({OURS: start}, scale.rounds)
