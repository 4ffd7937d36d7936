"""Requests that no client library would send."""

import contextlib
import json
import re
import select
import socket
import time

import pytest

END = b"Host: test\r\nConnection: close\r\n\r\n"
JSON = b"POST /v1/weights HTTP/1.1\r\nContent-Type: application/json\r\n"


@pytest.fixture
def ask(service_server):
    def ask(*parts):
        """Send bytes, and return status, header lines and body of what comes back."""
        with socket.create_connection(("127.0.0.1", service_server.port), timeout=30) as connection:
            for part in parts:
                connection.sendall(part)
            answer = bytearray()
            while part := connection.recv(2**20):
                answer += part
        head, _, body = bytes(answer).partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body

    return ask


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"BREW /livez HTTP/1.1\r\n" + END, 501),
        (b"CONNECT test:80 HTTP/1.1\r\n" + END, 501),
        (b"GET /v1/parameters?shape=\xff HTTP/1.1\r\n" + END, 400),
        (b"GET /v1/parameters?shape=\x00 HTTP/1.1\r\n" + END, 400),
        (b"GET /livez HTTP/1.1\r\nA: " + b"a" * 70000 + b"\r\n" + END, 431),
        (b"GET /livez HTTP/1.1\r\n" + b"A: a\r\n" * 40000 + END, 431),
        (b"GET /livez?" + b"a" * 70000 + b" HTTP/1.1\r\n" + END, 414),
        (b"GET /nothing HTTP/1.1\r\n" + END, 404),
        (b"GET /%ff%fe%00 HTTP/1.1\r\n" + END, 404),
        (b"GET /livez%0A HTTP/1.1\r\n" + END, 404),
        (b"GET /v1/parameters%0A?shape=3 HTTP/1.1\r\n" + END, 404),
        (b"GET /v1/weights/ HTTP/1.1\r\n" + END, 404),
        (b"GET //v1/weights HTTP/1.1\r\n" + END, 404),
        (b"TRACE /livez HTTP/1.1\r\n" + END, 405),
        (JSON + b"Content-Length: -1\r\n" + END, 400),
        (JSON + b"Content-Length: 1\r\nContent-Length: 2\r\n" + END, 400),
        (JSON + b"Content-Length: 99999999999999999999999999\r\n" + END, 400),
        (JSON + b"Content-Length: 65537\r\n" + END, 413),
        (JSON + b"Transfer-Encoding: chunked\r\n" + END + b"zz\r\n", 400),
        (JSON + END, 400),
    ],
)
def test_what_cannot_be_answered_is_a_problem(ask, request_head, status):
    answered, headers, body = ask(request_head)
    assert answered == status
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["status"] == status
    assert set(problem) == {"type", "title", "status", "detail"}


def test_a_body_without_a_length_is_refused_while_it_is_read(ask):
    chunk = b"2000\r\n" + b" " * 8192 + b"\r\n"
    head = JSON + b"Transfer-Encoding: chunked\r\n" + END
    status, _, body = ask(head, *[chunk] * 9)
    assert status == 413
    assert "65536" in json.loads(body)["detail"]


@pytest.mark.parametrize(
    ("start", "more", "status"),
    [
        (JSON + b"Host: test\r\nContent-Length: 1000000\r\n\r\n", b" " * 10_000, b"413"),
        (JSON + b"Host: test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b" " * 10_000, b"400"),
        (b"GET /livez HTTP/1.1\r\n" + b"A: a\r\n" * 40_000, b"A: a\r\n" * 2000, b"431"),
    ],
)
def test_a_client_that_is_still_sending_sees_the_answer(service_server, start, more, status):
    with socket.create_connection(("127.0.0.1", service_server.port), timeout=30) as connection:
        connection.sendall(start)
        for _ in range(3):
            time.sleep(0.1)
            connection.sendall(more)
        answer = b""
        while part := connection.recv(2**16):
            answer += part
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.endswith(b"}")


def test_a_client_that_sends_all_of_a_long_body_first_sees_the_answer(service_server):
    # The default of max_model_bytes is 8 MiB. nginx sends what it can before it looks for a response.
    head = b"POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", service_server.port), timeout=30) as connection:
        connection.sendall(head + b"Content-Length: 9000000\r\n\r\n" + b" " * 9_000_000)
        assert connection.recv(2**16).startswith(b"HTTP/1.1 413")


def test_a_client_that_sends_until_it_cannot_sees_the_answer(service_server):
    with socket.create_connection(("127.0.0.1", service_server.port), timeout=30) as connection:
        connection.sendall(JSON + b"Host: test\r\nContent-Length: 900000000\r\n\r\n")
        for _ in range(900):
            if not select.select([], [connection], [], 0.2)[1]:
                break
            connection.send(b" " * 1_000_000, socket.MSG_DONTWAIT)
        assert connection.recv(2**16).startswith(b"HTTP/1.1 413")


CHUNKED = JSON + b"Transfer-Encoding: chunked\r\nHost: test\r\n\r\n"
ENDLESS = {
    "field value": (b"GET /livez HTTP/1.1\r\nA: ", b"a"),
    "field name": (b"GET /livez HTTP/1.1\r\n", b"a"),
    "space before a value": (b"GET /livez HTTP/1.1\r\nA:", b" "),
    "request target": (b"GET /", b"a"),
    "method": (b"", b"GET"),
    "empty lines": (b"", b"\r\n"),
    "chunk extension": (CHUNKED + b"1;", b"a"),
    "chunk size": (CHUNKED, b"0"),
    "trailer field": (CHUNKED + b"1\r\n{\r\n0\r\nA: ", b"a"),
}


@pytest.mark.parametrize(("start", "unit"), ENDLESS.values(), ids=ENDLESS)
def test_what_never_ends_is_refused_after_less_than_a_mebibyte(service_server, start, unit):
    piece = unit * (16_384 // len(unit))
    with socket.create_connection(("127.0.0.1", service_server.port), timeout=30) as connection:
        connection.sendall(start)
        answer = b""
        for _ in range(64):
            with contextlib.suppress(ConnectionError):
                connection.sendall(piece)
            if select.select([connection], [], [], 0.02)[0]:
                answer = connection.recv(2**16)
                break
    assert answer[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431", b"HTTP/1.1 501"}


@pytest.mark.parametrize(("size", "pause"), [(1, 0.1), (2**16, 0)])
def test_a_client_that_goes_on_sending_is_cut_off(service_server, size, pause):
    def send_on(connection, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            connection.sendall(b" " * size)
            time.sleep(pause)

    with socket.create_connection(("127.0.0.1", service_server.port), timeout=30) as connection:
        connection.sendall(JSON + b"Host: test\r\nContent-Length: 1000000000000\r\n\r\n")
        with pytest.raises(ConnectionError):
            send_on(connection, 10)


def test_a_body_that_is_too_long_is_not_asked_for(ask):
    status, headers, _ = ask(JSON + b"Content-Length: 70000\r\nExpect: 100-continue\r\n" + END)
    assert status == 413
    assert headers["connection"] == "close"


def test_a_body_in_many_pieces_is_read(ask):
    pieces = [b'{"shape":', b" [3, ", b'3], "seed"', b": 1}"]
    head = JSON + b"Transfer-Encoding: chunked\r\n" + END
    status, _, body = ask(head, *(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n")
    assert status == 200
    assert body.startswith(b"\x93NUMPY")


def test_a_client_that_leaves_within_its_body_leaves_no_trace(service_server):
    with socket.create_connection(("127.0.0.1", service_server.port)) as connection:
        connection.sendall(JSON + b'Content-Length: 100\r\nHost: test\r\n\r\n{"shape"')
    with socket.create_connection(("127.0.0.1", service_server.port)) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n" + END)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert not [line for line in service_server.log if "Traceback" in line]


def test_pipelined_requests_are_answered_in_order(ask):
    first = b"GET /v1/weights?shape=300,300&seed=1 HTTP/1.1\r\nHost: test\r\n\r\n"
    status, headers, body = ask(first + b"GET /livez HTTP/1.1\r\n" + END)
    assert status == 200
    assert body[int(headers["content-length"]) :].startswith(b"HTTP/1.1 200")
    assert body.endswith(b'{"status":"ok"}')


def test_garbage_behind_a_request_follows_its_whole_response(service_server, ask):
    first = b"GET /v1/weights?shape=3000,3000&seed=1 HTTP/1.1\r\nHost: test\r\n"
    _, _, clean = ask(first + b"Connection: close\r\n\r\n")
    status, _, body = ask(first + b"\r\nGARBAGE\r\n\r\n")
    assert (status, body[: len(clean)]) == (200, clean)
    assert body[len(clean) :].startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_garbage_behind_requests_that_wait_follows_their_responses(service_server, ask):
    first = b"GET /v1/weights?shape=3000,3000&seed=1 HTTP/1.1\r\nHost: test\r\n"
    _, _, clean = ask(first + b"Connection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", service_server.port), timeout=30) as connection:
        connection.sendall(first + b"\r\n")
        answer = connection.recv(2**16)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\nGARBAGE\r\n\r\n")
        while part := connection.recv(2**20):
            answer += part
    body = answer.partition(b"\r\n\r\n")[2]
    assert body.startswith(clean)
    assert re.findall(rb"HTTP/1.1 (\d+)", body[len(clean) :]) == [b"200", b"400"]


def test_a_client_that_sends_no_more_gets_its_whole_body(service_server, ask):
    request = b"GET /v1/weights?shape=3000,3000&seed=1 HTTP/1.1\r\nHost: test\r\n"
    _, _, whole = ask(request + b"Connection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", service_server.port), timeout=30) as connection:
        connection.sendall(request + b"\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(2**20):
            answer += part
    assert answer.partition(b"\r\n\r\n")[2] == whole


def test_old_and_absolute_requests_are_answered(ask):
    assert ask(b"GET /livez HTTP/1.0\r\n\r\n")[0] == 200
    assert ask(b"GET http://test/livez HTTP/1.1\r\n" + END)[0] == 200


def test_an_upgrade_is_ignored(ask):
    status, _, _ = ask(
        b"GET /livez HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\nHost: a\r\n\r\n"
    )
    assert status == 200
