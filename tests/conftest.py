"""Fixtures for tests in several folders."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgres import Cluster, run_cluster
from tests.servers import Server, run_server

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server for the tests; a test that stops it must start it again."""
    with run_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def service_server() -> Iterator[Server]:
    """A server with the default settings."""
    with run_server() as server:
        yield server


@pytest.fixture(scope="session")
def service_url(service_server: Server) -> str:
    """The URL of a server with the default settings, without a trailing slash."""
    return service_server.url
