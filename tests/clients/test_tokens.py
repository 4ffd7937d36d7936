"""The client and the command line with a service that needs tokens."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from weightinit import AsyncClient, Client, ServerError, Unauthorized

from tests.api.tokens import create_token
from tests.servers import run_server

MODEL = {"seed": 1, "tensors": [{"name": "w", "shape": [3, 3]}]}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The URL of a service that needs tokens for all, with the folder of its data."""
    folder = tmp_path_factory.mktemp("data")
    create_token(folder, "read")
    access = {"WEIGHTINIT_READ_ACCESS": "token", "WEIGHTINIT_MAX_TEAM_BYTES": "9000"}
    with run_server(WEIGHTINIT_DATA_DIRECTORY=str(folder), **access) as server:
        yield server.url, folder


def run(url, token, *arguments):
    environment = {**os.environ, "WEIGHTINIT_URL": url, "WEIGHTINIT_TOKEN": token}
    command = [sys.executable, "-m", "weightinit", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_client_with_a_token_publishes_reads_and_retires(guarded):
    url, folder = guarded
    with Client(url, token=create_token(folder, "publish", "retire")) as client:
        published = client.publish(MODEL, name="vision/a/1", author="ada")
        assert client.resolve("vision/a/1").model == published.id
        assert client.model(published.id).seed == 1
        assert [entry.name for entry in client.names()] == ["vision/a/1"]
        assert client.weights((3, 3), seed=1, name="w").shape == (3, 3)
        assert client.retire("vision/a/1", note="old", author="ada").retired is not None


def test_without_a_token_the_advice_is_to_set_one(guarded):
    advice = r"[^.]; set token= or WEIGHTINIT_TOKEN"
    with Client(guarded[0]) as client, pytest.raises(Unauthorized, match=advice):
        client.weights((3, 3), seed=1, name="w")


def test_an_async_client_sends_its_token(guarded):
    url, folder = guarded

    async def fetch():
        async with AsyncClient(url, token=create_token(folder, "read")) as client:
            return await client.weights((3, 3), seed=1, name="w")

    assert asyncio.run(fetch()).shape == (3, 3)


def test_a_scope_that_lacks_is_named_and_no_other_token_advised(guarded):
    url, folder = guarded
    with (
        Client(url, token=create_token(folder, "read")) as client,
        pytest.raises(Unauthorized, match="has no scope publish") as refused,
    ):
        client.publish(MODEL)
    assert refused.value.status == 403
    assert "WEIGHTINIT_TOKEN" not in str(refused.value)


def test_a_quota_that_is_used_up_is_told_at_once(guarded):
    url, folder = guarded
    with (
        Client(url, token=create_token(folder, "publish", team="small")) as client,
        pytest.raises(ServerError, match="small has used") as refused,
    ):
        list(map(client.publish, [{**MODEL, "seed": 100 + seed} for seed in range(20)]))
    assert (refused.value.status, refused.value.retryable) == (507, False)


def test_status_tells_who_the_token_is(guarded):
    url, folder = guarded
    token = create_token(folder, "publish", "retire", team="text", days=90)
    shown = run(url, token, "status")
    assert shown.returncode == 0
    (line,) = (line for line in shown.stdout.splitlines() if line.startswith("token"))
    assert f"{token[3:15]}: publish, retire for team text, " in line
    assert "expires 20" in line
    assert token not in shown.stdout
    told = json.loads(run(url, token, "status", "--json").stdout)
    assert told["services"][0]["token"]["record"]["team"] == "text"


def test_status_tells_that_a_token_is_not_valid(service_url):
    shown = run(service_url, "wi_000000000000_" + "A" * 43, "status")
    assert "The service has no such token." in shown.stdout


def test_status_without_a_token_says_so(service_url):
    assert "not set" in run(service_url, "", "status").stdout
