"""What tests of the client share."""

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
    """Nothing that this machine's environment says reaches a client."""
    for name in os.environ:
        if name.upper().startswith(SETTINGS):
            monkeypatch.delenv(name)


def make_tensor(length=LENGTHS["short"]):
    """Make a tensor whose bytes differ everywhere, so that a misplaced one shows."""
    return np.arange(length // 4, dtype="<u4").view("<f4").reshape(-1, 1024)


@pytest.fixture(params=LENGTHS)
def tensor(request):
    """A tensor of either length."""
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
    """Make clients that do not wait between attempts; they are closed in the end."""
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
    """The URL of a real service: one that runs already, where these tests run inside of another."""
    return os.environ.get("TESTED_SERVICE") or request.getfixturevalue("service_server").url


@pytest.fixture(scope="session")
def client(service_url):
    """A client of the real service."""
    with Client(service_url, progress=False) as made:
        yield made


@pytest.fixture
def counting(client):
    """The same, with a count of what it was asked for."""
    return CountingClient(client)


@pytest.fixture
def recorder():
    """A client to publish by, to which nothing happens."""
    return Recorder()


@pytest.fixture
def service(service_url, monkeypatch):
    """The real service as that of the default client."""
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    default_client.cache_clear()
    yield service_url
    default_client().close()
    default_client.cache_clear()
