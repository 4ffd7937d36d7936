"""Who may publish, retire and read: RFC 6750 for tokens, and the settings of the service."""

import itertools
import json
import socket
import sqlite3
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest

from service.store.sqlite import FILE
from tests.api.tokens import bear, create_token, publish_model, publish_name, retire_name, run_command
from tests.servers import run_server, wait_until

NUMBERS = itertools.count()
SPEC = "shape=3,3&seed=1&name=w"


def make_name(team="vision"):
    """A name that no other test has."""
    return f"{team}/net{next(NUMBERS)}/1"


@contextmanager
def run_guarded(folder, kind, *arguments):
    """Run a server that needs tokens to write, or to read as well, with tokens of several kinds."""
    tokens = {
        "publisher": create_token(folder, "publish", "retire"),
        "reader": create_token(folder, "read"),
        "retirer": create_token(folder, "retire"),
        "admin": create_token(folder, "admin", team="*"),
        "head": create_token(folder, "admin"),
        "other": create_token(folder, "publish", "retire", team="audio"),
    }
    access = {"WEIGHTINIT_WRITE_ACCESS": "token"}
    if kind == "read":
        access["WEIGHTINIT_READ_ACCESS"] = "token"
    with (
        run_server(*arguments, WEIGHTINIT_DATA_DIRECTORY=str(folder), **access) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        model = publish_model(client, tokens["publisher"]).json()["id"]
        yield SimpleNamespace(**tokens, client=client, model=model, folder=folder)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that needs tokens to write."""
    with run_guarded(tmp_path_factory.mktemp("guarded"), "write") as guarded:
        yield guarded


@pytest.fixture(scope="module")
def reads(tmp_path_factory):
    """A server that needs tokens to write and to read."""
    with run_guarded(tmp_path_factory.mktemp("reads"), "read") as guarded:
        yield guarded


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """A server behind a proxy on its machine."""
    with run_guarded(
        tmp_path_factory.mktemp("proxied"), "write", "--trusted-proxies", "127.0.0.1"
    ) as guarded:
        yield guarded


@pytest.fixture
def published(guarded):
    """A published name of the team."""
    name = make_name()
    assert publish_name(guarded.client, name, guarded.model, guarded.publisher).status_code == 201
    return name


def test_a_token_with_the_scope_publishes_and_retires(guarded):
    name = make_name()
    assert publish_name(guarded.client, name, guarded.model, guarded.publisher).status_code == 201
    assert retire_name(guarded.client, name, guarded.publisher).status_code == 200


@pytest.mark.parametrize("value", [None, "", "Bearer", "Basic YTpi", "wi_0", "Token wi_0"])
def test_a_change_without_a_bearer_token_is_401_with_a_challenge(guarded, published, value):
    headers = {} if value is None else {"Authorization": value}
    model = {"seed": 1, "tensors": [{"name": "w", "shape": [3, 3]}]}
    for response in (
        guarded.client.post("/v1/models", json=model, headers=headers),
        guarded.client.put(f"/v1/names/{published}", json={}, headers=headers),
        guarded.client.delete(f"/v1/names/{published}", params={"author": "a"}, headers=headers),
        guarded.client.get("/v1/tokens", headers=headers),
        guarded.client.get("/v1/token", headers=headers),
        guarded.client.delete("/v1/tokens/000000000000", headers=headers),
        guarded.client.get("/v1/audit", headers=headers),
    ):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="weightinit"')
        assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token[:4] + ("1" if token[4] != "1" else "2") + token[5:],
        lambda token: token + "A",
        lambda token: token.upper(),
        lambda _token: "x" * 60_000,
        lambda _token: "wi_" + "0" * 12 + "_" + "A" * 43,
    ],
    ids=["secret", "id", "longer", "capitals", "huge", "unknown"],
)
def test_a_token_that_is_not_one_is_invalid(guarded, change):
    response = publish_model(guarded.client, change(guarded.publisher))
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert guarded.publisher not in response.text


def test_two_tokens_in_one_request_are_none(guarded):
    headers = [("Authorization", f"Bearer {guarded.publisher}")] * 2
    response = guarded.client.post("/v1/models", json={"seed": 1, "tensors": []}, headers=headers)
    assert response.status_code == 401


def test_the_scheme_of_the_header_is_case_insensitive(guarded):
    headers = {"Authorization": f"bEARER {guarded.publisher}"}
    assert guarded.client.get("/v1/token", headers=headers).status_code == 200


def test_a_token_without_the_scope_is_403_and_told_which(guarded, published):
    for response, scope in (
        (publish_model(guarded.client, guarded.reader), "publish"),
        (publish_name(guarded.client, published, guarded.model, guarded.retirer), "publish"),
        (retire_name(guarded.client, published, guarded.reader), "retire"),
        (guarded.client.get("/v1/tokens", headers=bear(guarded.publisher)), "admin"),
        (guarded.client.get("/v1/audit", headers=bear(guarded.publisher)), "admin"),
    ):
        assert response.status_code == 403
        assert f'error="insufficient_scope", scope="{scope}"' in response.headers["WWW-Authenticate"]


def test_a_team_cannot_change_the_names_of_another(guarded, published):
    assert publish_name(guarded.client, make_name(), guarded.model, guarded.other).status_code == 403
    assert retire_name(guarded.client, published, guarded.other).status_code == 403
    entry = guarded.client.get(f"/v1/names/{published}", headers=bear(guarded.publisher))
    assert (entry.status_code, entry.json()["retired"]) == (200, None)


@pytest.mark.parametrize("team", ["Vision", "vision-2", "visio", "vision.", "VISION"])
def test_a_team_whose_name_is_alike_is_another(guarded, team):
    assert publish_name(guarded.client, make_name(team), guarded.model, guarded.publisher).status_code == 403


def test_a_token_for_all_teams_changes_all_names(guarded):
    for team in ("vision", "audio", "text"):
        name = make_name(team)
        assert publish_name(guarded.client, name, guarded.model, guarded.admin).status_code == 201


def test_a_refused_body_is_not_read(guarded):
    # A body that is not JSON would be 400, and one without Content-Type 415.
    assert guarded.client.post("/v1/models", content=b"x" * 100_000).status_code == 401


def test_an_administrator_creates_uses_and_revokes_a_token(guarded):
    wanted = {"team": "vision", "scopes": ["publish"], "note": "ci", "days": 1}
    made = guarded.client.post("/v1/tokens", json=wanted, headers=bear(guarded.head))
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    token, record = made.json()["token"], made.json()["record"]
    assert record["scopes"] == ["publish"]
    assert publish_name(guarded.client, make_name(), guarded.model, token).status_code == 201
    url = f"/v1/tokens/{record['id']}"
    revoked = guarded.client.delete(url, headers=bear(guarded.head))
    assert revoked.json()["revoked"] is not None
    assert guarded.client.delete(url, headers=bear(guarded.head)).json() == revoked.json()
    refused = publish_name(guarded.client, make_name(), guarded.model, token)
    assert (refused.status_code, "is revoked" in refused.text) == (401, True)


def test_a_token_revokes_itself_and_no_other(guarded):
    token = create_token(guarded.folder, "read")
    other = create_token(guarded.folder, "read")
    url = "/v1/tokens/{}".format
    assert guarded.client.delete(url(other[3:15]), headers=bear(token)).status_code == 403
    assert guarded.client.delete(url(token[3:15]), headers=bear(token)).status_code == 200


def test_a_token_of_another_team_is_not_told_from_one_that_does_not_exist(guarded):
    ids = (guarded.other[3:15], "0" * 12, "%00")
    found = [guarded.client.delete(f"/v1/tokens/{one}", headers=bear(guarded.head)) for one in ids]
    assert [response.status_code for response in found] == [404] * 3
    assert len({response.text for response in found}) == 1
    assert guarded.client.get("/v1/token", headers=bear(guarded.other)).status_code == 200


def test_a_token_that_is_revoked_while_the_body_arrives_is_refused(guarded):
    token = create_token(guarded.folder, "publish")
    body = b'{"seed": 77, "tensors": [{"name": "w", "shape": [3, 3]}]}'
    head = (
        f"POST /v1/models HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    url = guarded.client.base_url
    with socket.create_connection((url.host, url.port), 60) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # the request is authorized
        run_command(guarded.folder, "token", "revoke", token[3:15])
        connection.sendall(body)
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    assert response.startswith(b"HTTP/1.1 401 ")
    assert b'error="invalid_token"' in response
    assert b"is revoked or has expired" in response


@pytest.mark.parametrize(
    ("named", "peer"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::7"), ("x" * 3000, None), ("unknown", None)],
    ids=["IPv4", "IPv6", "long", "word"],
)
def test_the_audit_trail_has_the_address_that_a_trusted_proxy_names(proxied, named, peer):
    name = make_name()
    headers = {**bear(proxied.publisher), "X-Forwarded-For": named}
    body = {"model": proxied.model, "author": "ada"}
    assert proxied.client.put(f"/v1/names/{name}", json=body, headers=headers).status_code == 201
    changes = proxied.client.get("/v1/audit?limit=1000", headers=bear(proxied.admin)).json()["changes"]
    assert [change["peer"] for change in changes if change["subject"] == name] == [peer]


def test_a_token_that_has_expired_is_invalid(guarded):
    token = create_token(guarded.folder, "publish", days=1)
    with sqlite3.connect(guarded.folder / FILE) as connection:
        connection.execute("UPDATE tokens SET expires_at = '2020-01-01' WHERE id = ?", (token[3:15],))
    response = publish_model(guarded.client, token)
    assert (response.status_code, "has expired" in response.text) == (401, True)


def test_an_administrator_of_a_team_sees_and_manages_that_team_only(guarded):
    listed = guarded.client.get("/v1/tokens", headers=bear(guarded.head)).json()["tokens"]
    assert {token["team"] for token in listed} == {"vision"}
    everyone = guarded.client.get("/v1/tokens", headers=bear(guarded.admin)).json()["tokens"]
    assert {token["team"] for token in everyone} >= {"vision", "audio", "*"}
    for team in ("audio", "*"):
        wanted = {"team": team, "scopes": ["read"]}
        assert guarded.client.post("/v1/tokens", json=wanted, headers=bear(guarded.head)).status_code == 403
    url = f"/v1/tokens/{guarded.other[3:15]}"
    assert guarded.client.delete(url, headers=bear(guarded.head)).status_code == 404
    params = {"team": "audio"}
    assert guarded.client.get("/v1/audit", params=params, headers=bear(guarded.head)).status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"team": "a/b"}, "team"),
        ({"team": ""}, "team"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["write"]}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"scopes": [["read"]]}, "scopes"),
        ({"note": "a\nb"}, "note"),
        ({"note": "a" * 201}, "note"),
        ({"days": 0}, "days"),
        ({"days": 1.5}, "days"),
        ({"days": 10**6}, "days"),
        ({"scope": ["read"]}, "scope"),
    ],
    ids=str,
)
def test_a_token_that_cannot_be_is_told_by_field(guarded, change, field):
    body = {"team": "vision", "scopes": ["read"], **change}
    response = guarded.client.post("/v1/tokens", json=body, headers=bear(guarded.admin))
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


def test_the_current_token_says_what_it_may_and_what_its_team_uses(guarded):
    told = guarded.client.get("/v1/token", headers=bear(guarded.publisher)).json()
    assert told["record"]["scopes"] == ["publish", "retire"]
    assert 1024 < told["used_bytes"] < told["max_bytes"] == 2**30


def test_the_audit_trail_has_each_change_with_its_token_address_and_request(guarded):
    name = make_name()
    headers = {**bear(guarded.publisher), "X-Request-ID": "build-7"}
    body = {"model": guarded.model, "author": "ada"}
    for _ in range(2):  # the second changes nothing
        guarded.client.put(f"/v1/names/{name}", json=body, headers=headers)
    guarded.client.delete(f"/v1/names/{name}", params={"author": "ada"}, headers=headers)
    changes, url = [], "/v1/audit?limit=3"
    while url:
        page = guarded.client.get(url, headers=bear(guarded.admin))
        changes += page.json()["changes"]
        url = page.links.get("next", {}).get("url")
    numbers = [change["number"] for change in changes]
    assert numbers == sorted(set(numbers))
    mine = [change for change in changes if change["subject"] == name]
    assert [change["action"] for change in mine] == ["publish name", "retire name"]
    for change in mine:
        told = (change["team"], change["token"], change["peer"], change["request"])
        assert told == ("vision", guarded.publisher[3:15], "127.0.0.1", "build-7")
    assert changes[0]["action"] == "create token"
    assert changes[0]["token"] is None


def test_the_command_prints_the_changes_as_the_api_returns_them(guarded):
    printed = run_command(guarded.folder, "audit").stdout.splitlines()
    returned = guarded.client.get("/v1/audit?limit=1000", headers=bear(guarded.admin)).json()["changes"]
    assert [json.loads(line) for line in printed] == returned != []


def test_no_secret_is_stored(guarded):
    for path in guarded.folder.iterdir():
        assert guarded.publisher[16:].encode() not in path.read_bytes()


@pytest.mark.parametrize(("fixture", "expected"), [("guarded", 200), ("reads", 401)])
def test_reading_needs_a_token_only_if_the_settings_say_so(request, fixture, expected):
    guarded, published = request.getfixturevalue(fixture), make_name()
    assert publish_name(guarded.client, published, guarded.model, guarded.publisher).status_code == 201
    for path in (
        f"/v1/weights?{SPEC}",
        "/v1/parameters?shape=3,3",
        f"/v1/models/{guarded.model}",
        f"/v1/models/{guarded.model}/weights",
        f"/v1/names/{published}",
        "/v1/names",
        "/v1/schemes",
        "/v1/recipes",
    ):
        for method in ("GET", "HEAD"):
            assert guarded.client.request(method, path).status_code == expected
            with_token = guarded.client.request(method, path, headers=bear(guarded.reader))
            assert with_token.status_code == 200
    spec = {"shape": [3, 3], "seed": 1, "name": "w"}
    assert guarded.client.post("/v1/weights", json=spec).status_code == expected


def test_probes_docs_and_packages_need_no_token(guarded):
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/simple/"):
        assert guarded.client.get(path).status_code == 200


def test_what_needs_a_token_is_kept_out_of_shared_caches(reads):
    weights = reads.client.get(f"/v1/weights?{SPEC}", headers=bear(reads.reader))
    assert weights.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    again = {**bear(reads.reader), "If-None-Match": weights.headers["ETag"]}
    assert reads.client.get(f"/v1/weights?{SPEC}", headers=again).headers["Cache-Control"][:7] == "private"


def test_a_team_sees_its_own_names_only(reads):
    published = make_name()
    assert publish_name(reads.client, published, reads.model, reads.publisher).status_code == 201
    foreign = make_name("audio")
    assert publish_name(reads.client, foreign, reads.model, reads.other).status_code == 201
    for path in ("", "/weights", "/parameters", "/weights/w"):
        url = f"/v1/names/{foreign}{path}"
        assert reads.client.get(url, headers=bear(reads.reader)).status_code == 403
        assert reads.client.get(url, headers=bear(reads.admin)).status_code in {200, 307}
    listed = reads.client.get("/v1/names", headers=bear(reads.reader)).json()["names"]
    assert {entry["name"].split("/")[0] for entry in listed} == {"vision"}
    assert published in {entry["name"] for entry in listed}


@pytest.mark.parametrize(
    ("prefix", "status"), [("", 200), ("vis", 200), ("vision/n", 200), ("audio/", 403), ("visx", 403)]
)
def test_a_team_lists_within_its_own_prefix(reads, prefix, status):
    response = reads.client.get("/v1/names", params={"prefix": prefix}, headers=bear(reads.reader))
    assert response.status_code == status


def test_pages_of_a_team_stay_within_it(reads):
    for _ in range(2):
        assert publish_name(reads.client, make_name(), reads.model, reads.publisher).status_code == 201
    page = reads.client.get("/v1/names?limit=1", headers=bear(reads.reader))
    assert "prefix=vision/" in page.links["next"]["url"]


def test_a_large_body_has_the_same_bytes_with_a_token(reads, service_url):
    path = "/v1/weights?shape=1024,1024&seed=1&name=w"
    assert reads.client.get(path, headers=bear(reads.reader)).content == httpx.get(service_url + path).content


def test_on_loopback_everyone_may_write_until_the_first_token(tmp_path):
    with (
        run_server(WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        assert publish_model(client).status_code == 201
        assert publish_model(client, "a token of something else", seed=2).status_code == 201
        token = create_token(tmp_path, "publish")
        assert publish_model(client, seed=3).status_code == 401
        assert publish_model(client, token, seed=3).status_code == 201
        run_command(tmp_path, "token", "revoke", token[3:15])
        assert publish_model(client, seed=4).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost"}, 201),
        ({"Host": "LOCALHOST:8000"}, 201),
        ({"Host": "127.0.0.2:8000"}, 201),
        ({"Host": "[::1]:8000"}, 201),
        ({"Host": "evil.example"}, 401),
        ({"Host": "localhost.evil.example:8000"}, 401),
        ({"Host": "127.0.0.1.evil.example"}, 401),
        ({"Host": "192.0.2.1"}, 401),
        ({"X-Forwarded-For": "192.0.2.1"}, 401),
        ({"Forwarded": "for=192.0.2.1"}, 401),
        ({"Via": "1.1 proxy"}, 401),
        ({"X-Real-IP": "192.0.2.1"}, 401),
    ],
    ids=str,
)
def test_on_loopback_only_requests_of_the_machine_itself_write_without_a_token(service_url, headers, status):
    with httpx.Client(base_url=service_url, headers=headers, timeout=60) as client:
        assert publish_model(client, seed=1000 + next(NUMBERS)).status_code == status


def test_beyond_loopback_writes_need_a_token_and_a_warning_says_so():
    with run_server("--host", "0.0.0.0") as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        with httpx.Client(base_url=url, timeout=60) as client:
            assert publish_model(client).status_code == 401
            assert client.get(f"/v1/weights?{SPEC}").status_code == 200
        wait_until(lambda: any("Nobody may publish" in line for line in list(server.log)))


def test_beyond_loopback_writes_are_open_if_the_settings_say_so():
    with run_server("--host", "0.0.0.0", "--write-access", "open") as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        with httpx.Client(base_url=url, timeout=60) as client:
            assert publish_model(client).status_code == 201
        wait_until(lambda: any("Everyone who can connect" in line for line in list(server.log)))


def test_a_team_that_has_used_its_quota_is_507_and_others_are_not(tmp_path):
    token, other = create_token(tmp_path, "publish"), create_token(tmp_path, "publish", team="audio")
    with (
        run_server("--max-team-bytes", "5000", WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        statuses = [publish_model(client, token, seed).status_code for seed in range(8)]
        assert statuses == sorted(statuses)
        assert {*statuses} == {201, 507}
        refused = publish_model(client, token, seed=9)
        assert refused.json()["type"] == "urn:weightinit:quota-exceeded"
        assert "5000 bytes" in refused.json()["detail"]
        assert publish_model(client, token, seed=0).status_code == 200  # stored before
        assert publish_model(client, other, seed=9).status_code == 201
        names = [f"vision/net{number}/1" for number in range(5)]
        model = publish_model(client, other, seed=9).json()["id"]
        assert publish_name(client, names[0], model, token).status_code == 507
        assert retire_name(client, "vision/none/1", create_token(tmp_path, "retire")).status_code == 404


def test_a_disk_below_the_floor_is_507_and_reads_and_retirements_go_on(tmp_path):
    with (
        run_server(WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        model = publish_model(client).json()["id"]
        publish_name(client, "vision/net/1", model)
    with (
        run_server("--min-free-bytes", str(2**60), WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        refused = publish_model(client, seed=2)
        assert (refused.status_code, refused.json()["type"]) == (507, "urn:weightinit:storage-full")
        assert client.get("/v1/names/vision/net/1").status_code == 200
        assert retire_name(client, "vision/net/1").status_code == 200
