"""Storage that is full, read-only, locked or at its limit: reads go on, changes are whole or refused."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import psycopg
import pytest

from tests.api.tokens import bear, create_token, publish_model, publish_name, retire_name
from tests.postgres import PASSWORD
from tests.servers import run_server, wait_until

NAME = "/v1/names/vision/net/1"
WEIGHTS = "/v1/weights?shape=512,512&seed=1&name=w"
STORE_CONNECTIONS = 8  # of a worker: 4 that read and 4 that write


@contextmanager
def run_service(*arguments, **environment):
    """Run a service with a published name, and return its client."""
    with (
        run_server(*arguments, **environment) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        assert publish_name(client, "vision/net/1", publish_model(client).json()["id"]).status_code == 201
        client.log = server.log
        yield client


def check_refusal(response, detail):
    """Check that storage problems are 503 with a reason."""
    assert (response.status_code, response.json()["detail"]) == (503, f"The storage {detail}.")


# --- PostgreSQL ------------------------------------------------------------------------------------


def test_names_and_weights_are_read_while_writers_of_postgresql_wait(cluster):
    url = cluster.make_database()
    with run_service(WEIGHTINIT_DATABASE_URL=url) as client:
        model = publish_model(client).json()["id"]
        with psycopg.connect(url) as other, ThreadPoolExecutor(12) as pool:
            other.execute("LOCK TABLE names, audit IN SHARE MODE")  # blocks writers alone
            waiting = [
                pool.submit(publish_name, client, f"vision/new/{number}", model) for number in range(12)
            ]
            for path in (NAME, f"/v1/models/{model}", "/v1/names", WEIGHTS):
                assert client.get(path).status_code == 200
            assert not all(future.done() for future in waiting)  # nothing waited for what they wait for
            assert {future.result().status_code for future in waiting} == {503}
        assert publish_name(client, "vision/new/0", model).status_code == 201


@contextmanager
def limited_role(cluster):
    """Create a role with a database of its own, and return a function that limits its connections."""
    url = cluster.make_database()
    name = url.rpartition("/")[2]
    cluster.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    cluster.execute(f"ALTER DATABASE {name} OWNER TO {name}")
    yield (
        url.replace("postgres:", f"{name}:", 1),
        lambda most: cluster.execute(f"ALTER ROLE {name} CONNECTION LIMIT {most}"),
    )


def test_a_postgresql_without_connections_is_a_503_until_it_has_some(cluster):
    with (
        limited_role(cluster) as (url, limit),
        run_server(WEIGHTINIT_DATABASE_URL=url) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        limit(0)
        check_refusal(client.get(NAME), "has too many connections")
        check_refusal(publish_model(client), "has too many connections")
        assert client.get(WEIGHTS).status_code == 200
        assert client.get("/readyz").status_code == 200
        limit(-1)
        assert publish_model(client).status_code == 201
        assert client.get(NAME).status_code == 404


def test_a_postgresql_with_few_connections_answers_or_refuses_and_fails_no_other_way(cluster):
    with limited_role(cluster) as (url, limit):
        limit(2)
        with run_service(WEIGHTINIT_DATABASE_URL=url) as client, ThreadPoolExecutor(16) as pool:
            reads = [pool.submit(client.get, NAME) for _ in range(100)]
            writes = [pool.submit(publish_model, client, seed=seed) for seed in range(100)]
            assert {future.result().status_code for future in reads} <= {200, 503}
            assert {future.result().status_code for future in writes} <= {200, 201, 503}
            assert client.get(NAME).status_code == 200  # by the connection that the readers have
            assert not [line for line in client.log if "Traceback" in line]


def test_a_worker_opens_as_many_connections_to_postgresql_as_its_documentation_says(cluster):
    url = cluster.make_database()
    with run_service(WEIGHTINIT_DATABASE_URL=url) as client, ThreadPoolExecutor(32) as pool:
        for seed in range(200):
            pool.submit(publish_model, client, seed=seed)
            pool.submit(client.get, f"/v1/names?limit={1 + seed}")
        pool.shutdown()
        with psycopg.connect(url) as other:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            assert 4 < other.execute(query).fetchone()[0] - 1 <= STORE_CONNECTIONS  # without this one


# --- a disk of its own -----------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """A disk of 8 MiB, on which permissions and space bind root as well."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs privileges")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path):
    """Write a file until its disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_full_disk_is_a_503_and_reads_go_on_until_there_is_room(disk):
    with run_service("--min-free-bytes", "0", WEIGHTINIT_DATA_DIRECTORY=str(disk)) as client:
        tensors = [{"name": f"{number:0100}", "shape": [3, 3]} for number in range(2000)]
        model = {"seed": 1, "tensors": tensors}
        fill(disk / "filler")
        check_refusal(client.post("/v1/models", json=model), "has no room left")
        for path in (NAME, "/v1/names", WEIGHTS):
            assert client.get(path).status_code == 200
        (disk / "filler").unlink()
        assert client.post("/v1/models", json=model).status_code == 201
        assert retire_name(client, "vision/net/1").status_code == 200


def test_a_read_only_disk_is_a_503_until_it_can_be_written_to(disk):
    environment = {"WEIGHTINIT_DATA_DIRECTORY": str(disk)}
    with run_service("--min-free-bytes", "0", **environment):
        pass
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with (
        run_server("--min-free-bytes", "0", **environment) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        assert publish_model(client, seed=2).status_code == 503
        assert client.get(NAME).status_code in {200, 503}  # SQLite may need to write to read
        assert client.get(WEIGHTS).status_code == 200
        assert client.get("/readyz").status_code == 200
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert client.get(NAME).status_code == 200
        assert publish_model(client, seed=2).status_code == 201


# --- tokens ----------------------------------------------------------------------------------------


@contextmanager
def locked(folder):
    """Have another process write to the database of a folder."""
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN EXCLUSIVE'); print(1); "
    command = [sys.executable, "-u", "-c", script + "sys.stdin.read()", str(folder / "weightinit.sqlite3")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"1\n"
        yield
        process.stdin.close()


def test_tokens_read_and_are_listed_while_a_token_waits_to_be_created(tmp_path):
    admin = bear(create_token(tmp_path, "admin"))
    access = {"WEIGHTINIT_READ_ACCESS": "token", "WEIGHTINIT_WRITE_ACCESS": "token"}
    with (
        run_server(WEIGHTINIT_DATA_DIRECTORY=str(tmp_path), **access) as server,
        httpx.Client(base_url=server.url, timeout=60, headers=admin) as client,
    ):
        body = {"team": "vision", "scopes": ["read"]}
        with locked(tmp_path), ThreadPoolExecutor(12) as pool:
            waiting = [pool.submit(client.post, "/v1/tokens", json=body) for _ in range(12)]
            for path in ("/v1/tokens", "/v1/token", "/v1/audit", "/v1/names", WEIGHTS):
                assert client.get(path).status_code == 200
            assert not all(future.done() for future in waiting)
            assert {future.result().status_code for future in waiting} == {503}
        assert client.post("/v1/tokens", json=body).status_code == 201


def test_a_revoked_token_does_not_read_while_the_storage_is_gone(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    token, other = create_token(folder, "admin"), create_token(folder, "read")
    with (
        run_server("--read-access", "token", WEIGHTINIT_DATA_DIRECTORY=str(folder)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        for bearer in (token, other):  # both are in the cache of the service
            assert client.get(WEIGHTS, headers=bear(bearer)).status_code == 200
        assert client.delete(f"/v1/tokens/{token.split('_')[1]}", headers=bear(token)).status_code == 200
        folder.rename(tmp_path / "hidden")
        wait_until(lambda: client.get("/v1/names", headers=bear(other)).status_code == 503)
        assert client.get(WEIGHTS, headers=bear(token)).status_code == 401
        assert client.get(WEIGHTS, headers=bear(other)).status_code == 200


def test_a_revoked_token_changes_nothing_while_the_storage_is_gone_or_after(tmp_path):
    folder, hidden = tmp_path / "data", tmp_path / "hidden"
    folder.mkdir()
    token = create_token(folder, "publish", "admin")
    with (
        run_server(WEIGHTINIT_DATA_DIRECTORY=str(folder)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        assert publish_model(client, token).status_code == 201
        assert client.delete(f"/v1/tokens/{token.split('_')[1]}", headers=bear(token)).status_code < 300
        folder.rename(hidden)
        assert publish_model(client, token, seed=2).status_code == 503
        hidden.rename(folder)
        assert publish_model(client, token, seed=2).status_code == 401
