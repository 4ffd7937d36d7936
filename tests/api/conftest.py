import httpx
import pytest

from tests.api.drawing import LAYER, draw, save


@pytest.fixture(scope="session")
def client(service_url):
    with httpx.Client(base_url=service_url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def whole():
    return save(draw(**LAYER))
