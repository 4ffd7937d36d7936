"""Requests that never wholly arrive."""

import json
import socket
import time

import pytest

from tests.servers import run_server

JSON = b"POST /v1/weights HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
WHOLE = b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(scope="module")
def server():
    with run_server("--request-timeout", "1") as server:
        yield server
    assert not [line for line in server.log if "Traceback" in line]


@pytest.fixture
def connection(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        yield connection


def drip(connection, data, pause=0.1):
    """Send the same few bytes again and again, and return all that comes until the connection is closed."""
    connection.settimeout(pause)
    answer, deadline = b"", time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            connection.sendall(data)
            if not (part := connection.recv(2**16)):
                return answer
            answer += part
        except TimeoutError:
            continue
        except OSError:
            return answer
    raise AssertionError("the connection is never closed")


def check_timeout(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\n")
    assert b"connection: close" in head
    assert json.loads(body)["status"] == 408


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        (b"GET /livez HTTP/1.1\r\n", b"A: a\r\n"),
        (b"GET /", b"a"),
        (WHOLE * 2 + b"GET", b""),
        (JSON + b"Content-Length: 1000\r\n\r\n", b" "),
        (JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (JSON + b"Content-Length: 1000\r\n\r\n{", b""),
        (WHOLE + JSON + b"Content-Length: 1000\r\n\r\n{", b""),
    ],
)
def test_a_request_that_drips_or_stalls_is_answered_408(connection, start, rest):
    connection.sendall(start)
    answer = drip(connection, rest)
    *answered, last = answer.split(b"HTTP/1.1 ")
    check_timeout(b"HTTP/1.1 " + last)
    assert len([part for part in answered if part.startswith(b"200")]) == start.count(WHOLE)


def test_empty_lines_are_not_waited_for_forever(connection):
    check_timeout(drip(connection, b"\r\n"))


def test_a_body_that_drips_after_its_answer_gets_no_other(connection):
    connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n")
    answer = drip(connection, b"a")
    assert answer.startswith(b"HTTP/1.1 404")
    assert answer.count(b"HTTP/1.1") == 1


def test_an_answer_is_finished_whatever_begins_to_arrive_meanwhile(connection):
    connection.sendall(b"GET /v1/weights?shape=2048,2048&seed=1 HTTP/1.1\r\nHost: test\r\n\r\nGET /")
    time.sleep(2.5)
    answer = b""
    while len(answer) < 2**24:
        answer += connection.recv(2**20)
    connection.sendall(WHOLE.removeprefix(b"GET /"))
    assert b"HTTP/1.1 200" in connection.recv(2**20)


def test_a_body_that_stalls_behind_a_long_answer_has_an_end(connection):
    connection.sendall(b"GET /v1/weights?shape=2048,2048&seed=1 HTTP/1.1\r\nHost: test\r\n\r\n")
    connection.sendall(JSON + b"Content-Length: 1000\r\n\r\n{")
    time.sleep(2.5)
    answer = drip(connection, b"", pause=1)
    assert len(answer) > 2**24
    check_timeout(b"HTTP/1.1 408" + answer.rpartition(b"HTTP/1.1 408")[2])


def test_a_connection_may_be_idle_for_longer(connection):
    for _ in range(2):
        connection.sendall(WHOLE)
        time.sleep(2)
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200")
