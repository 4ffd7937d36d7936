import asyncio

from service.api.work.single_flight import SingleFlight


class Work:
    """Work that goes on until it is released, and counts how often it began and was cancelled."""

    def __init__(self):
        self.begun = self.cancelled = 0
        self.released = asyncio.Event()

    async def run(self):
        self.begun += 1
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "done"


def run_with_waiters(scenario, count=3):
    """Run a scenario with some work and that many waiters for it."""

    async def run():
        work, flights = Work(), SingleFlight()
        waiters = [asyncio.create_task(flights.run("key", work.run)) for _ in range(count)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return await scenario(work, flights, waiters)

    return asyncio.run(run())


def test_equal_work_at_once_runs_once_for_all():
    async def scenario(work, _flights, waiters):
        work.released.set()
        return work.begun, await asyncio.gather(*waiters)

    assert run_with_waiters(scenario) == (1, ["done"] * 3)


def test_a_waiter_that_leaves_does_not_stop_the_work_of_the_others():
    async def scenario(work, _flights, waiters):
        waiters[0].cancel()
        await asyncio.sleep(0.01)
        work.released.set()
        return work.cancelled, await asyncio.gather(*waiters[1:])

    assert run_with_waiters(scenario) == (0, ["done"] * 2)


def test_the_last_waiter_that_leaves_stops_the_work():
    async def scenario(work, _flights, waiters):
        for waiter in waiters:
            waiter.cancel()
        await asyncio.sleep(0.01)
        return work.cancelled

    assert run_with_waiters(scenario) == 1


def test_work_that_was_stopped_begins_anew_for_the_next_waiter():
    async def scenario(work, flights, waiters):
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        work.released.set()
        return await flights.run("key", work.run), work.begun

    assert run_with_waiters(scenario) == ("done", 2)


def test_an_error_is_raised_for_every_waiter():
    async def run():
        async def fail():
            raise KeyError("broken")

        flights = SingleFlight()
        return await asyncio.gather(*(flights.run("key", fail) for _ in range(2)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(run())] == ["'broken'"] * 2


def test_later_work_of_a_key_runs_again():
    async def run():
        async def work():
            results.append(len(results))
            return results[-1]

        results, flights = [], SingleFlight()
        return [await flights.run("key", work) for _ in range(2)]

    assert asyncio.run(run()) == [0, 1]


def test_different_keys_run_side_by_side():
    async def run():
        async def work():
            begun.append(None)
            await asyncio.sleep(0.01)
            return len(begun)

        begun, flights = [], SingleFlight()
        return await asyncio.gather(*(flights.run(key, work) for key in "ab"))

    assert asyncio.run(run()) == [2, 2]
