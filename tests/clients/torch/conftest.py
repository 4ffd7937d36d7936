"""Fixtures for tests of the PyTorch adapter."""

import numpy as np
import pytest
import torch
from weightinit import Client
from weightinit.default import default_client

from tests.clients.drawing import draw

NAMES = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}


@pytest.fixture(scope="session")
def client(service_url):
    """A client of the real service."""
    with Client(service_url, progress=False) as made:
        yield made


@pytest.fixture
def default_service(service_url, monkeypatch):
    """The real service, used by the default client."""
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    default_client.cache_clear()
    yield service_url
    default_client.cache_clear()


@pytest.fixture
def expect():
    """The tensor that is expected for a shape and the keywords of a spec, computed without the service."""

    def make(*shape, dtype=torch.float32, layout="torch", **said):
        drawn = draw(*shape, dtype=NAMES[dtype], layout=layout, **said)
        return torch.from_numpy(drawn.view(np.uint8).copy()).view(dtype).view(shape)

    return make
