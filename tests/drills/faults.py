"""A mixed load through a proxy that spoils 5 % of the exchanges."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from weightinit import Client, Retry

from tests.drills.items import list_items, publish_models
from tests.drills.operations import OPERATIONS, Answers, Worker, ask_undisturbed
from tests.drills.proxy import run_proxy
from tests.servers import Server, run_server

WORKERS = 12
RETRIES = Retry(attempts=8)
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
    """What workers count. Each run has its own workers, whose connections are closed at its end."""

    def __init__(self, url: str, answers: Answers) -> None:
        self.url, self.answers = url, answers
        self.workers: list[Worker] = []
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.lock = threading.Lock()

    def run(self, seconds: float) -> None:
        """Let workers work for some seconds, and finish what they are at."""
        deadline, first = time.monotonic() + seconds, len(self.workers)
        with ThreadPoolExecutor(WORKERS) as pool:
            for future in [pool.submit(self._work, first + number, deadline) for number in range(WORKERS)]:
                future.result()

    def _work(self, number: int, deadline: float) -> None:
        kinds, weights = list(OPERATIONS), list(OPERATIONS.values())
        with (
            Client(self.url, retries=RETRIES, progress=False) as client,
            httpx.Client(base_url=self.url, timeout=60) as http,
        ):
            worker = Worker(number, client, http, self.answers)
            self.workers.append(worker)
            while time.monotonic() < deadline:
                (operation,) = worker.numbers.choices(kinds, weights)
                self._count(operation, worker)

    def _count(self, operation: Callable[[Worker], bool], worker: Worker) -> None:
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
            load = Load(f"http://127.0.0.1:{proxy.port}", answers)
            usages = []
            for share in (WARM_UP, 1 - WARM_UP):
                load.run(seconds * share)
                time.sleep(QUIET)
                usages.append(Usage.of(server))
        counts = load.counts + proxy.counts
        for moment, usage in zip(("before", "after"), usages, strict=True):
            counts.update({f"{name} {moment}": value for name, value in asdict(usage).items()})
        counts["requests repeated by httpx"] = sum(worker.retries for worker in load.workers)
        counts["names"] = sum(len(worker.published) for worker in load.workers)
        counts["lost"] = count_lost(server.url, load.workers)
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
