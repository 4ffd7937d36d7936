"""weightinit status: show the services' versions and latencies, and the client's settings."""

import time
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from weightinit.cli.commands.cache import ENTRIES, describe_cache
from weightinit.cli.options import Command, make_client, name_options
from weightinit.cli.screen import Screen
from weightinit.cli.text import write_count, write_size
from weightinit.version import __version__

if TYPE_CHECKING:
    import httpx

    from weightinit.client import Client

FAILED = 1
TIMEOUT = 5.0  # seconds; shorter than the client's default
SERVER = "weightinit/"


@dataclass(frozen=True, slots=True)
class Service:
    """The versions of a service and its stream, and its latency in milliseconds; or the error."""

    url: str
    version: str | None = None
    stream: int | None = None
    latency_ms: float | None = None
    error: str | None = None


def run(arguments: Namespace, screen: Screen) -> int:
    """Print the status, and return the exit status: 1 if a service does not respond."""
    from weightinit.settings import resolve_settings
    from weightinit.transport.urls import mask

    settings = resolve_settings(arguments.url, token=arguments.token, timeout=arguments.timeout)
    services = []
    for endpoint in settings.endpoints:
        arguments.url = endpoint
        services.append(_ask_service(arguments, mask(endpoint)))
    cache = describe_cache()
    if screen.as_json:
        rows = [{name: getattr(service, name) for name in Service.__slots__} for service in services]
        screen.write_json(
            {"client": __version__, "services": rows, "token": settings.token is not None, "cache": cache}
        )
    elif not screen.quiet:
        fields = [field for service in services for field in _describe_service(service)]
        kept = f"{write_count(cache['entries'], *ENTRIES)}, {write_size(int(cache['bytes']))}"
        is_on = "" if cache["is_on"] else "; off (set WEIGHTINIT_CACHE=1 to turn it on)"
        fields += [
            ("client", __version__),
            ("token", "set" if settings.token else "not set"),
            ("cache", f"{cache['directory']}: {kept}{is_on}"),
        ]
        screen.write_fields(fields)
    return FAILED if any(service.error for service in services) else 0


def _ask_service(arguments: Namespace, url: str) -> Service:
    from weightinit.errors import WeightinitError

    timeout, retries = arguments.timeout or TIMEOUT, arguments.retries or 0
    try:
        with make_client(arguments, timeout=timeout, retries=retries) as client:
            version, stream = _ask_versions(client)
            start = time.perf_counter()
            _ask_versions(client)  # again, on the open connection
            return Service(url, version or _ask_openapi(client), stream, (time.perf_counter() - start) * 1000)
    except WeightinitError as error:
        return Service(url, error=name_options(str(error)))


def _ask_versions(client: "Client") -> tuple[str | None, int]:
    """Return the versions of the service and its stream, from a HEAD request for one weight."""
    from weightinit.errors import NotWeightinit
    from weightinit.transport.requests import Query
    from weightinit.transport.responses import RAW

    def read(response: "httpx.Response") -> tuple[str | None, int]:
        server, stream = (response.headers.get(name, "") for name in ("Server", "Weightinit-Stream"))
        if not stream.isdecimal():
            raise NotWeightinit("the server is not weightinit; check the URL")
        return server.removeprefix(SERVER) if server.startswith(SERVER) else None, int(stream)

    query = Query("/v1/weights", {"shape": "1,1", "seed": "0"}, "the status", "HEAD")
    return client.exchange(query, read, {"Accept": RAW})


def _ask_openapi(client: "Client") -> str | None:
    """Return the service's version from /openapi.json, for a proxy that replaces the Server header."""
    from weightinit.transport.requests import Query
    from weightinit.transport.responses import read_answer

    def read(answer: Mapping[str, object]) -> str | None:
        info = answer.get("info")
        return str(info.get("version")) if isinstance(info, dict) else None

    query = Query("/openapi.json", {}, "the version of the service")
    return client.exchange(query, partial(read_answer, read=read))


def _describe_service(service: Service) -> list[tuple[str, object]]:
    if service.error:
        return [("service", service.url), ("error", service.error)]
    return [
        ("service", f"{service.url}, responds in {service.latency_ms:.1f} ms"),
        ("version", service.version),
        ("stream", service.stream),
    ]


COMMAND = Command(
    "status",
    "show whether the service responds, and the settings",
    ("weightinit status", "weightinit status --json"),
    run=run,
    notes="""The exit status is 1 if a service does not respond within 5 s, or --timeout.
--quiet prints nothing. The token itself is not shown.""",
)
