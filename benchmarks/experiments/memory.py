"""Memory: what the server holds while many read, and most of them stall."""

import time

from benchmarks.experiments.draws import OURS
from benchmarks.measure import Figures
from benchmarks.processes import read_peak, read_resident, reset_peak
from benchmarks.readers import Order, run_readers
from benchmarks.scale import Scale
from benchmarks.servers import run_service

READERS, STALLED = 64, 50
SIDE = 524288  # squared, 1 TiB of float32


def measure_stalled(scale: Scale) -> Figures:
    """Measure a fresh service before and while a tensor of 1 TiB is open by 64 readers, 50 of them stalled.

    Idle is what it holds once it is ready, before its first request for weights; then, the most it holds in
    the seconds that the other 14 read as fast as they can.
    """
    figures: Figures = {OURS: [], "idle": []}
    for _ in range(scale.rounds):
        with run_service() as service:
            time.sleep(0.2)
            figures["idle"].append(read_resident(service.pid))
            reset_peak(service.pid)
            order = Order(service.port, READERS, SIDE, SIDE, stalled=STALLED)
            with run_readers([order]) as readers:
                readers.start()
                readers.wait_until_open()
                time.sleep(scale.pick(3.0, 0.5))
                figures[OURS].append(read_peak(service.pid))
    return figures
