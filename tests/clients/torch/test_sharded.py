"""In any group and mesh each process fetches only its shards, with the values of the whole model."""

import pytest
import torch
from weightinit.torch import initialize_

from tests.clients.torch.ranks import SCENARIOS, SEED
from tests.clients.torch.worlds import run_world


@pytest.fixture(scope="module", params=[1, 2, 4])
def world(request, service_url, tmp_path_factory):
    """The outcomes of all scenarios in all processes of a world."""
    return run_world(request.param, service_url, tmp_path_factory.mktemp("world"))


@pytest.fixture(params=SCENARIOS)
def name(request):
    """The name of a scenario."""
    return request.param


@pytest.fixture
def alone(name, client):
    """Start the scenario's model in one process, without sharding."""

    def start(seed):
        model = SCENARIOS[name].model()
        initialize_(model, seed, client=client)
        return model

    return start


def test_each_process_has_the_bits_of_one_process(world, name, alone):
    expected = list(alone(SEED).parameters())
    for process in world:
        assert list(map(torch.equal, process[name].tensors, expected)) == [True] * len(expected)


def test_each_process_fetches_what_it_holds(world, name):
    assert [process[name].asked for process in world] == [process[name].held for process in world]


def test_fsdp_fetches_every_byte_once(world):
    whole = sum(kernel.nbytes for kernel in SCENARIOS["fsdp"].model().parameters() if kernel.ndim > 1)
    assert sum(process["fsdp"].asked for process in world) == whole


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if scenario.runs])
def test_a_sharded_model_answers_as_one_process_does(world, name, alone):
    with torch.no_grad():
        expected = alone(SEED)(torch.arange(6).view(2, 3))
    for process in world:
        torch.testing.assert_close(process[name].answer, expected)


def test_flattened_parameters_are_refused_with_advice(world):
    if len(world) > 1:
        assert "use fully_shard" in world[-1]["flattened"].refusal


@pytest.mark.parametrize("name", ["tensor parallel"])
def test_flattened_parameters_are_started_while_they_are_gathered(world, alone):
    expected = list(alone(SEED).parameters())
    for process in world:
        assert list(map(torch.equal, process["flattened"].tensors, expected)) == [True] * len(expected)


def test_a_model_that_has_run_can_be_started_again(world, name, alone):
    expected = list(alone(SEED + 1).parameters())
    for process in world:
        assert list(map(torch.equal, process[name].again, expected)) == [True] * len(expected)


def test_a_published_start_has_the_bits_of_one_process(world, name, alone):
    expected = list(alone(SEED).parameters())
    for process in world:
        assert list(map(torch.equal, process[name].published, expected)) == [True] * len(expected)


@pytest.mark.parametrize(
    "name", ["fsdp of every part", "fsdp along the last axis", "fsdp over tensor parallel"]
)
def test_of_a_published_model_each_process_fetches_what_it_holds(world, name):
    assert [process[name].fetched for process in world] == [process[name].held for process in world]


def test_the_row_of_padding_is_not_fetched_of_a_published_model(world):
    row = 4 * SCENARIOS["fsdp"].model().embed.embedding_dim
    whole = sum(process["fsdp"].held for process in world)
    assert sum(process["fsdp"].fetched for process in world) == whole - row
