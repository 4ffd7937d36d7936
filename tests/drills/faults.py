"""A mixed load through a proxy that spoils 5 % of the exchanges."""

import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
from weightinit import Client, Retry

from tests.drills.items import list_items, publish_models
from tests.drills.operations import OPERATIONS, Worker, ask_undisturbed
from tests.drills.proxy import run_proxy
from tests.servers import Server, run_server

WORKERS = 12
PROBABILITY = 0.05
WARM_UP = 0.3  # of the time; then the service is measured for the first time
QUIET = 3.0  # seconds without requests before a measurement


@dataclass(frozen=True)
class Usage:
    """What a process uses: resident memory in MiB, open files, threads."""

    memory: int
    files: int
    threads: int

    @classmethod
    def of(cls, server: Server) -> "Usage":
        """Measure the process of a server."""
        folder = Path(f"/proc/{server.process.pid}")
        files, threads = (len(list((folder / name).iterdir())) for name in ("fd", "task"))
        return cls(server.measure_memory() // 2**20, files, threads)


class Load:
    """The workers, and what they counted."""

    def __init__(self, workers: list[Worker]) -> None:
        self.workers = workers
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.lock = threading.Lock()

    def run(self, seconds: float) -> None:
        """Let the workers work for some seconds, and finish what they are at."""
        deadline = time.monotonic() + seconds
        with ThreadPoolExecutor(len(self.workers)) as pool:
            for future in [pool.submit(self._work, worker, deadline) for worker in self.workers]:
                future.result()

    def _work(self, worker: Worker, deadline: float) -> None:
        kinds, weights = list(OPERATIONS), list(OPERATIONS.values())
        while time.monotonic() < deadline:
            (operation,) = worker.numbers.choices(kinds, weights)
            try:
                outcome = "right" if operation(worker) else "wrong"
            except Exception as error:  # noqa: BLE001 - every error is a finding
                outcome = "failed"
                self.failures.append(f"{operation.__name__}: {error!r}")
            with self.lock:
                self.counts.update((outcome, f"{operation.__name__} {outcome}"))


def run_faults(seconds: float, longest: int = 2**63) -> tuple[Counter[str], list[str]]:
    """Load a service for some seconds through a faulty proxy. Return counts and failures."""
    with run_server() as undisturbed, run_server(WEIGHTINIT_PEER_SHARE="1") as server:
        publish_models(undisturbed.url)
        publish_models(server.url)
        answers = ask_undisturbed(undisturbed.url, list_items(undisturbed.url, longest))
        with run_proxy(server.port, PROBABILITY) as proxy:
            url = f"http://127.0.0.1:{proxy.port}"
            retry = Retry(attempts=8)
            workers = [
                Worker(
                    number,
                    Client(url, retries=retry, progress=False),
                    httpx.Client(base_url=url, timeout=60),
                    answers,
                )
                for number in range(WORKERS)
            ]
            load = Load(workers)
            load.run(seconds * WARM_UP)
            time.sleep(QUIET)
            before = Usage.of(server)
            load.run(seconds * (1 - WARM_UP))
            time.sleep(QUIET)
            after = Usage.of(server)
            for worker in workers:
                worker.client.close()
                worker.http.close()
        counts = load.counts + proxy.counts
        for name in ("memory", "files", "threads"):
            counts[f"{name} before"], counts[f"{name} after"] = getattr(before, name), getattr(after, name)
        counts["requests repeated by httpx"] = sum(worker.retries for worker in workers)
        counts["names"] = sum(len(worker.published) for worker in workers)
        counts["lost"] = count_lost(server.url, workers)
        metrics = httpx.get(f"{server.url}/metrics").text
        counts["status 500"] = len(re.findall(r'(?m)^weightinit_requests_total.*status="500"', metrics))
        counts["tracebacks"] = sum("Traceback" in line for line in server.log)
        return counts, load.failures


def count_lost(url: str, workers: list[Worker]) -> int:
    """Count the acknowledged names that do not stand for their models."""
    with httpx.Client(base_url=url) as client:
        return sum(
            client.get(f"/v1/names/{name}").json().get("model") != model
            for worker in workers
            for name, model in worker.published.items()
        )
