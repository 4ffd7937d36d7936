"""Endpoints: the base URLs of the service's replicas."""

from collections.abc import Sequence

import httpx

from weightinit.errors import ConfigurationError

SCHEMES = ("http", "https")
LAST_PORT = 65535


def parse_endpoints(urls: str | Sequence[str]) -> tuple[str, ...]:
    """Return base URLs, given as a sequence or separated by commas, without trailing slashes.

    Raises ConfigurationError.

    >>> parse_endpoints("http://a:8000/, https://b.example/weights")
    ('http://a:8000', 'https://b.example/weights')
    """
    texts = urls.split(",") if isinstance(urls, str) else urls
    endpoints = tuple(dict.fromkeys(_parse(text.strip()) for text in texts if text.strip()))
    if not endpoints:
        raise ConfigurationError(f"no URL is set; received {urls!r}")
    return endpoints


def mask(url: str | httpx.URL) -> str:
    """Return a URL for messages, without password and query.

    >>> mask("https://me:secret@host/weights?x=1")
    'https://host/weights'
    """
    return str(httpx.URL(url).copy_with(username=None, password=None, query=None, fragment=None))


def _parse(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"{text!r} is not a URL: {error}") from None
    if url.scheme not in SCHEMES or not url.host or (url.port or 0) > LAST_PORT:
        rule = "a URL must begin with http:// or https:// and name a host, with a port up to 65535"
        raise ConfigurationError(f"{rule}; received {mask(url)!r}")
    if url.query or url.fragment:
        raise ConfigurationError(f"a URL must have no query and no fragment; received {mask(url)!r}")
    return str(url).rstrip("/")
