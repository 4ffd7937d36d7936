import asyncio
import threading

import pytest

from service.api.work.workers import Workers


@pytest.fixture
def workers():
    workers = Workers(1)
    yield workers
    workers.close()


def test_a_job_is_run_in_another_thread(workers):
    async def run():
        return await workers.run(lambda argument: (argument, threading.current_thread().name), 3)

    assert asyncio.run(run()) == (3, "draw-0")


def test_jobs_are_run_in_the_order_they_came_in(workers):
    done = []

    async def run():
        await asyncio.gather(*(workers.run(done.append, number) for number in range(100)))

    asyncio.run(run())
    assert done == list(range(100))


def test_an_error_reaches_whoever_waits(workers):
    def fail(argument):
        raise ValueError(argument)

    async def run():
        with pytest.raises(ValueError, match="bad"):
            await workers.run(fail, "bad")
        return await workers.run(str, 3)

    assert asyncio.run(run()) == "3"


def test_a_job_that_was_cancelled_is_not_run(workers):
    done, go = [], threading.Event()

    async def run():
        first = workers.run(lambda _: go.wait(), None)
        second = workers.run(done.append, 2)
        second.cancel()
        go.set()
        await first
        await workers.run(done.append, 3)

    asyncio.run(run())
    assert done == [3]


def test_a_job_that_is_cancelled_while_it_runs_is_let_go(workers):
    begun, go = threading.Event(), threading.Event()

    def work(result):
        begun.set()
        go.wait()
        if result == "error":
            raise ValueError

    async def run():
        for result in ("value", "error"):
            job = workers.run(work, result)
            await asyncio.to_thread(begun.wait)
            job.cancel()
            go.set()
            assert await workers.run(str, 3) == "3"
            begun.clear()
            go.clear()

    asyncio.run(run())


def test_a_job_may_outlive_its_loop(workers):
    go = threading.Event()

    async def begin():
        workers.run(lambda _: go.wait(), None)

    async def run():
        return await workers.run(str, 3)

    asyncio.run(begin())
    go.set()
    assert asyncio.run(run()) == "3"


def test_workers_have_a_waiting_job_while_none_is_free(workers):
    go = threading.Event()

    async def run():
        first = workers.run(lambda _: go.wait(), None)
        second = workers.run(str, 2)
        wanted = workers.have_waiting()
        go.set()
        await asyncio.gather(first, second)
        return wanted, workers.have_waiting()

    assert asyncio.run(run()) == (True, False)
