"""Fixtures of the tests of proxies."""

import pytest

from tests.deploy.proxies import DATA


@pytest.fixture(scope="module")
def trust():
    """The authority of the proxies' certificate is trusted by the client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(DATA / "ca.pem"))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data directory of the service behind a proxy."""
    return tmp_path_factory.mktemp("data")
