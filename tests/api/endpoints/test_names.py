import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.servers import run_server

NUMBERS = itertools.count()


def publish_model(client, seed=1):
    """Publish a small model, and return its id."""
    response = client.post("/v1/models", json={"seed": seed, "tensors": [{"name": "w", "shape": [3, 3]}]})
    assert response.status_code in {200, 201}
    return response.json()["id"]


@pytest.fixture
def model(client):
    return publish_model(client)


@pytest.fixture
def name():
    """A name that no other test has."""
    return f"team/net{next(NUMBERS)}/1.0"


@pytest.fixture
def url(name):
    return f"/v1/names/{name}"


def put(client, url, model, author="ada", **more):
    return client.put(url, json={"model": model, "author": author, **more})


def read_moment(text):
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def test_a_name_is_published_once_and_found(client, url, name, model):
    response = put(client, url, model, note="why\nnot")
    assert response.status_code == 201
    entry = response.json()
    assert abs(read_moment(entry.pop("published")) - datetime.now(UTC)) < timedelta(minutes=5)
    expected = {"name": name, "model": model, "author": "ada", "note": "why\nnot", "retired": None}
    assert entry == expected
    assert client.get(url).json() == response.json()


def test_a_name_published_again_for_its_model_is_answered_as_it_was(client, url, model):
    first = put(client, url, model)
    second = put(client, url, model, "grace", note="again")
    assert (second.status_code, second.json()) == (200, first.json())


def test_a_name_that_stands_for_another_model_is_a_conflict_that_names_it(client, url, model):
    put(client, url, model)
    response = put(client, url, publish_model(client, 2))
    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["type"], problem["model"], problem["retired"]) == (
        "urn:weightinit:name-taken",
        model,
        None,
    )
    assert model in problem["detail"]
    assert client.get(url).json()["model"] == model


def test_a_model_that_was_not_published_is_told_by_its_field(client, url):
    response = put(client, url, "0" * 64)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["field"], error["rule"]) == ("model", "must be the id of a published model")
    assert client.get(url).status_code == 404


def test_a_name_that_was_not_published_is_not_found(client, url, name):
    for response in (client.get(url), client.delete(url, params={"author": "ada"})):
        assert response.status_code == 404
        assert response.json()["detail"] == f"No model is published under the name {name}."


def test_a_retired_name_is_gone_and_still_says_what_it_was(client, url, model):
    published = put(client, url, model).json()
    retired = client.delete(url, params={"author": "grace", "note": "diverges"})
    assert retired.status_code == 200
    entry = retired.json()
    retirement = entry["retired"]
    assert {**entry, "retired": None} == published
    assert (retirement["author"], retirement["note"]) == ("grace", "diverges")
    assert read_moment(retirement["when"]) >= read_moment(published["published"])
    response = client.get(url)
    assert response.status_code == 410
    problem = response.json()
    assert problem["type"] == "urn:weightinit:name-retired"
    assert (problem["model"], problem["retired"]) == (model, retirement)
    assert "diverges" in problem["detail"]


def test_a_name_is_retired_once(client, url, model):
    put(client, url, model)
    first = client.delete(url, params={"author": "grace"})
    second = client.delete(url, params={"author": "ada", "note": "me too"})
    assert (second.status_code, second.json()) == (200, first.json())


def test_a_retired_name_is_never_published_again(client, url, model):
    put(client, url, model)
    retired = client.delete(url, params={"author": "grace"}).json()["retired"]
    for other in (model, publish_model(client, 2)):
        response = put(client, url, other)
        assert response.status_code == 409
        assert (response.json()["model"], response.json()["retired"]) == (model, retired)


def test_a_name_is_asked_for_each_time_and_sent_when_it_changed(client, url, model):
    put(client, url, model)
    first = client.get(url)
    assert first.headers["Cache-Control"] == "no-cache"
    etag = first.headers["ETag"]
    for condition in (etag, f"W/{etag}", f'"a", {etag}', "*"):
        response = client.get(url, headers={"If-None-Match": condition})
        assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", etag)
    client.delete(url, params={"author": "grace"})
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 410


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"If-Match": "{etag}"}, 200),
        ({"If-Match": '"other", {etag}'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": "W/{etag}"}, 412),
        ({"If-None-Match": "*"}, 412),
        ({"If-None-Match": "W/{etag}"}, 412),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_write_happens_if_its_conditions_hold(client, url, model, method, fields, status):
    put(client, url, model)
    etag = client.get(url).headers["ETag"]
    headers = {name: text.format(etag=etag) for name, text in fields.items()}
    body = {"json": {"model": model, "author": "ada"}} if method == "PUT" else {}
    query = {} if method == "PUT" else {"author": "ada"}
    assert client.request(method, url, params=query, headers=headers, **body).status_code == status
    is_retired = method == "DELETE" and status == 200
    assert client.get(url).status_code == (410 if is_retired else 200)


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"If-None-Match": "*"}, 201), ({"If-Match": "*"}, 412), ({"If-Match": '"a"'}, 412)],
)
def test_a_new_name_has_no_entity_tag(client, url, model, fields, status):
    body = {"model": model, "author": "ada"}
    assert client.put(url, json=body, headers=fields).status_code == status


def test_a_head_has_what_the_get_has_but_the_body(client, url, model):
    put(client, url, model)
    for path in (url, "/v1/names"):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        of_the_request = {"date": "", "x-request-id": ""}
        assert {**head.headers, **of_the_request} == {**get.headers, **of_the_request}


def test_what_changes_a_name_is_not_stored_by_caches(client, url, model):
    assert put(client, url, model).headers["Cache-Control"] == "no-store"
    assert client.delete(url, params={"author": "ada"}).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("segment", ["-a", "a b", "a%00", "%C3%A9", "%FF", "a" * 101, "%2E", "~", "a%0A"])
def test_a_segment_that_is_wrong_is_told(client, model, segment):
    for path in (f"/v1/names/{segment}/b/c", f"/v1/names/a/{segment}/c", f"/v1/names/a/b/{segment}"):
        target = httpx.URL(str(client.base_url)).copy_with(raw_path=path.encode())
        for request in (
            client.build_request("GET", target),
            client.build_request("PUT", target, json={"model": model, "author": "ada"}),
            client.build_request("DELETE", target, params={"author": "ada"}),
        ):
            response = client.send(request)
            assert response.status_code == 422
            (error,) = response.json()["errors"]
            assert error["field"] in {"team", "name", "version"}


@pytest.mark.parametrize(
    "path", ["/v1/names/a", "/v1/names/a/b", "/v1/names/a/b/c/d", "/v1/names/a/b/", "/v1/names/"]
)
def test_a_path_without_three_segments_is_not_served(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"[]", 422, "spec"),
        (b"{}", 422, "author"),
        (b'{"model": "x", "author": "ada"}', 422, "model"),
        (b'{"model": 1, "author": "ada"}', 422, "model"),
        (b'{"author": "a", "author": "b"}', 422, "spec"),
        (b'{"author": "\\ud800"}', 422, "author"),
        (b'{"author": "ada", "\\ud800": NaN}', 422, "spec"),
        (b'{"author": null, "note": true}', 422, "author"),
    ],
)
def test_a_body_that_is_wrong_is_told(client, url, body, status, field):
    response = client.put(url, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    if field:
        assert response.json()["errors"][0]["field"] == field


def test_a_body_that_is_not_said_to_be_json_or_too_long_is_refused(client, url, model):
    assert client.put(url, content=b"{}").status_code == 415
    assert put(client, url, model, note="a" * 70000).status_code == 413


@pytest.mark.parametrize(
    ("method", "query", "field"),
    [
        ("GET", "x=1", "query"),
        ("PUT", "author=ada", "query"),
        ("DELETE", "", "author"),
        ("DELETE", "author=", "author"),
        ("DELETE", "author=a&author=b", "author"),
        ("DELETE", "author=a&model=b", "model"),
        ("DELETE", "author=a&note=%00", "note"),
        ("DELETE", "author=%FF", "author"),
    ],
)
def test_a_query_that_is_wrong_is_told(client, url, model, method, query, field):
    put(client, url, model)
    response = client.request(method, f"{url}?{query}", json={"model": model, "author": "ada"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field
    assert client.get(url).json()["retired"] is None


def test_json_is_all_there_is(client, url, model):
    put(client, url, model)
    for method, path in (("GET", url), ("PUT", url), ("DELETE", f"{url}?author=a"), ("GET", "/v1/names")):
        assert client.request(method, path, headers={"Accept": "text/html"}).status_code == 406


def test_the_methods_of_a_name_are_told(client, url):
    response = client.patch(url)
    assert (response.status_code, response.headers["Allow"]) == (405, "DELETE, GET, HEAD, OPTIONS, PUT")
    assert client.post("/v1/names").headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.fixture
def listed(client, model):
    """Names of a team of its own, in order, one of them retired."""
    team = f"team{next(NUMBERS)}"
    names = [f"{team}/{rest}" for rest in ("A/1", "a/1", "a/10", "a/2", "a-b/1", "ab/1", "b/1")]
    for name in reversed(names):
        put(client, f"/v1/names/{name}", model)
    client.delete(f"/v1/names/{names[2]}", params={"author": "ada"})
    return team, names


def list_names(client, **query):
    response = client.get("/v1/names", params=query)
    assert response.status_code == 200
    return [entry["name"] for entry in response.json()["names"]]


def test_names_are_listed_in_order_with_the_retired_ones(client, listed):
    team, names = listed
    response = client.get("/v1/names", params={"prefix": f"{team}/"})
    entries = response.json()["names"]
    assert [entry["name"] for entry in entries] == names
    assert [entry["name"] for entry in entries if entry["retired"]] == [names[2]]
    assert entries[0] == client.get(f"/v1/names/{names[0]}").json()
    assert response.headers["Cache-Control"] == "no-cache"
    assert "Link" not in response.headers


def test_a_prefix_and_a_name_to_begin_after_choose_among_them(client, listed):
    team, names = listed
    assert list_names(client, prefix=f"{team}/a/") == names[1:4]
    assert list_names(client, prefix=f"{team}/a") == names[1:6]
    assert list_names(client, prefix=f"{team}/a", after=names[2], limit=2) == names[3:5]
    assert list_names(client, prefix=f"{team}x") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_are_linked_until_there_are_no_more(client, listed, limit):
    team, names = listed
    pages = []
    response = client.get("/v1/names", params={"prefix": team, "limit": limit})
    while True:
        pages.append([entry["name"] for entry in response.json()["names"]])
        if "next" not in response.links:
            break
        response = client.get(response.links["next"]["url"])
    assert list(itertools.chain(*pages)) == names
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert len(pages) == -(-len(names) // limit)


def test_a_list_that_did_not_change_is_not_sent_again(client, listed):
    team, names = listed
    first = client.get("/v1/names", params={"prefix": team})
    again = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/v1/names", params={"prefix": team}, headers=again).status_code == 304
    client.delete(f"/v1/names/{names[0]}", params={"author": "ada"})
    assert client.get("/v1/names", params={"prefix": team}, headers=again).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("prefix=/", "prefix"),
        ("prefix=a%20b", "prefix"),
        ("after=a", "after"),
        ("after=", "after"),
        ("page=2", "page"),
        ("limit=1&limit=1", "limit"),
    ],
)
def test_a_listing_that_is_wrong_is_told(client, query, field):
    response = client.get(f"/v1/names?{query}")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_of_clients_that_publish_one_name_at_once_one_wins(client, url):
    models = [publish_model(client, seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda model: put(client, url, model), models))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 7
    winner = client.get(url).json()["model"]
    assert {response.json()["model"] for response in responses} == {winner}


def test_a_server_on_postgresql_answers_the_same(cluster, tmp_path):
    with (
        run_server(WEIGHTINIT_DATABASE_URL=cluster.make_database(), WEIGHTINIT_ROOT_PATH="/init") as server,
        httpx.Client(base_url=server.url) as client,
    ):
        assert client.get("/v1/names").json() == {"names": []}
        model = publish_model(client)
        assert put(client, "/v1/names/b/b/1", model).status_code == 201
        assert put(client, "/v1/names/B/b/1", model).status_code == 201
        assert put(client, "/v1/names/b/b/1", publish_model(client, 2)).status_code == 409
        assert client.delete("/v1/names/b/b/1?author=ada").status_code == 200
        assert client.get("/v1/names/b/b/1").status_code == 410
        page = client.get("/v1/names?limit=1")
        assert page.json()["names"][0]["name"] == "B/b/1"
        assert page.headers["Link"] == '</init/v1/names?prefix=&limit=1&after=B/b/1>; rel="next"'
