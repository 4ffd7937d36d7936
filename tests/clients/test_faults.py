"""What a server, or whatever else answers, may do: an error that says what to do, or nothing to notice."""

import json
import socket

import pytest
from weightinit import (
    BrokenTransfer,
    ConnectionFailed,
    NotFound,
    NotWeightinit,
    RateLimited,
    RequestRejected,
    Retry,
    ServerError,
    SpecRejected,
    Unauthorized,
    WeightinitError,
)

from tests.clients.faults import RAW, change, hang_up, refuse, send

ONCE = Retry(attempts=1)


def problem(status, detail, **members):
    body = {"type": "about:blank", "title": "A title", "status": status, "detail": detail, **members}
    return json.dumps(body).encode()


def find_closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def fail(client, server, *faults, verb="weights"):
    """Have one request fail, and return the error."""
    server.script = list(faults)
    with pytest.raises(WeightinitError) as raised:
        client.weights((256, 1024), seed=1, name="w") if verb == "weights" else client.parameters((256, 1024))
    return raised.value


def test_an_absent_server_is_named(make_client):
    port = find_closed_port()
    with pytest.raises(
        ConnectionFailed, match=rf"http://127.0.0.1:{port} cannot be reached .*WEIGHTINIT_URL"
    ):
        make_client(f"http://127.0.0.1:{port}", retries=ONCE).weights((2, 2), seed=1, name="w")


def test_an_unknown_host_is_named(make_client):
    with pytest.raises(ConnectionFailed, match=r"http://weights\.invalid cannot be reached"):
        make_client("http://weights.invalid", retries=ONCE).weights((2, 2), seed=1, name="w")


def test_an_absent_server_is_a_connection_error(make_client):
    """Whoever catches Python's own kinds catches ours."""
    with pytest.raises(ConnectionError):
        make_client(f"http://127.0.0.1:{find_closed_port()}", retries=ONCE).parameters((2, 2))


@pytest.mark.parametrize("verb", ["weights", "parameters"])
@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, RequestRejected, "400 Too odd"),
        (401, Unauthorized, "401 Too odd; set token= or WEIGHTINIT_TOKEN"),
        (403, Unauthorized, "403 Too odd"),
        (404, NotFound, "404 Too odd"),
        (405, RequestRejected, "405 Too odd"),
        (413, RequestRejected, "413 Too odd"),
        (429, RateLimited, "429 Too odd"),
        (500, ServerError, "500 Too odd"),
        (501, ServerError, "501 Too odd"),
        (503, ServerError, "503 Too odd"),
    ],
)
def test_a_refusal_says_what_was_asked_of_whom_and_the_services_words(
    small_server, make_client, verb, status, kind, words
):
    client = make_client(small_server.url, retries=ONCE)
    error = fail(client, small_server, refuse(status, problem(status, "Too odd")), verb=verb)
    assert type(error) is kind
    label = {"weights": "weights w 256×1024", "parameters": "parameters of 256×1024"}[verb]
    assert str(error) == f"{label} from {small_server.url}/v1/{verb}: {words}"
    assert (error.status, error.detail) == (status, "Too odd")


def test_a_spec_that_is_refused_says_why_field_by_field(small_server, make_client):
    errors = [
        {
            "field": "groups",
            "rule": "must divide 64",
            "received": "5",
            "message": "groups must divide 64; received 5",
        },
        {
            "field": "seed",
            "rule": "is required",
            "received": "nothing",
            "message": "seed is required; received nothing",
        },
    ]
    error = fail(
        make_client(small_server.url), small_server, refuse(422, problem(422, "Two rules", errors=errors))
    )
    assert type(error) is SpecRejected
    assert [(one.field, one.rule, one.received) for one in error.errors] == [
        ("groups", "must divide 64", "5"),
        ("seed", "is required", "nothing"),
    ]
    assert str(error).endswith(": groups must divide 64; received 5; seed is required; received nothing")


def test_a_spec_that_is_refused_without_fields_has_the_detail(small_server, make_client):
    error = fail(make_client(small_server.url), small_server, refuse(422, problem(422, "No", errors="?")))
    assert str(error).endswith(": No")
    assert error.errors == ()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422, 501, 505])
def test_what_will_not_change_is_asked_once(small_server, make_client, status):
    fail(make_client(small_server.url), small_server, refuse(status, problem(status, "No")))
    assert len(small_server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_change_is_asked_again(small_server, small, make_client, status):
    small_server.script = [refuse(status)] * 3
    fetched = make_client(small_server.url).weights(small.shape, seed=1, name="w")
    assert fetched.tobytes() == small.tobytes()


def test_what_does_not_change_is_given_up(small_server, make_client):
    error = fail(
        make_client(small_server.url, retries=Retry(attempts=3, base=0)), small_server, *[refuse(503)] * 3
    )
    assert type(error) is ServerError
    assert error.__notes__ == ["gave up after 3 attempts"]


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_refusal_in_other_words_is_not_ours(small_server, make_client, status):
    error = fail(make_client(small_server.url), small_server, refuse(status, b"<html>", "text/html"))
    assert type(error) is NotWeightinit
    assert "without problem details; check the URL" in str(error)


@pytest.mark.parametrize("media_type", ["text/html", "application/x-npy", ""])
def test_another_media_type_is_not_ours(small_server, make_client, media_type):
    error = fail(make_client(small_server.url), small_server, change(content_type=media_type or None))
    assert type(error) is NotWeightinit
    assert "check the URL" in str(error)


@pytest.mark.parametrize(
    ("body", "media_type", "words"),
    [
        (b"<html>", "text/html", "text/html, not JSON"),
        (b"", "", "no Content-Type, not JSON"),
        (b"{", "application/json", "sent invalid JSON"),
        (b"\xff", "application/json", "sent invalid JSON"),
        (b"[]", "application/json", "not an object"),
        (b"{}", "application/json", "shape is None"),
        (b'{"shape": [1.5]}', "application/json", "shape is"),
        (b" " * 2**21, "application/json", "sent over 1048576 bytes"),
    ],
)
def test_parameters_that_are_none_are_not_ours(small_server, make_client, body, media_type, words):
    error = fail(
        make_client(small_server.url), small_server, refuse(200, body, media_type), verb="parameters"
    )
    assert type(error) is NotWeightinit
    assert words in str(error)


def test_parameters_with_another_status_are_not_ours(small_server, make_client):
    error = fail(
        make_client(small_server.url), small_server, refuse(202, b"{}", "application/json"), verb="parameters"
    )
    assert "responded with 202" in str(error)


def test_parameters_that_break_off_are_asked_again(small_server, make_client):
    def break_off(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        exchange.close()

    client = make_client(small_server.url, retries=Retry(attempts=2, base=0))
    error = fail(client, small_server, break_off, break_off, verb="parameters")
    assert isinstance(error, BrokenTransfer)
    assert len(small_server.requests) == 2


@pytest.mark.parametrize("text", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00" * 64, b"HTTP/1.1 banana\r\n\r\n", b""])
def test_what_does_not_speak_http_is_an_error(small_server, make_client, text):
    error = fail(make_client(small_server.url, retries=ONCE), small_server, send(text))
    assert type(error) is ConnectionFailed


@pytest.mark.parametrize("length", ["-1", "1e6", "1048576, 1048577", "banana"])
def test_an_impossible_content_length_is_an_error(small_server, make_client, length):
    fail(make_client(small_server.url, retries=ONCE), small_server, change(content_length=length))


def test_a_connection_closed_before_the_answer_is_tried_again(small_server, small, make_client):
    small_server.script = [hang_up]
    assert make_client(small_server.url).weights(small.shape, seed=1, name="w").tobytes() == small.tobytes()


def test_a_kept_connection_is_used_again(small_server, small, make_client):
    connections = set()

    def note(exchange):
        connections.add(id(exchange.connection))
        exchange.answer(exchange.make_answer())

    small_server.script = [note] * 3
    client = make_client(small_server.url)
    for seed in range(3):
        client.weights(small.shape, seed=seed, name="w")
    assert len(connections) == 1


def test_the_words_of_a_hostile_server_are_no_more_than_words(small_server, make_client):
    error = fail(make_client(small_server.url), small_server, refuse(400, problem(400, ["not", "text"])))
    assert "not" in str(error)


def test_an_html_answer_of_the_right_length_is_not_taken(small_server, small, make_client):
    page = b"<html>" + bytes(small.nbytes - 6)
    error = fail(make_client(small_server.url), small_server, refuse(200, page, "text/html"))
    assert f"not {RAW} and identity" in str(error)
