"""Fixtures for tests of the client."""

import os

import numpy as np
import pytest
from weightinit import Client, Retry
from weightinit.default import default_client

from tests.clients.drawing import CountingClient
from tests.clients.faults import FaultServer, run
from tests.clients.recorder import Recorder

# Short enough to be copied piece by piece, and long enough to be read from the socket.
LENGTHS = {"short": 1024 * 1024, "long": 8 * 1024 * 1024}

SETTINGS = ("WEIGHTINIT_", "HTTP_", "HTTPS_", "ALL_", "NO_", "SSL_")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    """Remove the settings of this machine's environment."""
    for name in os.environ:
        if name.upper().startswith(SETTINGS):
            monkeypatch.delenv(name)


def make_tensor(length=LENGTHS["short"]):
    """Return a tensor whose bytes all differ locally, so that a misplaced one is detected."""
    return np.arange(length // 4, dtype="<u4").view("<f4").reshape(-1, 1024)


@pytest.fixture(params=LENGTHS)
def tensor(request):
    """A short or a long tensor."""
    return make_tensor(LENGTHS[request.param])


@pytest.fixture
def server(tensor):
    """A server of that tensor."""
    with run(FaultServer(tensor.tobytes())) as running:
        yield running


@pytest.fixture
def small():
    """A short tensor."""
    return make_tensor()


@pytest.fixture
def small_server(small):
    """A server of the short tensor."""
    with run(FaultServer(small.tobytes())) as running:
        yield running


@pytest.fixture
def make_client():
    """Return clients that do not wait between attempts; they are closed at the end."""
    clients = []

    def make(*urls, **settings):
        settings.setdefault("retries", Retry(base=0))
        clients.append(Client(list(urls), **settings))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def service_url(request):
    """The URL of a real service: one that is already running, if a test was started by another."""
    return os.environ.get("TESTED_SERVICE") or request.getfixturevalue("service_server").url


@pytest.fixture(scope="session")
def client(service_url):
    """A client of the real service."""
    with Client(service_url, progress=False) as made:
        yield made


@pytest.fixture
def counting(client):
    """The same client, counting its requests."""
    return CountingClient(client)


@pytest.fixture
def recorder():
    """A client that records what is published instead of sending it."""
    return Recorder()


@pytest.fixture
def service(service_url, monkeypatch):
    """The real service, used by the default client."""
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    default_client.cache_clear()
    yield service_url
    default_client().close()
    default_client.cache_clear()
