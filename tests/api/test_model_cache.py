import asyncio
from functools import partial

import orjson
import pytest

from service.api import model_cache
from service.api.content.representation import Content, Representation
from service.api.model_cache import ModelCache, Published, render_parameters
from service.api.schemas.responses import DecidedModel
from service.api.work.shares import Shares
from service.core.models import Limits, parse_model
from service.store import StoreUnavailableError


def make_model(seed=1, tensors=1):
    listed = [{"name": f"layer.{number}", "shape": [2, 3]} for number in range(tensors)]
    return parse_model({"seed": seed, "tensors": listed}, 1, Limits(1000, 10**6, 8))


def make_cache(limit=32):
    return ModelCache(Shares("requests", limit, 0.5))


class Loader:
    """Loads a canonical form, and counts how often it was asked to."""

    def __init__(self, canonical):
        self.count = 0
        self._canonical = canonical

    async def __call__(self):
        self.count += 1
        await asyncio.sleep(0.01)
        if isinstance(self._canonical, Exception):
            raise self._canonical
        return self._canonical


def test_of_all_who_ask_for_a_model_at_once_one_loads_it():
    model = make_model()
    load = Loader(model.canonical)

    async def ask():
        kept = make_cache()
        return await asyncio.gather(*(kept.find(model.id, load, "peer") for _ in range(32)))

    found = asyncio.run(ask())
    assert load.count == 1
    assert all(published is found[0] for published in found)
    assert found[0].model.canonical == model.canonical


def test_a_model_that_is_kept_is_not_loaded_again():
    model = make_model()
    load = Loader(model.canonical)

    async def ask():
        kept = make_cache()
        await kept.find(model.id, load, "peer")
        return await kept.find(model.id, load, "peer")

    assert asyncio.run(ask()).id == model.id
    assert load.count == 1


@pytest.mark.parametrize("nothing", [None, StoreUnavailableError("locked")])
def test_what_was_not_found_is_looked_for_again(nothing):
    model = make_model()

    async def ask():
        kept = make_cache()
        first = (await asyncio.gather(kept.find(model.id, Loader(nothing), "peer"), return_exceptions=True))[
            0
        ]
        return first, await kept.find(model.id, Loader(model.canonical), "peer")

    first, second = asyncio.run(ask())
    assert first is nothing
    assert second.id == model.id


def test_one_who_leaves_does_not_take_the_model_from_the_others():
    model = make_model()

    async def ask():
        kept, load = make_cache(), Loader(model.canonical)
        leaving = asyncio.create_task(kept.find(model.id, load, "peer"))
        staying = asyncio.create_task(kept.find(model.id, load, "peer"))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(ask()).id == model.id


def test_the_models_nobody_asked_for_longest_go_when_there_are_too_many_parts(monkeypatch):
    monkeypatch.setattr(model_cache, "MAX_PARTS", 5)
    first, second, third = (make_model(seed, tensors=2) for seed in range(3))
    loads = {model.id: Loader(model.canonical) for model in (first, second, third)}

    async def ask():
        kept = make_cache()
        for model in (first, second, first, third, first, second):
            await kept.find(model.id, loads[model.id], "peer")

    asyncio.run(ask())
    assert [load.count for load in loads.values()] == [1, 2, 1]


def test_a_model_that_was_altered_is_refused():
    with pytest.raises(StoreUnavailableError, match="damaged"):
        Published.of("0" * 64, make_model().canonical)


def test_parameters_are_written_as_at_once():
    parameters = DecidedModel.of("0" * 64, make_model(tensors=3))
    assert render_parameters(parameters) == orjson.dumps(parameters)


def test_a_peer_has_its_share_of_different_work_and_others_theirs():
    published = Published.of((model := make_model(tensors=20)).id, model.canonical)
    make = partial(published.make_file, "a/b")

    async def ask():
        kept = make_cache(limit=4)
        peers = ["a", "a", "a", "b"]
        asked = (kept.find_content((str(n),), 20, make, peer) for n, peer in enumerate(peers))
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(ask())
    assert [getattr(one, "status_code", 200) for one in found] == [200, 200, 429, 200]


def test_content_of_many_parts_is_made_once():
    published = Published.of((model := make_model(tensors=20)).id, model.canonical)
    made = []

    def make():
        made.append(published.make_file("some/type"))
        return made[-1]

    async def ask(parts):
        kept = make_cache()
        return await asyncio.gather(*(kept.find_content(("file",), parts, make, "peer") for _ in range(8)))

    found = asyncio.run(ask(published.parts))
    assert len(made) == 1
    assert all(content is made[0] for content in found)
    asyncio.run(ask(1))
    assert len(made) == 9


def test_contents_nobody_asked_for_longest_go_when_there_are_too_many_parts(monkeypatch):
    monkeypatch.setattr(model_cache, "MAX_PARTS", 45)  # two contents of 20 sources
    published = Published.of((model := make_model(tensors=20)).id, model.canonical)
    made = []

    async def ask():
        kept = make_cache()
        for key in "abacab":
            await kept.find_content(
                (key,), 20, lambda key=key: made.append(key) or published.make_file("a/b"), "peer"
            )

    asyncio.run(ask())
    assert made == ["a", "b", "c", "b"]


def test_contents_without_sources_count_too(monkeypatch):
    monkeypatch.setattr(model_cache, "MAX_PARTS", 2)
    content = Content.of(Representation("a/b", b"", ()), {})
    made = []

    def make():
        made.append(content)
        return content

    async def ask():
        kept = make_cache()
        for key in "abca":
            await kept.find_content((key,), 20, make, "peer")

    asyncio.run(ask())
    assert len(made) == 4
