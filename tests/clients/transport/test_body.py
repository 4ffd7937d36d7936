"""How a body is read: piece by piece, or from the socket, and never with a byte out of place."""

import socket
import threading
import time
from contextlib import closing

import httpx
import pytest
from weightinit import Truncated, WeightinitError
from weightinit.transport.body import COLLECT_TIMEOUT, LONG_BODY, Body, find_socket


class Stream:
    """What httpx shows of a connection."""

    def __init__(self, sock, ssl_object=None):
        self.info = {"socket": sock, "ssl_object": ssl_object}

    def get_extra_info(self, name):
        return self.info.get(name)


class Chunks(httpx.SyncByteStream):
    def __init__(self, *chunks):
        self.chunks = chunks

    def __iter__(self):
        yield from self.chunks


@pytest.fixture
def sockets():
    """A socket of ours, and the server's end of it."""
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        yield ours, theirs


@pytest.fixture
def tcp():
    """A connection as a server has it, whose ends collect bytes where the system can."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with closing(ours), closing(theirs):
        yield ours, theirs


def make_response(sock, *chunks, length=LONG_BODY + 8, ssl_object=None, **headers):
    return httpx.Response(
        200,
        headers={"Content-Length": str(length), **headers},
        stream=Chunks(*chunks),
        extensions={"network_stream": Stream(sock, ssl_object), "http_version": b"HTTP/1.1"},
        request=httpx.Request("GET", "http://host/v1/weights"),
    )


def read(body, view):
    read = 0
    while count := body.read_into(view[read:]):
        read += count
    return read


def test_a_long_rest_is_on_the_socket(sockets):
    assert find_socket(make_response(sockets[0]), LONG_BODY) is sockets[0]


def test_a_short_rest_is_left_to_httpx(sockets):
    assert find_socket(make_response(sockets[0]), LONG_BODY - 1) is None


def test_chunked_coding_is_left_to_httpx(sockets):
    assert find_socket(make_response(sockets[0], **{"Transfer-Encoding": "chunked"}), LONG_BODY) is None


def test_tls_inside_tls_is_left_to_httpx(sockets):
    """The socket is the proxy's, and what is on it is encrypted."""
    assert find_socket(make_response(sockets[0], ssl_object=object()), LONG_BODY) is None


def test_another_transport_is_left_to_httpx():
    assert find_socket(httpx.Response(200, headers={"Content-Length": "9"}), LONG_BODY) is None


def test_another_kind_of_socket_is_left_to_httpx():
    assert find_socket(make_response(object()), LONG_BODY) is None


def test_the_first_piece_comes_first(sockets):
    ours, theirs = sockets
    body = Body(make_response(ours, b"12345678"), LONG_BODY + 8, timeout=5)
    view = memoryview(bytearray(LONG_BODY + 8))
    assert body.read_into(view) == 8
    theirs.sendall(b"9" * 100)
    assert body.read_into(view[8:]) == 100
    assert bytes(view[:10]) == b"1234567899"


def test_no_more_is_read_than_the_body_has(sockets):
    body = Body(make_response(None, b"12345678", length=4), 4, timeout=5)
    assert read(body, memoryview(bytearray(100))) == 4


def test_bytes_that_httpx_held_back_are_found_out(sockets):
    """Or what is read from the socket would take their place, and resuming would hide it."""
    ours, theirs = sockets
    body = Body(make_response(ours, b"first", b"held back"), LONG_BODY + 8, timeout=5)
    view = memoryview(bytearray(LONG_BODY + 8))
    body.read_into(view)
    theirs.close()
    with pytest.raises(WeightinitError, match="buffers bytes of the body") as raised:
        body.read_into(view)
    assert not raised.value.retryable


def test_bytes_that_httpx_held_back_are_found_out_when_nothing_comes(sockets):
    body = Body(make_response(sockets[0], b"first", b"held back"), LONG_BODY + 8, timeout=0.05)
    view = memoryview(bytearray(LONG_BODY + 8))
    body.read_into(view)
    with pytest.raises(WeightinitError, match="buffers bytes of the body"):
        body.read_into(view)


def test_a_connection_that_ends_is_truncated(sockets):
    ours, theirs = sockets
    body = Body(make_response(ours, b"first"), LONG_BODY + 8, timeout=5)
    view = memoryview(bytearray(LONG_BODY + 8))
    body.read_into(view)
    theirs.close()
    with pytest.raises(
        Truncated, match=f"http://host/v1/weights closed the connection with {LONG_BODY + 3} bytes missing"
    ):
        body.read_into(view)


def test_a_slow_connection_is_waited_on_by_the_byte(tcp):
    """The kernel would keep what is less than it was to collect; none of it is lost or late."""
    ours, theirs = tcp
    body = Body(make_response(ours, b"begin...", length=LONG_BODY + 8), LONG_BODY + 8, timeout=5)
    memory = memoryview(bytearray(LONG_BODY + 8))
    assert body.read_into(memory) == 8
    theirs.sendall(b"few")
    assert body.read_into(memory[8:]) == 3
    assert memory[8:11] == b"few"
    theirs.sendall(b"more")
    start = time.monotonic()
    assert body.read_into(memory[11:]) == 4
    assert time.monotonic() - start < COLLECT_TIMEOUT


def test_the_last_bytes_are_not_waited_on_for_more(tcp):
    """Fewer than the kernel collects are left in the end, on a connection that stays open."""
    ours, theirs = tcp
    size = LONG_BODY + 8
    body = Body(make_response(ours, b"begin...", length=size), size, timeout=5)
    sent = bytes(range(256)) * (LONG_BODY // 256)
    sender = threading.Thread(target=theirs.sendall, args=(sent,))
    sender.start()
    memory = bytearray(size)
    assert read(body, memoryview(memory)) == size
    sender.join()
    assert memory[8:] == sent
