"""A server that sends next to nothing does not hold a client for longer than the timeout."""

import json

import pytest
from weightinit import NotWeightinit, ServerStalled

from tests.clients.faults import change, drip, refuse, send


def test_a_body_that_drips_is_given_up(small_server, small, make_client):
    small_server.script = [drip(1000)]
    with pytest.raises(ServerStalled, match=r"less than 1024 per second; increase timeout="):
        make_client(small_server.url, timeout=0.5, retries=0).weights(small.shape, seed=1, name="w")


def test_a_download_goes_on_after_a_body_that_drips(small_server, small, make_client):
    small_server.script = [drip(1000)]
    fetched = make_client(small_server.url, timeout=0.5).weights(small.shape, seed=1, name="w")
    assert fetched.tobytes() == small.tobytes()
    assert small_server.ranges[1] is not None


def test_json_that_drips_is_given_up(small_server, make_client):
    def fault(exchange):
        answer = exchange.make_answer()
        exchange.make_answer = lambda: answer
        answer.headers["Content-Type"] = "application/json"
        drip(1000)(exchange)

    small_server.script = [fault]
    with pytest.raises(ServerStalled, match="less than 1024 per second"):
        make_client(small_server.url, timeout=0.5, retries=0).parameters((5, 7))


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"weightinit_stream": "2"}, "of stream 2; this client is for stream 1"),
        ({"weightinit_stream": None}, "of stream unknown"),
        ({"weightinit_dtype": "float64"}, "sent Weightinit-Dtype: float64 for .*, not float32"),
        ({"weightinit_shape": "7,5"}, "sent Weightinit-Shape: 7,5 for .*, not 256,1024"),
    ],
)
def test_bytes_of_another_tensor_are_not_taken(small_server, small, make_client, headers, message):
    small_server.script = [change(**headers)]
    with pytest.raises(NotWeightinit, match=message):
        make_client(small_server.url).weights(small.shape, seed=1, name="w")


@pytest.mark.parametrize("body", [b'{"a":' * 100_000, b"[" * 100_000])
def test_json_that_is_nested_too_deeply_is_not_ours(small_server, make_client, body):
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    small_server.script = [send(answer + body)]
    with pytest.raises(NotWeightinit, match="sent invalid JSON"):
        make_client(small_server.url, retries=0).parameters((5, 7))


def test_a_number_that_overflows_is_not_ours(small_server, make_client):
    body = json.dumps({"shape": [5, 7], "variance": 10**400}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    small_server.script = [send(answer + body)]
    with pytest.raises(NotWeightinit, match="cannot be read"):
        make_client(small_server.url, retries=0).parameters((5, 7))


@pytest.mark.parametrize("later", ["9" * 400, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "²"])
def test_a_retry_after_that_makes_no_sense_is_no_other_error(small_server, make_client, later):
    small_server.script = [refuse(503, retry_after=later)]
    with pytest.raises(Exception, match="503"):
        make_client(small_server.url, retries=0).parameters((5, 7))
