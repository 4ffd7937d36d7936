"""The same verbs, awaited."""

import asyncio
import threading

import numpy as np
import pytest
from weightinit import AsyncClient, NotWeightinit, Retry, Unauthorized

from tests.clients.faults import refuse, truncate

NEVER = Retry(base=1000, longest=1000, patience=1000)


def call(url, verb, *arguments, **settings):
    """Await one verb of a client."""
    keywords = settings.pop("keywords", {})

    async def run():
        async with AsyncClient(url, **settings) as client:
            return await getattr(client, verb)(*arguments, **keywords)

    return asyncio.run(run())


def test_weights(server, tensor):
    server.script = [truncate(600_000)]
    fetched = call(
        server.url, "weights", tensor.shape, keywords={"seed": 1, "name": "w"}, retries=Retry(base=0)
    )
    assert fetched.tobytes() == tensor.tobytes()


def test_raw(small_server, small):
    assert call(small_server.url, "raw", small.shape, keywords={"seed": 1, "name": "w"}) == small.tobytes()


def test_fetch(small_server, small):
    out = np.empty_like(small)
    call(small_server.url, "fetch", small.shape, keywords={"seed": 1, "name": "w", "out": out})
    assert out.tobytes() == small.tobytes()


def test_parameters(small_server, small):
    with pytest.raises(NotWeightinit):
        call(small_server.url, "parameters", small.shape)
    assert small_server.requests[0].path == "/v1/parameters"


def test_errors_are_the_same(small_server, small):
    small_server.script = [refuse(401)]
    with pytest.raises(Unauthorized):
        call(small_server.url, "weights", small.shape, keywords={"seed": 1, "name": "w"})


def test_several_at_once(server, tensor):
    async def run():
        async with AsyncClient(server.url) as client:
            return await asyncio.gather(
                *(client.weights(tensor.shape, seed=seed, name="w") for seed in range(4))
            )

    assert all(array.tobytes() == tensor.tobytes() for array in asyncio.run(run()))


def test_the_loop_is_free_meanwhile(small_server, small):
    answer = threading.Event()

    def wait(exchange):
        answer.wait()
        exchange.answer(exchange.make_answer())

    small_server.script = [wait]

    async def run():
        async with AsyncClient(small_server.url) as client:
            task = asyncio.create_task(client.weights(small.shape, seed=1, name="w"))
            await asyncio.sleep(0)
            answer.set()
            return await task

    assert asyncio.run(run()).tobytes() == small.tobytes()


def cancel(server, shape, ready, go_on, **settings):
    """Cancel a call once it has got somewhere, let the server go on, and return when the call has."""
    out = np.zeros(shape, np.float32)

    async def run():
        async with AsyncClient(server.url, **settings) as client:
            task = asyncio.create_task(client.weights(shape, seed=1, name="w", out=out))
            await asyncio.to_thread(ready.wait)
            task.cancel()
            await asyncio.sleep(0)
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
        return out.tobytes()

    return asyncio.run(run()), out


def test_a_cancelled_task_has_let_go_of_its_memory(server, tensor):
    started, go_on = threading.Event(), threading.Event()

    def send_in_two(exchange):
        answer = exchange.make_answer().encode()
        exchange.send(answer[:100_000])
        started.set()
        go_on.wait()
        exchange.send(answer[100_000:])

    server.script = [send_in_two]
    before, out = cancel(server, tensor.shape, started, go_on)
    assert out.tobytes() == before


def test_a_cancelled_task_does_not_wait_for_another_attempt(small_server, small):
    asked = threading.Event()

    def fail(exchange):
        refuse(503)(exchange)
        asked.set()

    small_server.script = [fail]
    cancel(small_server, small.shape, asked, threading.Event(), retries=NEVER)
    assert len(small_server.requests) == 1
