"""Sessions: one pool of HTTP connections per process, and httpx's exceptions as the client's errors."""

import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from urllib.request import getproxies, proxy_bypass

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

# The client's error for each of httpx's exceptions, the first match; ConfigurationError for any other.
FAULTS: tuple[tuple[type[WeightinitError], type[Exception] | tuple[type[Exception], ...]], ...] = (
    (
        ConnectionFailed,
        (httpx.ConnectTimeout, httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError),
    ),
    (ServerStalled, httpx.TimeoutException),
    (NotWeightinit, httpx.TooManyRedirects),
)
MESSAGES: dict[type[WeightinitError], str] = {
    CertificateRejected: "{url} has a certificate that is not trusted ({why}); "
    "set SSL_CERT_FILE to a file with its CA certificate",
    ConfigurationError: "a request to {url} cannot be sent: {why}",
    ConnectionFailed: "{url} cannot be reached ({why}); is the service running? "
    "If it has another URL, set url= or WEIGHTINIT_URL",
    NotWeightinit: "{url} redirects too many times ({why}); check the URL",
    ServerStalled: "{url} sent nothing for {timeout:g} s; increase timeout= or WEIGHTINIT_TIMEOUT",
}

# A forked child must not use its parent's connections or their locks, so they are kept here unused.
_inherited: list[httpx.Client] = []


class Session:
    """The connections of one client. httpx reads proxies and certificates from the environment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._process = os.getpid()

    def __reduce__(self) -> tuple[type["Session"], tuple[Settings]]:
        """Copy and pickle only the settings, including the token; a copy opens its own connections."""
        return type(self), (self._settings,)

    @property
    def timeout(self) -> float:
        """Seconds without a byte before ServerStalled is raised."""
        return self._settings.timeout

    @contextmanager
    def request(self, endpoint: str, query: Query, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """Send a query to an endpoint, follow redirects, and close the response at the end.

        The body is not read, and every status is returned. Raises ConnectionFailed, ServerStalled,
        NotWeightinit, ConfigurationError; Offline in offline mode.
        """
        if self._settings.offline:
            place = self._settings.cache
            raise Offline(
                f"{f'the cache {place} does not have' if place else 'there is no cache for'} {query.label}; "
                f"unset WEIGHTINIT_OFFLINE to request {write_url(endpoint, query)}"
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
            # httpx removes it from a redirect to another origin.
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
    """Return httpx's TLS context; cached, because loading takes longer than a request."""
    return httpx.create_ssl_context()


def write_url(endpoint: str, query: Query) -> str:
    """Return the URL of a query for messages, without a password."""
    parameters = f"?{httpx.QueryParams(query.params)}" if query.params else ""
    return mask(endpoint + query.path) + parameters


def translate(error: Exception, endpoint: str, timeout: float) -> WeightinitError:
    """Return the client's error for an exception that a request to an endpoint raised."""
    refused = _was_certificate_refused(error)
    kinds = (
        CertificateRejected if refused else known for known, raised in FAULTS if isinstance(error, raised)
    )
    kind = next(kinds, ConfigurationError)
    why = str(error) or type(error).__name__
    proxy = find_proxy(endpoint)
    url = f"{mask(endpoint)} through the proxy {mask(proxy)}" if proxy else mask(endpoint)
    return kind(MESSAGES[kind].format(url=url, why=why, timeout=timeout))


def find_proxy(endpoint: str) -> str:
    """Return the URL of the proxy that the environment sets for an endpoint; empty if there is none."""
    url = httpx.URL(endpoint)
    proxies = getproxies()
    if proxy_bypass(url.netloc.decode("ascii")):
        return ""
    return proxies.get(url.scheme) or proxies.get("all") or ""


def _was_certificate_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
