import asyncio
import resource
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import pytest

import service.api.context
from service.api.context import Context, read_store, write_store
from service.settings import Settings
from service.store import StoreUnavailableError
from tests.servers import run_server, wait_until

MODEL = {"seed": 1, "tensors": [{"name": "w", "shape": [3, 3]}]}
NAME = "/v1/names/team/net/1.0"
STATELESS = ("/livez", "/readyz", "/v1/weights?shape=3,3&seed=1", "/v1/parameters?shape=3,3", "/metrics")


@pytest.fixture
def server(tmp_path):
    with run_server(WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server:
        yield server


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture
def model(client):
    return client.post("/v1/models", json=MODEL).json()["id"]


def publish(client, model, path=NAME):
    return client.put(path, json={"model": model, "author": "ada"})


def check_problem(response):
    """Check that an answer tells a client that the storage failed, when to try again, and nothing else."""
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0
    assert response.json()["type"] == "urn:weightinit:storage-unavailable"
    assert response.json()["detail"].startswith("The storage ")


def check_stateless(client):
    """Check that whatever needs no storage is answered."""
    for path in STATELESS:
        assert client.get(path).status_code == 200


@contextmanager
def locked(folder):
    with closing(sqlite3.connect(folder / "weightinit.sqlite3")) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


def test_a_locked_database_is_a_503_and_all_else_is_answered_meanwhile(client, model, tmp_path):
    publish(client, model)
    with locked(tmp_path), ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(publish, client, model, f"/v1/names/a/b/{number}") for number in range(12)]
        check_stateless(client)
        assert not any(future.done() for future in waiting)  # nothing waited for what they wait for
        for future in waiting:
            check_problem(future.result())
        assert client.get(NAME).status_code == 200  # readers wait for no writer
    assert publish(client, model, "/v1/names/a/b/1").status_code == 201


def test_a_full_disk_is_a_503_until_there_is_room(client, server, model):
    large = {**MODEL, "tensors": [{"name": f"{number:0600}", "shape": [3, 3]} for number in range(2000)]}
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (2**19, limits[1]))
    check_problem(client.post("/v1/models", json=large))
    check_stateless(client)
    assert client.get(f"/v1/models/{model}").status_code == 200
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
    assert client.post("/v1/models", json=large).status_code == 201


def test_a_damaged_database_is_a_503(tmp_path):
    (tmp_path / "weightinit.sqlite3").write_bytes(b"damaged" * 1000)
    with (
        run_server(WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        for response in (
            client.post("/v1/models", json=MODEL),
            client.get(f"/v1/models/{'0' * 64}"),
            client.get(NAME),
            publish(client, "0" * 64),
            client.delete(f"{NAME}?author=ada"),
            client.get("/v1/names"),
        ):
            check_problem(response)
            assert response.json()["detail"] == "The storage is damaged."
        check_stateless(client)


def test_a_directory_that_vanishes_is_a_503_until_it_is_back(client, model, tmp_path):
    publish(client, model)
    hidden = tmp_path.with_name("hidden")
    tmp_path.rename(hidden)
    other = {**MODEL, "seed": 2}
    for response in (
        client.get(NAME),
        client.get(f"/v1/models/{'0' * 64}"),
        client.get("/v1/names"),
        client.delete(f"{NAME}?author=ada"),
        client.post("/v1/models", json=other),
    ):
        check_problem(response)
    check_stateless(client)
    hidden.rename(tmp_path)
    assert client.get(NAME).status_code == 200
    assert client.post("/v1/models", json=other).status_code == 201


def test_a_model_that_was_altered_is_a_503_and_the_others_are_served(tmp_path):
    with run_server(WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server:
        models = f"{server.url}/v1/models"
        altered, whole = (httpx.post(models, json={**MODEL, "seed": seed}).json()["id"] for seed in (1, 2))
        with closing(sqlite3.connect(tmp_path / "weightinit.sqlite3")) as connection, connection:
            connection.execute("UPDATE models SET canonical = ? WHERE id = ?", (b"{}", altered))
        check_problem(httpx.get(f"{models}/{altered}/weights"))
        assert httpx.get(f"{models}/{whole}/weights").status_code == 200


def test_what_failed_is_in_the_log_once_and_without_a_trace(tmp_path):
    (tmp_path / "weightinit.sqlite3").write_bytes(b"damaged" * 1000)
    with run_server(WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server:
        check_problem(httpx.get(server.url + NAME))
    told = [line for line in server.log if "the store failed: DatabaseError: file is not a database" in line]
    assert len(told) == 1
    assert not [line for line in server.log if "Traceback" in line]


def test_a_server_of_postgresql_that_stops_is_a_503_until_it_is_back(cluster):
    url = cluster.make_database()
    with (
        run_server(WEIGHTINIT_DATABASE_URL=url) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        model = client.post("/v1/models", json=MODEL).json()["id"]
        publish(client, model)
        cluster.stop()
        try:
            check_problem(client.get(NAME))
            check_problem(publish(client, model, "/v1/names/a/b/1"))
            check_stateless(client)
        finally:
            cluster.start()
        assert client.get(NAME).json()["model"] == model
        assert publish(client, model, "/v1/names/a/b/1").status_code == 201
    assert url not in "".join(server.log)


@pytest.mark.timeout(90)
def test_a_server_of_postgresql_that_hangs_is_a_503_in_seconds_until_it_answers_again(cluster):
    with (
        run_server(WEIGHTINIT_DATABASE_URL=cluster.make_database()) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        publish(client, client.post("/v1/models", json=MODEL).json()["id"])
        with cluster.frozen(), ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(client.get, NAME) for _ in range(8)]
            check_stateless(client)
            for future in waiting:
                check_problem(future.result())
        wait_until(lambda: client.get(NAME).status_code == 200)


def call_in_loop(function, call_store=read_store):
    """Call a function as endpoints call the store, in a context of its own."""
    context = Context.of(Settings(), b"")

    async def call():
        try:
            return await call_store(context, function)
        finally:
            context.store_readers.close()
            context.store_writers.close()
            context.workers.close()

    return asyncio.run(call())


def test_a_call_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(service.api.context, "STORE_TIMEOUT", 0.1)
    released = threading.Event()
    with pytest.raises(StoreUnavailableError, match="did not respond in time"):
        call_in_loop(lambda: released.wait(30))
    released.set()


def test_reads_and_writes_have_threads_of_their_own():
    assert call_in_loop(lambda: threading.current_thread().name).startswith("read-")
    assert call_in_loop(lambda: threading.current_thread().name, write_store).startswith("write-")
