"""What is said of models is right, or an error, whatever the service answers."""

import hashlib
import json

import pytest
from weightinit import (
    ConnectionFailed,
    DigestMismatch,
    NameTaken,
    NotWeightinit,
    Retired,
    Retry,
    ServerError,
    SpecRejected,
    Unauthorized,
)

from tests.clients.faults import hang_up, refuse, send

JSON = "application/json"
TEXT = b'{"seed":"42","stream":1,"tensors":[{"layout":"IO","name":"fc","shape":[2,3]}]}'
MODEL = hashlib.sha256(TEXT).hexdigest()
SAID = {"seed": 42, "tensors": [{"name": "fc", "shape": [2, 3]}]}
PUBLISHED = {"id": MODEL, "stream": 1, "tensors": 1, "elements": 6, "bytes": 24}
ENTRY = {
    "name": "a/b/1",
    "model": MODEL,
    "author": "Ada",
    "note": "",
    "published": "2026-01-02T03:04:05Z",
    "retired": None,
}


def say(answer, status=200, **headers):
    return refuse(status, json.dumps(answer).encode(), JSON, **headers)


@pytest.fixture
def client(small_server, make_client):
    return make_client(small_server.url)


def test_a_model_is_posted_as_json_and_a_name_is_put(small_server, client):
    small_server.script = [say(PUBLISHED, 201), say(ENTRY, 201)]
    client.publish(SAID, name="a/b/1", author="Ada")
    assert [(asked.method, asked.path) for asked in small_server.requests] == [
        ("POST", "/v1/models"),
        ("PUT", "/v1/names/a/b/1"),
    ]
    assert [json.loads(asked.body) for asked in small_server.requests] == [
        SAID,
        {"model": MODEL, "author": "Ada", "note": ""},
    ]
    assert small_server.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("fault", [refuse(503), refuse(429), hang_up, send(b"HTTP/1.1 200 OK\r\n")])
def test_publishing_is_tried_again_since_it_can_be(small_server, client, fault):
    small_server.script = [fault, say(PUBLISHED, 201), fault, say(ENTRY, 201)]
    assert client.publish(SAID, name="a/b/1").id == MODEL
    assert [asked.method for asked in small_server.requests] == ["POST", "POST", "PUT", "PUT"]


def test_retiring_is_tried_again_since_it_can_be(small_server, client):
    small_server.script = [refuse(503), say(ENTRY)]
    client.retire("a/b/1", note="old", author="Ada")
    assert [asked.method for asked in small_server.requests] == ["DELETE"] * 2
    assert small_server.requests[1].query == {"author": "Ada", "note": "old"}


def test_another_endpoint_is_asked_where_one_fails(small_server, make_client):
    small_server.script = [say(PUBLISHED, 201)]
    client = make_client("http://127.0.0.1:1", small_server.url)
    assert client.publish(SAID).is_new


def test_an_answer_that_came_too_late_makes_it_known_already(small_server, client):
    """The first attempt did publish it, and the second is told so."""
    small_server.script = [hang_up, say(PUBLISHED, 200)]
    assert not client.publish(SAID).is_new


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (hang_up, ConnectionFailed),
        (refuse(500), ServerError),
        (refuse(401), Unauthorized),
        (refuse(200, b"<html>", "text/html"), NotWeightinit),
        (refuse(200, b"[]", JSON), NotWeightinit),
        (refuse(204), NotWeightinit),
        (say({**PUBLISHED, "id": "resnet50"}), NotWeightinit),
        (say({"id": MODEL}), NotWeightinit),
    ],
)
def test_what_cannot_be_published_is_an_error(small_server, make_client, fault, error):
    small_server.script = [fault]
    with pytest.raises(error):
        make_client(small_server.url, retries=Retry(attempts=1)).publish(SAID)


@pytest.mark.parametrize("value", [float("nan"), "\ud800", {1, 2}])
def test_what_json_cannot_say_is_refused_before_it_is_asked(small_server, client, value):
    with pytest.raises(SpecRejected, match="cannot be written as JSON"):
        client.publish({"seed": 1, "tensors": [{"name": "a", "shape": [2], "constant": value}]})
    assert small_server.requests == []


def test_a_model_is_checked_against_its_id(small_server, client):
    small_server.script = [refuse(200, TEXT.replace(b"42", b"43"), JSON), refuse(200, TEXT, JSON)]
    assert client.model(MODEL).seed == 42


def test_a_model_that_is_another_for_good_is_an_error(small_server, client):
    small_server.script = [refuse(200, TEXT.replace(b"42", b"43"), JSON)] * 6
    with pytest.raises(DigestMismatch, match="another SHA-256 than its id"):
        client.model(MODEL)


def test_a_model_that_this_client_does_not_know_is_an_error(small_server, client):
    text = TEXT.replace(b"layout", b"lay-out")
    small_server.script = [refuse(200, text, JSON)]
    with pytest.raises(NotWeightinit, match=r'tensors\["fc"\].lay-out is not a field here'):
        client.model(hashlib.sha256(text).hexdigest())


def test_a_model_may_be_longer_than_other_answers(small_server, client):
    rows = [f'{{"name":"{n}","shape":[2,3]}}' for n in range(50_000)]
    text = f'{{"seed":"1","tensors":[{",".join(rows)}]}}'.encode()
    assert len(text) > 2**20
    small_server.script = [refuse(200, text, JSON)]
    assert len(client.model(hashlib.sha256(text).hexdigest()).tensors) == 50_000


PART = {"name": "a", "shape": [2], "slice": None, "constant": None, "parameters": [1]}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"tensors": 1},
        {"tensors": [1]},
        {"tensors": [{"name": "a"}]},
        {"tensors": [{"name": "a", "shape": [2], "dtype": "float32", "parts": [PART]}]},
    ],
)
def test_what_is_decided_in_another_form_is_an_error(small_server, client, answer):
    small_server.script = [say(answer)]
    with pytest.raises(NotWeightinit, match="cannot be read"):
        client.model_parameters(MODEL)


def test_a_taken_name_says_whose(small_server, client):
    problem = json.dumps({"detail": "No.", "model": MODEL}).encode()
    small_server.script = [say(PUBLISHED), refuse(409, problem)]
    with pytest.raises(NameTaken, match=f"409 No; its model is {MODEL}") as raised:
        client.publish(SAID, name="a/b/1")
    assert (raised.value.status, raised.value.detail, raised.value.model) == (409, "No.", MODEL)


def test_a_retired_name_says_whose(small_server, client):
    problem = json.dumps({"detail": "Old.", "model": MODEL}).encode()
    small_server.script = [refuse(410, problem)]
    with pytest.raises(Retired) as raised:
        client.resolve("a/b/1")
    assert (raised.value.status, raised.value.model) == (410, MODEL)


@pytest.mark.parametrize(
    "change", [{"published": "yesterday"}, {"model": None}, {"retired": {"author": "Bob"}}]
)
def test_an_entry_that_cannot_be_read_is_an_error(small_server, client, change):
    small_server.script = [say({**ENTRY, **change})]
    with pytest.raises(NotWeightinit, match="cannot be read"):
        client.resolve("a/b/1")


def link(target):
    return f'<{target}>; rel="next"'


@pytest.mark.parametrize(
    "target",
    [
        "/v1/names?prefix=a%2F&after=a/b/1",
        "?prefix=a/&after=a%2Fb%2F1",
        "https://elsewhere.invalid/x?prefix=a/&after=a/b/1",
    ],
)
def test_the_next_page_is_asked_of_the_same_service(small_server, client, target):
    small_server.script = [
        say({"names": [ENTRY]}, link=link(target)),
        say({"names": [{**ENTRY, "name": "a/b/2"}]}),
    ]
    assert [entry.name for entry in client.names("a/")] == ["a/b/1", "a/b/2"]
    assert small_server.requests[1].path == "/v1/names"
    assert small_server.requests[1].query == {"prefix": "a/", "after": "a/b/1"}


def test_a_page_is_asked_for_when_it_is_needed(small_server, client):
    small_server.script = [say({"names": [ENTRY]}, link=link("/v1/names?after=a/b/1"))]
    assert next(client.names()).name == "a/b/1"
    assert len(small_server.requests) == 1


def test_a_page_that_is_its_own_next_is_the_last(small_server, client):
    page = say({"names": [ENTRY]}, link=link("/v1/names?after=a/b/1"))
    small_server.script = [page, page, page]
    assert len(list(client.names())) == 2


@pytest.mark.parametrize("answer", [{}, {"names": {}}, {"names": [1]}])
def test_a_list_that_cannot_be_read_is_an_error(small_server, client, answer):
    small_server.script = [say(answer)]
    with pytest.raises(NotWeightinit, match="cannot be read"):
        list(client.names())
