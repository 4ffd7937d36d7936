"""Clients, models and what they say can be pickled and copied: settings travel, connections do not."""

import copy
import pickle
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
import torch
import weightinit
import weightinit.torch
from weightinit import AsyncClient, Client, FieldError, Model, NameTaken, Retry, Spec, SpecRejected
from weightinit.settings import Settings

T = TypeVar("T")
MODEL = {
    "seed": "42",
    "tensors": [
        {"name": "head", "shape": [3, 4], "activation": "relu"},
        {
            "name": "table",
            "shape": [3, 4],
            "parts": [{"shape": [1, 4], "constant": 0}, {"shape": [3, 4], "slice": "1:3"}],
        },
    ],
}


def repickle(value: T) -> T:
    """Pickle and unpickle a value."""
    taken: T = pickle.loads(pickle.dumps(value))
    return taken


COPIES = [repickle, copy.deepcopy, copy.copy]


@pytest.mark.parametrize("make_copy", COPIES)
def test_a_copied_client_draws_what_the_client_draws(small_server, small, make_client, make_copy):
    with make_client(small_server.url) as client, make_copy(client) as copied:
        assert np.array_equal(client.weights(small.shape, seed=1, name="w"), small)
        assert np.array_equal(copied.weights(small.shape, seed=1, name="w"), small)


@pytest.mark.parametrize("make_copy", COPIES)
def test_a_client_goes_on_when_its_copy_is_closed(small_server, small, make_client, make_copy):
    client = make_client(small_server.url)
    client.weights(small.shape, seed=1, name="w")
    copied = make_copy(client)
    copied.weights(small.shape, seed=1, name="w")
    copied.close()
    assert np.array_equal(client.weights(small.shape, seed=1, name="w"), small)


@pytest.mark.parametrize("make_copy", COPIES)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_the_settings_of_a_client_travel(make_copy: Callable[[object], object], kind, tmp_path):
    settings = {"token": "t", "timeout": 3.0, "retries": Retry(attempts=2), "cache": tmp_path, "verify": True}
    copied = make_copy(kind("http://a:1,http://b:2", **settings))
    client = copied._client if kind is AsyncClient else copied
    assert client._settings == Settings(
        ("http://a:1", "http://b:2"), "t", 3.0, Retry(attempts=2), tmp_path, 10 * 2**30, verify=True
    )


@pytest.mark.parametrize("make_copy", COPIES)
def test_models_and_their_specs_are_equal_to_their_copies(make_copy):
    model = Model.from_json(MODEL)
    assert model.by_name  # what was looked up once is kept with the model
    assert make_copy(model) == model
    assert make_copy(Spec((3, 4), activation="relu")) == Spec((3, 4), activation="relu")


@pytest.mark.parametrize("make_copy", COPIES)
def test_what_an_error_says_travels(make_copy):
    field = FieldError("shape", "is required", "nothing", "shape is required")
    rejected = make_copy(SpecRejected("no", status=422, detail="why", errors=[field]))
    assert (str(rejected), rejected.status, rejected.detail, rejected.errors) == ("no", 422, "why", (field,))
    assert make_copy(NameTaken("taken", status=409, model="1" * 64)).model == "1" * 64


def find_errors():
    """Find all errors of the client, each made with a message alone."""
    exported = (getattr(weightinit, name) for name in weightinit.__all__)
    kinds = [value for value in exported if isinstance(value, type)]
    return [kind("why") for kind in kinds if issubclass(kind, Exception)]


@pytest.mark.parametrize("error", find_errors(), ids=lambda error: type(error).__name__)
def test_every_error_can_be_pickled(error):  # as a pool of processes pickles what a worker raises
    copied = repickle(error)
    assert type(copied) is type(error)
    assert str(copied) == "why"


@pytest.mark.parametrize("make_copy", COPIES)
@pytest.mark.parametrize("name", [name for name in weightinit.torch.__all__ if name.endswith("_")])
def test_initializers_of_torch_travel_by_name(name, make_copy):
    initializer = getattr(weightinit.torch, name)
    assert make_copy(initializer) is initializer


@pytest.mark.parametrize("make_copy", COPIES)
def test_a_report_is_equal_to_its_copy(client, make_copy):
    report = weightinit.torch.plan(torch.nn.Linear(3, 4), 42, client=client)
    assert make_copy(report) == report
