"""Offline: answers come from the cache alone, and nobody is asked for what it does not have."""

import asyncio
import json
import socket
import time
import uuid
from dataclasses import asdict

import numpy as np
import pytest
import torch
import weightinit.torch
from weightinit import (
    AsyncClient,
    CacheWarning,
    Client,
    ConnectionFailed,
    Model,
    NotFound,
    Offline,
    Part,
    Retired,
    Spec,
    TensorSpec,
)
from weightinit.cache import ENTRY
from weightinit.cli import main
from weightinit.settings import resolve_settings

from tests.clients.faults import refuse
from tests.clients.test_registry_faults import ENTRY as NAME_ENTRY
from tests.clients.test_registry_faults import MODEL as MODEL_ID
from tests.clients.test_registry_faults import TEXT, say

MODEL = Model(42, (TensorSpec.of("fc", Part.of(Spec((8, 4), activation="relu", name="fc"))),))
PARAMETERS = {"Cache-Control": "public, max-age=3600"}
NO_CACHE = {"Cache-Control": "no-cache"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def online(service_url, folder):
    """A client that keeps what it is answered."""
    with Client(service_url, cache=folder) as client:
        yield client


@pytest.fixture
def nobody(monkeypatch):
    """Fail whoever opens a connection, or looks a host up."""

    def refuse_all(*arguments, **keywords):
        raise AssertionError(f"a connection was tried: {arguments}")

    for function in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, function, refuse_all)
    monkeypatch.setattr(socket.socket, "connect", refuse_all, raising=False)


@pytest.fixture
def offline(service_url, folder, monkeypatch):
    """A client of the same service that may ask nobody, with the same cache."""
    monkeypatch.setenv("WEIGHTINIT_OFFLINE", "1")
    monkeypatch.setenv("WEIGHTINIT_CACHE", str(folder))
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    with Client() as client:
        yield client


@pytest.fixture
def name(online):
    """The name of a published model."""
    name = f"test/{uuid.uuid4().hex}/1"
    online.publish(MODEL, name=name, author="Ada")
    return name


VERBS = {
    "parameters": lambda client, _: client.parameters((8, 4), activation="relu"),
    "weights": lambda client, _: client.weights((8, 4), seed=1, name="w").tolist(),
    "raw": lambda client, _: client.raw((8, 4), seed=1, name="w", slice="0:2"),
    "model": lambda client, name: client.model(name),
    "model_parameters": lambda client, name: client.model_parameters(name),
    "model_parameters of a model": lambda client, _: client.model_parameters(MODEL),
    "resolve": lambda client, name: client.resolve(name),
}
NEVER_KEPT = {
    "publish": lambda client, _: client.publish(MODEL),
    "pull": lambda client, _: client.pull("0" * 64, "pulled.safetensors"),
    "names": lambda client, _: list(client.names()),
    "retire": lambda client, name: client.retire(name, note="no"),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_what_was_answered_once_is_answered_offline(online, name, nobody_later, offline, verb):
    expected = verb(online, name)
    nobody_later()
    assert verb(offline, name) == expected


@pytest.fixture
def nobody_later(request):
    """From a call on, nobody may open a connection."""
    return lambda: request.getfixturevalue("nobody")


@pytest.mark.parametrize("verb", [*VERBS.values(), *NEVER_KEPT.values()], ids=[*VERBS, *NEVER_KEPT])
def test_what_is_not_kept_is_an_error_and_nobody_is_asked(offline, nobody, verb, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Offline):
        verb(offline, "a/b/1")
    assert list(tmp_path.iterdir()) == []


def test_the_error_names_the_variable_the_url_and_the_cache(offline, service_url, folder):
    with pytest.raises(Offline) as raised:
        offline.weights((8, 4), seed=1, name="fc")
    assert str(raised.value) == (
        f"the cache {folder} does not have weights fc 8×4; unset WEIGHTINIT_OFFLINE to request "
        f"{service_url}/v1/weights?shape=8%2C4&seed=1&name=fc"
    )


def test_the_error_has_no_password(folder, make_client):
    client = make_client("http://me:secret@host:1", offline=True, cache=folder)
    with pytest.raises(Offline, match="http://host:1/v1/parameters") as raised:
        client.parameters(3)
    assert "secret" not in str(raised.value)


def test_it_is_a_failed_connection_that_is_not_tried_again(offline):
    with pytest.raises(ConnectionFailed) as raised:
        offline.parameters(3)
    assert not raised.value.retryable
    assert not hasattr(raised.value, "__notes__")


def test_without_a_cache_nothing_is_answered(service_url, make_client, nobody):
    with pytest.raises(Offline, match="there is no cache for parameters of 3; unset WEIGHTINIT_OFFLINE"):
        make_client(service_url, cache=False, offline=True).parameters(3)


# --- who else asks --------------------------------------------------------------------------------


def test_an_asynchronous_client_is_offline_too(online, nobody_later, offline, service_url, folder):
    expected = online.parameters((8, 4))
    nobody_later()

    async def ask():
        async with AsyncClient() as client:
            assert await client.parameters((8, 4)) == expected
            with pytest.raises(Offline):
                await client.parameters((8, 5))

    # Before the loop is made, which has a connection to itself.
    asyncio.run(ask())


def test_an_adapter_is_offline_too(online, offline, nobody_later):
    one, two = torch.nn.Linear(4, 8), torch.nn.Linear(4, 8)
    weightinit.torch.initialize_(one, 42, client=online)
    nobody_later()
    weightinit.torch.initialize_(two, 42, client=offline)
    assert torch.equal(one.weight, two.weight)
    with pytest.raises(Offline):
        weightinit.torch.initialize_(two, 43, client=offline)


def test_an_adapter_initializes_by_name_offline(online, offline, name, nobody_later):
    model = torch.nn.ParameterDict({"fc": torch.empty(8, 4)})
    weightinit.torch.initialize_(model, name, client=online)
    expected = model["fc"].detach().clone()
    nobody_later()
    model["fc"].data.zero_()
    weightinit.torch.initialize_(model, name, client=offline)
    assert torch.equal(model["fc"], expected)


def test_a_command_is_offline_too(online, offline, nobody_later, capsys):
    online.parameters((8, 4))
    nobody_later()
    assert main(["parameters", "8,4"]) == 0
    assert main(["parameters", "8,5"]) == 1
    assert "WEIGHTINIT_OFFLINE" in capsys.readouterr().err


# --- what is kept ---------------------------------------------------------------------------------


def test_parameters_are_used_for_as_long_as_the_service_allows(
    online, folder, small_server, monkeypatch, make_client
):
    client = make_client(small_server.url, cache=folder)
    text = json.dumps(asdict(online.parameters((8, 4)))).encode()
    small_server.script = [refuse(200, text, "application/json", **PARAMETERS)] * 2
    first, again = (client.parameters((8, 4)) for _ in range(2))
    assert (first, len(small_server.requests)) == (again, 1)
    now = time.time()
    monkeypatch.setattr("weightinit.cache.time.time", lambda: now + 3601)
    assert client.parameters((8, 4)) == first
    assert len(small_server.requests) == 2


def test_offline_their_age_does_not_matter(online, offline, nobody_later, monkeypatch):
    expected = online.parameters((8, 4))
    now = time.time()
    monkeypatch.setattr("weightinit.cache.time.time", lambda: now + 1e9)
    nobody_later()
    assert offline.parameters((8, 4)) == expected


def test_a_name_is_looked_up_each_time(small_server, folder, make_client):
    client = make_client(small_server.url, cache=folder)
    small_server.script = [say(NAME_ENTRY, **NO_CACHE)] * 2
    for _ in range(2):
        client.resolve("a/b/1")
    assert len(small_server.requests) == 2


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (410, Retired)])
def test_a_name_that_is_gone_is_forgotten(small_server, folder, status, error, make_client):
    client = make_client(small_server.url, cache=folder)
    problem = json.dumps({"title": "gone", "model": MODEL_ID}).encode()
    small_server.script = [say(NAME_ENTRY, **NO_CACHE), refuse(status, problem)]
    client.resolve("a/b/1")
    with pytest.raises(error):
        client.resolve("a/b/1")
    with pytest.raises(Offline):
        make_client(small_server.url, cache=folder, offline=True).resolve("a/b/1")


@pytest.mark.parametrize("headers", [{"Cache-Control": "no-store"}, {}])
def test_what_may_not_be_stored_is_not(small_server, folder, headers, make_client):
    small_server.script = [say(NAME_ENTRY, **headers)]
    make_client(small_server.url, cache=folder).resolve("a/b/1")
    assert list(folder.glob(f"*{ENTRY}")) == []


def test_a_model_is_the_same_from_everybody(small_server, folder, make_client):
    small_server.script = [refuse(200, TEXT, "application/json", **PARAMETERS)]
    model = make_client(small_server.url, cache=folder).model(MODEL_ID)
    assert make_client("http://elsewhere:1", cache=folder, offline=True).model(MODEL_ID) == model


def test_a_damaged_answer_is_asked_for_again(small_server, folder, make_client):
    client = make_client(small_server.url, cache=folder)
    small_server.script = [refuse(200, TEXT, "application/json", **PARAMETERS)] * 2
    model = client.model(MODEL_ID)
    (entry,) = folder.glob(f"*{ENTRY}")
    entry.write_bytes(entry.read_bytes()[1:])
    with pytest.warns(CacheWarning, match="is downloaded again"):
        assert client.model(MODEL_ID) == model


def test_an_answer_that_is_wrong_is_not_kept(small_server, folder, make_client):
    client = make_client(small_server.url, cache=folder)
    small_server.script = [
        refuse(200, b"{}", "application/json", **PARAMETERS),
        refuse(200, TEXT, "application/json", **PARAMETERS),
    ]
    assert len(client.model(MODEL_ID).tensors) == 1
    assert len(list(folder.glob(f"*{ENTRY}"))) == 1


def test_an_answer_of_another_version_is_asked_for_again(small_server, folder, monkeypatch, make_client):
    small_server.script = [say({**NAME_ENTRY, "model": 1}, **PARAMETERS), say(NAME_ENTRY, **PARAMETERS)]
    client = make_client(small_server.url, cache=folder)
    with monkeypatch.context() as patched:
        patched.setattr("weightinit.client.READ_ENTRY", lambda response: response.read())
        client.resolve("a/b/1")
    assert client.resolve("a/b/1").model == MODEL_ID


# --- settings -------------------------------------------------------------------------------------


def test_the_argument_goes_before_the_environment():
    assert resolve_settings(environment={"WEIGHTINIT_OFFLINE": "1"}).offline
    assert not resolve_settings(offline=False, environment={"WEIGHTINIT_OFFLINE": "1"}).offline


def test_offline_there_is_a_cache_unless_it_is_turned_off(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert resolve_settings(environment={"WEIGHTINIT_OFFLINE": "1"}).cache == tmp_path / "weightinit"
    assert resolve_settings(environment={"WEIGHTINIT_OFFLINE": "1", "WEIGHTINIT_CACHE": "0"}).cache is None
    assert resolve_settings(cache=False, environment={"WEIGHTINIT_OFFLINE": "1"}).cache is None


def test_offline_nothing_is_written(offline, folder):
    with pytest.raises(Offline):
        offline.weights((8, 4), seed=1, name="w")
    assert not folder.exists()


def test_kept_weights_are_right(online, offline, nobody_later):
    expected = online.weights((300, 100), seed=7, name="w")
    nobody_later()
    assert np.array_equal(offline.weights((300, 100), seed=7, name="w"), expected)
