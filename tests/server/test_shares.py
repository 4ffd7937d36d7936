"""What one address may hold of a server, and clients that do not read."""

import socket
import time
from contextlib import ExitStack, suppress

import httpx
import pytest

from tests.servers import run_server, wait_until

LARGE = "/v1/weights?shape=65536,65536&seed=1"
# Larger than what the kernel and the client's socket take in, and drawn by the event loop itself.
MEDIUM = "/v1/weights?shape=250,250&seed=1"
LIMITS = ("--max-connections", "40", "--max-streams", "8", "--max-digests", "4", "--send-timeout", "2")


@pytest.fixture(scope="module")
def server():
    with run_server(*LIMITS) as server:
        yield server
    assert not [line for line in server.log if "Traceback" in line]


def connect(server, source="127.0.0.1"):
    """Connect from an address of the loopback network, with a small buffer for what is received."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.bind((source, 0))
    connection.settimeout(30)
    connection.connect(("127.0.0.1", server.port))
    return connection


def request(connection, path, *fields):
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: test", *fields, "", ""])
    connection.sendall(head.encode())


def read_head(connection):
    """Read the status of a response and its other fields in lower case."""
    head = b""
    while b"\r\n\r\n" not in head and (part := connection.recv(1)):
        head += part
    return int(head[9:12]), head.decode().lower()


def read_rest(connection):
    """Read until the connection is closed; return how many bytes came."""
    received = 0
    with suppress(ConnectionResetError):
        while part := connection.recv(2**16):
            received += len(part)
    return received


def open_streams(server, stack, count, source="127.0.0.1"):
    """Open large bodies that nobody reads, when those of earlier tests are closed."""
    wait_until(lambda: count_streams(server) == 0)
    for _ in range(count):
        connection = stack.enter_context(connect(server, source))
        request(connection, LARGE)
        assert read_head(connection)[0] == 200


def ask(server, path, *fields, source="127.0.0.1"):
    with connect(server, source) as connection:
        request(connection, path, *fields)
        return read_head(connection)


def count_streams(server):
    return server.read_metric("weightinit_open_streams")


def test_an_address_gets_its_share_of_large_bodies_and_others_theirs(server):
    with ExitStack() as stack:
        open_streams(server, stack, 2)
        status, head = ask(server, LARGE)
        assert (status, "retry-after: 1" in head) == (429, True)
        assert ask(server, LARGE, source="127.0.0.2")[0] == 200
        assert ask(server, "/v1/parameters?shape=5,7")[0] == 200


def test_a_large_body_that_nobody_reads_is_given_up(server):
    before = server.read_metric("weightinit_send_timeouts_total")
    with ExitStack() as stack:
        open_streams(server, stack, 2)
        wait_until(lambda: count_streams(server) == 0)
        assert server.read_metric("weightinit_send_timeouts_total") == before + 2
        assert ask(server, LARGE)[0] == 200


def test_a_body_that_is_read_slowly_is_not_given_up(server):
    with connect(server) as connection:
        request(connection, LARGE)
        read_head(connection)
        for _ in range(12):
            time.sleep(0.5)
            for _ in range(4):
                assert connection.recv(2**16)


def test_a_small_response_that_nobody_reads_is_given_up(server):
    with connect(server) as connection:
        before = server.read_metric("weightinit_send_timeouts_total")
        for _ in range(100):
            request(connection, MEDIUM)
        time.sleep(5)
        assert read_rest(connection) < 100 * 250_000
        assert server.read_metric("weightinit_send_timeouts_total") == before + 1


def test_an_address_gets_its_share_of_connections_and_others_theirs(server):
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(connect(server))
        wait_until(lambda: ask(server, "/livez")[0] == 429)
        with connect(server) as connection:
            status, head = read_head(connection)
        assert (status, "retry-after: 1" in head, "connection: close" in head) == (429, True, True)
        assert ask(server, "/livez", source="127.0.0.2")[0] == 200
    wait_until(lambda: ask(server, "/livez")[0] == 200)


def test_connections_beyond_the_limit_get_503(server):
    with ExitStack() as stack:
        for number in range(40):
            stack.enter_context(connect(server, f"127.0.0.{number // 10 + 2}"))
        wait_until(lambda: ask(server, "/livez")[0] == 503)
    wait_until(lambda: ask(server, "/livez")[0] == 200)


def test_an_address_gets_its_share_of_digests(server):
    path = "/v1/weights?shape=16384,16000&seed={}"
    with ExitStack() as stack:
        first = stack.enter_context(connect(server))
        request(first, path.format(1), "Want-Repr-Digest: sha-256=10")
        wait_until(
            lambda: ask(server, path.format(2), "Want-Repr-Digest: sha-256=10", "Range: bytes=0-9")[0] == 429
        )
        assert server.read_metric("weightinit_running_digests") == 1
        assert ask(server, path.format(1), "Range: bytes=0-9")[0] == 206


@pytest.mark.parametrize("proxies", ["", "127.0.0.1"])
def test_an_address_of_a_client_is_believed_from_a_trusted_proxy_only(proxies):
    with (
        run_server("--max-streams", "2", "--peer-share", "0.5", "--trusted-proxies", proxies) as server,
        httpx.stream("GET", server.url + LARGE, headers={"X-Forwarded-For": "192.0.2.1"}),
        httpx.stream("GET", server.url + LARGE, headers={"X-Forwarded-For": "192.0.2.2"}) as second,
    ):
        assert second.status_code == (200 if proxies else 429)
