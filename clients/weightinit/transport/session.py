"""Sessions: HTTP connections, one pool for each process, and httpx's faults in our words."""

import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import httpx

from weightinit.errors import (
    CertificateRejected,
    ConfigurationError,
    ConnectionFailed,
    NotWeightinit,
    Offline,
    ServerStalled,
    WeightinitError,
)
from weightinit.settings import Settings
from weightinit.transport.requests import Query
from weightinit.transport.urls import mask
from weightinit.version import __version__

MAX_REDIRECTS = 5
SLOWEST_CONNECT = 10.0

# What httpx raises → what we raise, the first that fits; anything else is a request that cannot be made.
FAULTS: tuple[tuple[type[WeightinitError], type[Exception] | tuple[type[Exception], ...]], ...] = (
    (
        ConnectionFailed,
        (httpx.ConnectTimeout, httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError),
    ),
    (ServerStalled, httpx.TimeoutException),
    (NotWeightinit, httpx.TooManyRedirects),
)
WORDS: dict[type[WeightinitError], str] = {
    CertificateRejected: "{url} has a certificate that this machine does not trust ({why}); "
    "SSL_CERT_FILE names a file of those to trust",
    ConfigurationError: "a request to {url} cannot be made: {why}",
    ConnectionFailed: "{url} cannot be reached ({why}); is the service running there? "
    "url= or WEIGHTINIT_URL says where it is",
    NotWeightinit: "{url} redirects too often ({why}); check the URL",
    ServerStalled: "{url} sent nothing for {timeout:g} s; a larger timeout waits longer",
}

# A forked child must neither use its parent's connections nor touch the locks around them: they stay here.
_inherited: list[httpx.Client] = []


class Session:
    """The connections of one client. Proxies, certificates and `no_proxy` are as httpx reads them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._process = os.getpid()

    def __reduce__(self) -> tuple[type["Session"], tuple[Settings]]:
        """Copy and pickle the settings, the token among them; a copy opens connections of its own."""
        return type(self), (self._settings,)

    @property
    def timeout(self) -> float:
        """Seconds without a byte before a server counts as stalled."""
        return self._settings.timeout

    @contextmanager
    def request(self, endpoint: str, query: Query, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """Ask an endpoint, following redirects, and close the answer in the end.

        The body is still to be read; every status is an answer. Raises ConnectionFailed, ServerStalled,
        NotWeightinit, ConfigurationError; Offline where nobody may be asked.
        """
        if self._settings.offline:
            place = self._settings.cache
            raise Offline(
                f"{f'the cache {place} does not have' if place else 'there is no cache of'} {query.label}, "
                f"and WEIGHTINIT_OFFLINE forbids asking {write_url(endpoint, query)}"
            )
        try:
            http = self._connect()
            request = http.build_request(
                query.method, endpoint + query.path, params=query.params, headers=headers, content=query.body
            )
            response = http.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as error:
            raise translate(error, endpoint, self._settings.timeout) from error
        try:
            yield response
        finally:
            response.close()

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        with self._lock:
            http, self._http = self._http, None
        if http is not None and self._process == os.getpid():
            http.close()

    def _connect(self) -> httpx.Client:
        if self._process != os.getpid():
            if self._http is not None:
                _inherited.append(self._http)
            self._lock, self._http, self._process = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._http is None:
                self._http = self._open()
            return self._http

    def _open(self) -> httpx.Client:
        settings = self._settings
        headers = {"User-Agent": f"weightinit/{__version__}", "Accept-Encoding": "identity"}
        if settings.token:
            # httpx leaves it out of a redirect to another origin.
            headers["Authorization"] = f"Bearer {settings.token}"
        return httpx.Client(
            verify=load_certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
            headers=headers,
            timeout=httpx.Timeout(settings.timeout, connect=min(settings.timeout, SLOWEST_CONNECT)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
        )


@cache
def load_certificates(_file: str | None, _directory: str | None) -> ssl.SSLContext:
    """Load what httpx trusts; once for all clients, since it takes longer than a request."""
    return httpx.create_ssl_context()


def write_url(endpoint: str, query: Query) -> str:
    """Write the URL of a query for people, without a password."""
    parameters = f"?{httpx.QueryParams(query.params)}" if query.params else ""
    return mask(endpoint + query.path) + parameters


def translate(error: Exception, endpoint: str, timeout: float) -> WeightinitError:
    """Say in our words why a request to an endpoint got no answer."""
    refused = _was_certificate_refused(error)
    kinds = (
        CertificateRejected if refused else known for known, raised in FAULTS if isinstance(error, raised)
    )
    kind = next(kinds, ConfigurationError)
    why = str(error) or type(error).__name__
    return kind(WORDS[kind].format(url=mask(endpoint), why=why, timeout=timeout))


def _was_certificate_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
