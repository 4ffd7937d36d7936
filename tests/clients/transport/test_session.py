"""Connections: who is told the token, whom they go through, and whose they are after a fork."""

import multiprocessing
import ssl
import threading
from pathlib import Path

import pytest
from weightinit import CertificateRejected, ConfigurationError, ConnectionFailed, NotWeightinit, Retry
from weightinit.transport.session import MAX_REDIRECTS

from tests.clients.conftest import make_tensor
from tests.clients.faults import FaultServer, redirect, refuse, run, serve, truncate

DATA = Path(__file__).parent / "data"


@pytest.fixture
def other(tensor):
    """Another server of the same tensor: another origin."""
    with run(FaultServer(tensor.tobytes())) as running:
        yield running


@pytest.fixture
def tls_server(tensor):
    """A server with a certificate of a test authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / "server.pem")
    with run(FaultServer(tensor.tobytes(), context=context)) as running:
        yield running


def test_a_token_is_a_bearer_token(small_server, small, make_client):
    make_client(small_server.url, token="secret").weights(small.shape, seed=1, name="w")
    assert small_server.requests[0].headers["authorization"] == "Bearer secret"


def test_a_token_is_not_shown(small_server, small, make_client):
    client = make_client(small_server.url, token="secret")
    small_server.script = [refuse(403)]
    with pytest.raises(Exception, match="403") as raised:
        client.weights(small.shape, seed=1, name="w")
    assert "secret" not in f"{raised.value} {client!r} {client._settings!r}"


def test_a_token_that_is_no_header_is_refused(small_server, small, make_client):
    with pytest.raises(ConfigurationError, match="cannot be sent"):
        make_client(small_server.url, token="one\r\ntwo").weights(small.shape, seed=1, name="w")


def test_a_redirect_is_followed(server, other, tensor, make_client):
    server.script = [redirect(other.url)]
    assert make_client(server.url).weights(tensor.shape, seed=1, name="w").tobytes() == tensor.tobytes()


def test_a_redirect_to_another_origin_does_not_get_the_token(server, other, tensor, make_client):
    server.script = [redirect(other.url)]
    make_client(server.url, token="secret").weights(tensor.shape, seed=1, name="w")
    assert "authorization" in server.requests[0].headers
    assert "authorization" not in other.requests[0].headers


def test_a_redirect_within_the_origin_gets_the_token(server, tensor, make_client):
    server.script = [redirect(server.url + "/moved")]
    make_client(server.url, token="secret").weights(tensor.shape, seed=1, name="w")
    assert server.requests[1].headers["authorization"] == "Bearer secret"


def test_a_redirected_download_goes_on_where_it_broke(server, other, tensor, make_client):
    server.script, other.script = [redirect(other.url)] * 2, [truncate(600_000)]
    assert make_client(server.url).weights(tensor.shape, seed=1, name="w").tobytes() == tensor.tobytes()
    assert other.ranges == [None, "bytes=600000-"]


def test_a_redirect_in_circles_is_not_followed_for_ever(small_server, small, make_client):
    small_server.script = [redirect(small_server.url)] * 99
    with pytest.raises(NotWeightinit, match="redirects too many times"):
        make_client(small_server.url).weights(small.shape, seed=1, name="w")
    assert len(small_server.requests) == 1 + MAX_REDIRECTS


def test_a_redirect_to_nowhere_is_an_error(small_server, small, make_client):
    small_server.script = [refuse(302, location="ftp://host/")]
    with pytest.raises(ConfigurationError, match="ftp://"):
        make_client(small_server.url).weights(small.shape, seed=1, name="w")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_gone_through(server, tensor, make_client, monkeypatch, name):
    monkeypatch.setenv(name, server.url)
    client = make_client("http://weights.invalid:8000")
    server.script = [truncate(600_000)]
    assert client.weights(tensor.shape, seed=1, name="w").tobytes() == tensor.tobytes()
    assert server.requests[0].target.startswith("http://weights.invalid:8000/v1/weights?")


def test_no_proxy_is_gone_through_where_the_environment_says_so(server, tensor, make_client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert make_client(server.url).weights(tensor.shape, seed=1, name="w").tobytes() == tensor.tobytes()


def test_a_proxy_that_cannot_be_used_is_an_error(small, make_client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="gopher"):
        make_client("http://weights.invalid").weights(small.shape, seed=1, name="w")


def test_an_error_behind_a_proxy_names_it(small, make_client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:1")
    with pytest.raises(ConnectionFailed, match=r"through the proxy http://127\.0\.0\.1:1") as raised:
        make_client("http://weights.invalid", retries=0).weights(small.shape, seed=1, name="w")
    assert "secret" not in str(raised.value)


def test_a_trusted_certificate_is_accepted(tls_server, tensor, make_client, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(DATA / "ca.pem"))
    assert make_client(tls_server.url).weights(tensor.shape, seed=1, name="w").tobytes() == tensor.tobytes()


def test_a_long_body_over_tls_is_read_from_its_socket(tls_server, tensor, make_client, monkeypatch):
    monkeypatch.setattr("weightinit.transport.body.LONG_BODY_TLS", 2**19)
    monkeypatch.setenv("SSL_CERT_FILE", str(DATA / "ca.pem"))
    tls_server.script = [truncate(600_000)]
    assert make_client(tls_server.url).weights(tensor.shape, seed=1, name="w").tobytes() == tensor.tobytes()


def test_an_unknown_certificate_is_refused_at_once(tls_server, tensor, make_client):
    with pytest.raises(CertificateRejected, match="set SSL_CERT_FILE to a file") as raised:
        make_client(tls_server.url).weights(tensor.shape, seed=1, name="w")
    assert not hasattr(raised.value, "__notes__")


def test_tls_asked_of_a_server_without_is_an_error(small_server, small, make_client):
    small_server.url = small_server.url.replace("http:", "https:")
    client = make_client(small_server.url, timeout=0.2, retries=Retry(attempts=1))
    with pytest.raises(ConnectionError, match="cannot be reached"):
        client.weights(small.shape, seed=1, name="w")


def test_a_closed_client_opens_new_connections(small_server, small, make_client):
    client = make_client(small_server.url)
    for _ in range(2):
        client.weights(small.shape, seed=1, name="w")
        client.close()
    assert len(small_server.requests) == 2


def test_a_client_is_a_context_manager(small_server, small, make_client):
    with make_client(small_server.url) as client:
        client.weights(small.shape, seed=1, name="w")
    assert client._session._http is None


def test_threads_may_share_a_client(server, tensor, make_client):
    server.script = [truncate(600_000), serve, truncate(700_000), truncate(5), refuse(503)]
    client = make_client(server.url)
    fetched = []
    threads = [
        threading.Thread(
            target=lambda seed: fetched.append(client.weights(tensor.shape, seed=seed, name="w")), args=[seed]
        )
        for seed in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 8
    assert all(array.tobytes() == tensor.tobytes() for array in fetched)


def fetch_in_child(client, results):
    results.put(client.weights((256, 1024), seed=2, name="w").tobytes())


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own(make_client):
    """Two processes on one connection would read each other's answers."""
    tensor = make_tensor()
    connections = set()

    def note(exchange):
        connections.add(exchange.connection.getpeername())
        serve(exchange)

    with run(FaultServer(tensor.tobytes(), script=[note] * 3)) as server:
        client = make_client(server.url)
        client.weights(tensor.shape, seed=1, name="w")
        context = multiprocessing.get_context("fork")
        results = context.SimpleQueue()
        child = context.Process(target=fetch_in_child, args=[client, results])
        child.start()
        assert results.get() == tensor.tobytes()
        child.join()
        assert client.weights(tensor.shape, seed=3, name="w").tobytes() == tensor.tobytes()
        results.close()
    assert len(connections) == 2
