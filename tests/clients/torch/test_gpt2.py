"""GPT-2 is published from a live model and initialized by name in a group of two processes."""

import pytest
from weightinit.torch import initialize_, publish

from tests.clients.torch import gpt2
from tests.clients.torch.gpt2 import SIZES
from tests.clients.torch.worlds import run_world


@pytest.fixture(scope="module", params=["tiny", pytest.param("small", marks=pytest.mark.slow)])
def name(request):
    """The name of a size."""
    return request.param


@pytest.fixture(scope="module")
def reference(name, client):
    """The name under which a model of that size is published."""
    size = SIZES[name]
    published = publish(
        size.build(), 42, rules=size.rules, name=f"tests/gpt2-{name}/1", author="tests", client=client
    )
    return published.name


@pytest.fixture(scope="module")
def alone(name, reference, client):
    """A model that one process starts from its seed."""
    model = SIZES[name].build()
    initialize_(model, 42, rules=SIZES[name].rules, client=client)
    return list(model.parameters())


@pytest.fixture(scope="module")
def world(name, reference, service_url, tmp_path_factory):
    """What two processes wrote."""
    return run_world(2, service_url, tmp_path_factory.mktemp("gpt2"), gpt2.run_rank, name, reference)


def test_each_process_has_the_bits_of_one_process(world, alone):
    assert [process["digests"] for process in world] == [gpt2.digest(alone)] * 2


def test_every_byte_is_fetched_once(world, alone):
    assert sum(process["asked"] for process in world) == sum(one.nbytes for one in alone if one.ndim > 1)


@pytest.mark.slow
def test_the_small_one_has_124_million_parameters():
    assert sum(one.numel() for one in SIZES["small"].build().parameters()) == 124_439_808
