"""Downloads through haproxy while its replicas are killed one after the other."""

import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.drills.downloads import CLIENTS, KINDS
from tests.drills.items import Item, list_items, publish_models
from tests.drills.replicas import Killer, count_log, run_haproxy, run_replicas
from tests.postgres import run_cluster
from tests.servers import run_server

REPLICAS = 3


@dataclass
class Downloads:
    """What clients downloaded until a moment, counted."""

    url: str
    items: list[Item]
    folder: Path
    deadline: float
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run_client(self, kind: str, number: int) -> None:
        """Download one item after the other. What has begun before the deadline is finished after it."""
        numbers = random.Random(f"{kind} {number}")
        while time.monotonic() < self.deadline:
            item = numbers.choice(self.items)
            outcome, megabytes = self._download(kind, number, item), item.size // 1_000_000
            with self.lock:
                self.counts.update({outcome: 1, f"{kind} {outcome}": 1, "megabytes": megabytes})

    def _download(self, kind: str, number: int, item: Item) -> str:
        folder = self.folder / f"{kind}{number}"
        folder.mkdir()
        try:
            outcome = "right" if KINDS[kind](self.url, item, folder / "file") else "wrong"
        except Exception as error:  # noqa: BLE001 - any error leaves the download unfinished
            outcome = "unfinished"
            self.failures.append(f"{kind} {item.path}: {error!r}")
        shutil.rmtree(folder)
        return outcome


def run_kills(seconds: float, longest: int = 2**63) -> tuple[Counter[str], list[str]]:
    """Kill replicas for some seconds while clients download items up to a size. Return what was counted."""
    with (
        tempfile.TemporaryDirectory(prefix="weightinit-drill-") as name,
        run_cluster() as cluster,
        run_server() as undisturbed,
    ):
        folder = Path(name)
        publish_models(undisturbed.url)
        items = list_items(undisturbed.url, longest)
        environment = {"WEIGHTINIT_DATABASE_URL": cluster.make_database(), "WEIGHTINIT_PEER_SHARE": "1"}
        with (
            run_replicas(folder, REPLICAS, environment) as replicas,
            run_haproxy(folder, replicas) as url,
        ):
            publish_models(url)
            downloads = Downloads(url, items, folder, time.monotonic() + seconds)
            killer = Killer(replicas)
            with ThreadPoolExecutor(1 + sum(CLIENTS.values())) as pool:
                killing = pool.submit(killer.run)
                clients = [
                    pool.submit(downloads.run_client, kind, number)
                    for kind, count in CLIENTS.items()
                    for number in range(count)
                ]
                try:
                    for client in clients:
                        client.result()
                finally:
                    killer.stopped.set()
                killing.result()
        counts = downloads.counts + count_log(folder)
        counts["kills"] = killer.kills
        logs = [replica.log.read_text("utf-8", "replace") for replica in replicas]
        counts["tracebacks"] = sum(log.count("Traceback") for log in logs)
        return counts, downloads.failures
