import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from service.store import NameTakenError
from tests.store.places import make_model, make_name, put_model

THREADS = 8


@pytest.fixture
def pool():
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


def race(pool, function):
    """Call a function in all threads at once, with the thread's number."""
    barrier = threading.Barrier(THREADS)

    def start(number):
        barrier.wait()
        return function(number)

    return list(pool.map(start, range(THREADS)))


def test_of_threads_that_publish_one_name_for_their_own_models_one_wins(store, pool):
    models = [put_model(store, number) for number in range(THREADS)]
    for attempt in range(10):
        name = make_name(f"team/net/{attempt}")

        def publish(number, name=name):
            try:
                return store.put_name(name, models[number], f"thread {number}", "")[1]
            except NameTakenError as error:
                return error.entry

        results = race(pool, publish)
        assert results.count(True) == 1
        entry = store.get_name(name)
        assert (entry.model, entry.author) == (models[results.index(True)], f"thread {results.index(True)}")
        assert [result for result in results if result is not True] == [entry] * (THREADS - 1)


def test_of_threads_that_publish_one_name_for_one_model_one_is_first_and_all_agree(store, pool):
    model = put_model(store)
    name = make_name("team/net/1.0")
    results = race(pool, lambda number: store.put_name(name, model, f"thread {number}", ""))
    assert sum(new for _, new in results) == 1
    assert {entry for entry, _ in results} == {store.get_name(name)}


def test_of_threads_that_publish_one_model_one_is_first(store, pool):
    for attempt in range(10):
        identity, canonical = make_model(attempt)
        results = race(pool, lambda _, what=(identity, canonical): store.put_model(*what))
        assert sorted(results) == [False] * (THREADS - 1) + [True]
        assert store.get_model(identity) == canonical


def test_of_threads_that_retire_one_name_one_is_heard(store, pool):
    name = make_name("team/net/1.0")
    store.put_name(name, put_model(store), "ada", "")
    results = race(pool, lambda number: store.retire_name(name, f"thread {number}", ""))
    assert set(results) == {store.get_name(name)}


def test_threads_that_begin_with_an_empty_database_migrate_it_once(place, pool):
    stores = [place.open() for _ in range(THREADS)]
    results = race(pool, lambda number: stores[number].put_model(*make_model("a")))
    assert sorted(results) == [False] * (THREADS - 1) + [True]
    for store in stores:
        store.close()


def run_publishers(place, count, stack):
    """Run processes that publish; each is ready."""
    publishers = [
        stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.store.publisher"],
                env={**os.environ, **place.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        for _ in range(count)
    ]
    for publisher in publishers:
        assert publisher.stdout.readline() == "ready\n"
    return publishers


def test_processes_migrate_an_empty_database_once_and_of_each_name_one_process_wins(place):
    with ExitStack() as stack:
        publishers = run_publishers(place, 4, stack)
        store = place.open()
        stack.callback(store.close)
        for attempt in range(10):
            for publisher in publishers:
                publisher.stdin.write(f"team/net/{attempt}\n")
            for publisher in publishers:
                publisher.stdin.flush()
            results = [publisher.stdout.readline().split() for publisher in publishers]
            entry = store.get_name(make_name(f"team/net/{attempt}"))
            assert sorted(outcome for outcome, _ in results) == ["new", "taken", "taken", "taken"]
            assert {model for _, model in results} == {entry.model}
