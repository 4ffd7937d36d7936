"""The hosts that a service answers for, when they are limited: against DNS rebinding."""

import socket

import pytest

from tests.servers import run_server


@pytest.fixture(scope="module")
def server():
    with run_server("--allowed-hosts", "a.example,127.0.0.1,[::1]") as server:
        yield server


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("/livez", "a.example", 200),
        ("/livez", "A.EXAMPLE:8000", 200),
        ("/livez", "[::1]:80", 200),
        ("/livez", "b.example", 421),
        ("/livez", "a.example.b.example", 421),
        ("/livez", "", 421),
        # RFC 9112, section 3.2.2: the host of an absolute target counts, whatever Host is.
        ("http://a.example/livez", "b.example", 200),
        ("http://b.example/livez", "a.example", 421),
        ("http://a.example@b.example/livez", "a.example", 400),
    ],
)
def test_only_the_allowed_hosts_are_answered_for(server, target, host, status):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 %d" % status
