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
    """The versions of a service and its stream, its latency in milliseconds and what it says of the token.

    `error` is why it has not responded, `token_error` why it does not accept the token.
    """

    url: str
    version: str | None = None
    stream: int | None = None
    latency_ms: float | None = None
    error: str | None = None
    token: Mapping[str, object] | None = None
    token_error: str | None = None


def run(arguments: Namespace, screen: Screen) -> int:
    """Print the status, and return the exit status: 1 if a service does not respond."""
    from weightinit.settings import resolve_settings
    from weightinit.transport.urls import mask

    settings = resolve_settings(arguments.url, token=arguments.token, timeout=arguments.timeout)
    services = []
    for endpoint in settings.endpoints:
        arguments.url = endpoint
        services.append(_ask_service(arguments, mask(endpoint), has_token=settings.token is not None))
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
            *(
                []
                if any(map(_describe_token, services))
                else [("token", "set" if settings.token else "not set")]
            ),
            ("cache", f"{cache['directory']}: {kept}{is_on}"),
        ]
        screen.write_fields(fields)
    return FAILED if any(service.error for service in services) else 0


def _ask_service(arguments: Namespace, url: str, *, has_token: bool) -> Service:
    from weightinit.errors import WeightinitError

    timeout, retries = arguments.timeout or TIMEOUT, arguments.retries or 0
    try:
        with make_client(arguments, timeout=timeout, retries=retries) as client:
            version, stream = _ask_versions(client)
            start = time.perf_counter()
            _ask_versions(client)  # again, on the open connection
            latency = (time.perf_counter() - start) * 1000
            token, token_error = _ask_token(client) if has_token else (None, None)
            version = version or _ask_openapi(client)
            return Service(url, version, stream, latency, token=token, token_error=token_error)
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


def _ask_token(client: "Client") -> tuple[Mapping[str, object] | None, str | None]:
    """Return what the service says of the token, and why it does not accept it."""
    from weightinit.errors import NotFound, Unauthorized
    from weightinit.transport.requests import Query
    from weightinit.transport.responses import read_answer

    query = Query("/v1/token", {}, "the token")
    try:
        return client.exchange(query, partial(read_answer, read=dict)), None
    except Unauthorized as error:
        return None, error.detail
    except NotFound:  # an older service, or a proxy that checks the token itself
        return None, None


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
        *([("token", text)] if (text := _describe_token(service)) else []),
    ]


def _describe_token(service: Service) -> str:
    """Describe the token by its id, scopes, team, use of the quota and expiry."""
    record = service.token.get("record") if service.token else None
    if not service.token or not isinstance(record, dict):
        return service.token_error or ""
    team = "all teams" if record.get("team") == "*" else f"team {record.get('team')}"
    scopes = ", ".join(record.get("scopes") or ())
    used, most = service.token.get("used_bytes"), service.token.get("max_bytes")
    parts = [f"{record.get('id')}: {scopes} for {team}"]
    if isinstance(used, int):
        parts.append(f"{write_size(used)} of {write_size(most)} used" if isinstance(most, int) else "")
    if expires := record.get("expires"):
        parts.append(f"expires {str(expires)[:10]}")
    return ", ".join(filter(None, parts))


COMMAND = Command(
    "status",
    "show whether the service responds, and the settings",
    ("weightinit status", "weightinit status --json"),
    run=run,
    notes="""The exit status is 1 if a service does not respond within 5 s, or --timeout.
--quiet prints nothing. The token itself is not shown.""",
)
