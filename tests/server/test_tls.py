"""HTTPS, by a certificate of the settings."""

import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from weightinit import CertificateRejected, Client

from tests.servers import run_server

# The authority that the client's tests trust, and a key with a certificate for the loopback address.
DATA = Path(__file__).parents[1] / "clients/transport/data"
LARGE = {"shape": (2000, 1001), "seed": 1, "name": "w", "distribution": "normal"}


@pytest.fixture(params=["1", "2"], ids=["one process", "two processes"])
def server(request, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(DATA / "ca.pem"))
    with run_server("--tls-certificate", str(DATA / "server.pem"), "--workers", request.param) as server:
        yield server


def test_a_service_with_a_certificate_sends_the_same_bytes(server, service_url):
    assert server.url.startswith("https://")
    with Client(server.url) as secure, Client(service_url) as plain:
        assert secure.raw(**LARGE) == plain.raw(**LARGE)


def test_a_client_that_does_not_trust_the_authority_refuses_it(server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with Client(server.url, retries=0) as client, pytest.raises(CertificateRejected):
        client.parameters((5, 7))


def test_plain_http_gets_no_response(server):
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(server.url.replace("https", "http"))


def test_an_absolute_target_may_have_the_scheme_of_the_connection(server):
    context = ssl.create_default_context(cafile=DATA / "ca.pem")
    for scheme, status in (("https", b"200"), ("HTTPS", b"200"), ("http", b"200"), ("ftp", b"421")):
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            connection.sendall(f"GET {scheme}://127.0.0.1/livez HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 " + status


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_file_without_a_certificate_is_an_error(tmp_path, content):
    file = tmp_path / "certificate.pem"
    file.write_text(content)
    command = [sys.executable, "-m", "service", "--port", "0", "--tls-certificate", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert done.stderr.startswith("weightinit: --tls-certificate: ")


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    file = tmp_path / "nothing.pem"
    command = [sys.executable, "-m", "service", "--port", "0", "--tls-certificate", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("weightinit: --tls-certificate: path does not point to a file")


def test_a_key_alone_is_an_error():
    command = [sys.executable, "-m", "service", "--port", "0", "--tls-key", str(DATA / "server.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (
        2,
        "weightinit: --tls-key: requires a certificate, --tls-certificate\n",
    )
