"""What was acknowledged is there, whatever is killed at whatever moment; what was not is whole or absent."""

import hashlib
import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from tests.servers import run_server
from tests.store.places import make_name

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

THREADS = 4
LONGEST = 0.5  # seconds from the first request to the kill


@dataclass(frozen=True)
class Work:
    """A model, in canonical form, and the name that it is to have."""

    canonical: bytes
    name: str

    @classmethod
    def make(cls, numbers, place):
        """Make a model of some hundred bytes or some hundred kilobytes that nobody made before."""
        tensors = [
            {"layout": "IO", "name": f"layer{number:05}/kernel", "shape": [numbers.randrange(1, 2**20), 3]}
            for number in range(numbers.choice([1, 1, 1, 10, 100, 2000]))
        ]
        spec = {"seed": str(numbers.randrange(2**64)), "stream": 1, "tensors": tensors}
        return cls(json.dumps(spec, separators=(",", ":")).encode(), f"team/net/{place}")

    @property
    def model(self):
        return hashlib.sha256(self.canonical).hexdigest()


@dataclass
class Round:
    """What was tried before the kill, and what was acknowledged."""

    number: int
    tried: list[Work] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    killed: threading.Event = field(default_factory=threading.Event)

    def publish(self, url, thread):
        """Publish one model and name after the other until there is no answer."""
        numbers = random.Random(f"{self.number} {thread}")
        with httpx.Client(base_url=url, timeout=60, verify=False) as client:
            while not self.killed.is_set():
                work = Work.make(numbers, f"{self.number}-{thread}-{len(self.tried)}")
                self.tried.append(work)
                try:
                    self.publish_one(client, work)
                except httpx.TransportError:
                    return

    def publish_one(self, client, work):
        """Publish a model, then its name, and note each answer; a 503 is none."""
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/models", content=work.canonical, headers=headers)
        assert answer.status_code in {201, 503}
        if answer.status_code == 503:
            return
        assert answer.json()["id"] == work.model
        self.models.add(work.model)
        answer = client.put(f"/v1/names/{work.name}", json={"model": work.model, "author": "ada"})
        assert answer.status_code in {201, 503}
        if answer.status_code == 201:
            self.names.add(work.name)

    def check(self, store):
        """Check what there is after the kill, and count it."""
        counts = Counter()
        for work in self.tried:
            canonical, entry = store.get_model(work.model), store.get_name(make_name(work.name))
            assert canonical in {None, work.canonical}
            assert entry is None or (entry.model, entry.author, entry.retired) == (work.model, "ada", None)
            assert canonical is not None or work.model not in self.models
            assert entry is not None or work.name not in self.names
            assert entry is None or canonical is not None
            counts["acknowledged"] += work.name in self.names
            counts["cut off, there"] += entry is not None and work.name not in self.names
            counts["cut off, absent"] += entry is None
        return counts


def run_round(number, place, kill):
    """Have threads publish until a random moment, at which something is killed."""
    tried = Round(number)
    moment = random.Random(number).uniform(0, LONGEST)
    with run_server(**place.environment) as server, ThreadPoolExecutor(THREADS) as pool:
        publishing = [pool.submit(tried.publish, server.url, thread) for thread in range(THREADS)]
        time.sleep(moment)
        kill(server)
        tried.killed.set()
        for future in publishing:
            future.result()
    return tried


def prove(place, rounds, kill, revive):
    """Kill in each round, check what is there, and in the end check all of it over HTTP."""
    counts, done = Counter(), []
    for number in range(rounds):
        try:
            tried = run_round(number, place, kill)
        finally:
            revive()
        store = place.open()
        counts += tried.check(store)
        store.close()
        done.append(tried)
    print(f"{place.kind}: {rounds} kills, {dict(counts)}")
    assert counts["acknowledged"] > rounds
    assert counts["cut off, there"] + counts["cut off, absent"] > rounds  # the kill met them at work
    with run_server(**place.environment) as server, httpx.Client(base_url=server.url) as client:
        for work in (work for tried in done for work in tried.tried if work.name in tried.names):
            assert client.get(f"/v1/names/{work.name}").json()["model"] == work.model
            assert client.get(f"/v1/models/{work.model}").content == work.canonical
    return counts


def test_what_was_acknowledged_outlives_200_kills_of_the_service(sqlite_place):
    prove(sqlite_place, 200, lambda server: server.process.kill(), lambda: None)
    store = sqlite_place.open()
    with store._database.reader.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    store.close()


def test_what_was_acknowledged_outlives_kills_of_the_service_on_postgresql(postgres_place):
    prove(postgres_place, 20, lambda server: server.process.kill(), lambda: None)


def test_what_was_acknowledged_outlives_kills_of_postgresql_itself(postgres_place, cluster):
    prove(postgres_place, 20, lambda _server: cluster.stop(), cluster.start)
