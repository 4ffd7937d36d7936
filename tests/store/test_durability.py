"""What was acknowledged is there, whatever is killed at whatever moment; what was not is whole or absent."""

import hashlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.api.tokens import bear, create_token
from tests.server.test_processes import list_workers
from tests.servers import run_server, wait_until
from tests.store.places import make_name

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

THREADS = 4
WORKER_KILLS = 6
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
        if number % 2:  # on a busy machine the others may be killed before anything is acknowledged
            wait_until(lambda: tried.names)
        time.sleep(moment)
        kill(server)
        tried.killed.set()
        for future in publishing:
            future.result()
    return tried


def count_changes(store):
    """Count the entries of the audit trail for each action and subject."""
    entries, after = [], 0
    while page := store.list_audit(None, after, 1000):
        entries += page
        after = page[-1].number
    return Counter((entry.action, entry.subject) for entry in entries)


def check_audit(store, done):
    """Check that each change is in the audit trail once, and nothing else."""
    works = [work for tried in done for work in tried.tried]
    changes = {("publish model", work.model) for work in works if store.get_model(work.model) is not None}
    changes |= {("publish name", work.name) for work in works if store.get_name(make_name(work.name))}
    assert count_changes(store) == Counter(changes)


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
    store = place.open()
    check_audit(store, done)
    store.close()
    print(f"{place.kind}: {rounds} kills, {dict(counts)}")
    assert counts["acknowledged"] >= rounds // 2
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


def test_what_was_acknowledged_outlives_kills_of_the_workers(sqlite_place):
    tried = Round(0)
    with run_server("--workers", "2", **sqlite_place.environment) as server:
        publishing = [
            threading.Thread(target=publish_on, args=(tried, server.url, n)) for n in range(THREADS)
        ]
        for thread in publishing:
            thread.start()
        for _ in range(WORKER_KILLS):
            wait_until(lambda: len(list_workers(server)) == 2, 60)
            time.sleep(1)
            os.kill(random.choice(list_workers(server)), signal.SIGKILL)
        tried.killed.set()
        for thread in publishing:
            thread.join()
    store = sqlite_place.open()
    counts = tried.check(store)
    check_audit(store, [tried])
    store.close()
    print(f"{WORKER_KILLS} kills of workers, {dict(counts)}")
    assert counts["acknowledged"] > WORKER_KILLS


def publish_on(tried, url, thread):
    """Publish until told, again on another worker when one is killed."""
    for attempt in count():
        if tried.killed.is_set():
            return
        tried.publish(url, f"{thread}-{attempt}")
        time.sleep(0.1)


def test_tokens_and_their_audit_trail_outlive_kills_of_the_service(sqlite_place):
    folder = Path(sqlite_place.environment["WEIGHTINIT_DATA_DIRECTORY"])
    admin, created, revoked, cut = create_token(folder, "admin"), set(), set(), 0
    for number in range(20):
        with run_server(**sqlite_place.environment) as server:
            timer = threading.Timer(random.Random(number).uniform(0, LONGEST), server.process.kill)
            timer.start()
            cut += turn_over_tokens(server.url, admin, created, revoked)
            timer.join()
    store = sqlite_place.open()
    kept = {token.id for token in store.list_tokens()}
    changes = count_changes(store)
    revocations = {subject for action, subject in changes if action == "revoke token"}
    creations = {subject for action, subject in changes if action == "create token"}
    assert set(changes.values()) == {1}
    assert revoked <= revocations
    assert created <= creations
    assert kept == creations - revocations
    assert all(store.get_token(token).revoked for token in revocations)
    print(f"20 kills, {len(created)} tokens created, {len(revoked)} revoked, {cut} changes cut off")
    assert cut > 10
    store.close()


def turn_over_tokens(url, admin, created, revoked):
    """Create a token and revoke it, again and again until there is no answer; return 1 for that."""
    with httpx.Client(base_url=url, timeout=60, headers=bear(admin)) as client:
        try:
            while True:
                answer = client.post("/v1/tokens", json={"team": "vision", "scopes": ["publish"]})
                token = answer.raise_for_status().json()["record"]["id"]
                created.add(token)
                if client.delete(f"/v1/tokens/{token}").is_success:
                    revoked.add(token)
        except httpx.TransportError:
            return 1


def test_what_was_acknowledged_outlives_kills_of_postgresql_itself(postgres_place, cluster):
    prove(postgres_place, 20, lambda _server: cluster.stop(), cluster.start)
