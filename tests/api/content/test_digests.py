import asyncio
import hashlib

import pytest

from service.api.content.digests import REMEMBERED, Digests, choose_algorithm
from service.api.content.representation import NPY, Representation
from service.api.http.ranges import Span
from service.api.work.workers import Workers
from service.core import LayerSpec, resolve_parameters
from service.stream import Tensor


@pytest.mark.parametrize(
    ("want", "algorithm"),
    [
        (None, None),
        ("", None),
        ("sha-256=1", "sha-256"),
        ("sha-512=1", "sha-512"),
        ("sha-512=3, sha-256=10", "sha-256"),
        ("sha-256=3, sha-512=10", "sha-512"),
        ("sha-256=5, sha-512=5", "sha-256"),
        ("sha-256=0", None),
        ("sha-256=0, sha-512=1", "sha-512"),
        ("md5=10", None),
        ("sha-256", None),
        ("sha-256=11", None),
        ("sha-256=-1", None),
        ("sha-256=?1", None),
        ("SHA-256=1", None),
        ("nonsense, sha-256=1", "sha-256"),
    ],
)
def test_the_preferred_algorithm_that_is_known_is_chosen(want, algorithm):
    assert choose_algorithm(want) == algorithm


@pytest.fixture
def workers():
    workers = Workers(2)
    yield workers
    workers.close()


def represent(seed, shape=(600, 500)):
    spec = LayerSpec(shape=shape, seed=seed)
    return Representation.of(Tensor.of(spec, resolve_parameters(spec)), NPY)


def test_a_digest_is_that_of_all_the_bytes(workers):
    whole = represent(1)
    digest = asyncio.run(Digests(workers).compute("sha-512", "a", whole))
    assert digest == hashlib.sha512(whole.draw(Span(0, whole.length))).digest()


def test_a_digest_is_remembered_by_its_tag(workers):
    digests = Digests(workers)

    async def compute():
        return [await digests.compute("sha-256", "a", represent(seed)) for seed in (1, 2)]

    first, second = asyncio.run(compute())
    assert first == second


def test_only_the_latest_digests_are_remembered(workers):
    digests = Digests(workers)

    async def compute():
        whole = represent(1, (1, 1))
        for number in range(REMEMBERED):
            await digests.compute("sha-256", str(number), whole)
        await digests.compute("sha-256", "0", represent(2))  # known, and the latest from now on
        await digests.compute("sha-256", "new", whole)
        kept, dropped = [await digests.compute("sha-256", tag, represent(2)) for tag in ("0", "1")]
        return kept, dropped

    kept, dropped = asyncio.run(compute())
    assert kept != dropped
