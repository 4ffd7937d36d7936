"""Settings, from the environment and the command line."""

import os
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "WEIGHTINIT_"


def count_cores() -> int:
    """Count the processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def find_data_directory() -> Path:
    """Return the user's data directory (XDG Base Directory Specification), or /var/lib without a home."""
    given = Path(os.environ.get("XDG_DATA_HOME", ""))
    if given.is_absolute():
        return given / "weightinit"
    try:
        return Path.home() / ".local/share/weightinit"
    except RuntimeError:
        return Path("/var/lib/weightinit")


def check_not_empty(path: object) -> object:
    """Check that a path is not empty, which would mean the current directory. Raises ValueError."""
    if path == "":
        raise ValueError("must not be empty")
    return path


def check_database_url(url: SecretStr) -> SecretStr:
    """Check the URL of a database. Raises ValueError, without the URL, which may have a password."""
    text = url.get_secret_value()
    try:
        known = not text or make_url(text).drivername in {"postgresql", "postgres"}
    except (ArgumentError, ValueError):
        known = False
    if not known:
        raise ValueError("must be postgresql://user:password@host:port/database")
    return url


def check_proxies(text: str) -> str:
    """Check addresses and networks of proxies, separated by commas. Raises ValueError."""
    for part in split_list(text):
        ip_network(part)
    return text


def split_list(text: str) -> list[str]:
    """Split a list that is separated by commas. Empty items are left out."""
    return [item for item in map(str.strip, text.split(",")) if item]


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine's loopback interface, which no other machine can reach.

    >>> is_loopback("127.0.0.1"), is_loopback("[::1]"), is_loopback("LocalHost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Settings(BaseSettings):
    """The settings: each is `WEIGHTINIT_NAME` in the environment and `--name` on the command line."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: Annotated[str, Field(description="address to listen on", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(description="port to listen on; 0 picks a free one", ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(description="server processes", ge=1, le=256)] = 1
    threads: Annotated[
        int, Field(description="threads that draw in each process", ge=1, le=256, default_factory=count_cores)
    ]
    max_elements: Annotated[
        int, Field(description="largest number of elements of a tensor", ge=1, le=2**60)
    ] = 2**48
    max_rank: Annotated[int, Field(description="largest number of axes of a tensor", ge=1, le=8)] = 8
    max_body_bytes: Annotated[
        int, Field(description="largest request body, except that of a model", ge=1, le=2**30)
    ] = 64 * 1024
    max_tensors: Annotated[
        int,
        Field(description="largest number of tensors of a model; each part counts as one", ge=1, le=2**20),
    ] = 20_000
    max_model_bytes: Annotated[
        int, Field(description="largest request body that publishes a model", ge=1, le=2**30)
    ] = 8 * 2**20
    data_directory: Annotated[
        Path,
        BeforeValidator(check_not_empty),
        Field(
            description="directory of the SQLite database of published models",
            default_factory=find_data_directory,
        ),
    ]
    database_url: Annotated[
        SecretStr,
        AfterValidator(check_database_url),
        Field(description="URL of a PostgreSQL database to use instead of SQLite: postgresql://…"),
    ] = SecretStr("")
    write_access: Annotated[
        Literal["auto", "open", "token"],
        Field(
            description="who may publish and retire: open for all, token for holders of one; auto is open on "
            "loopback addresses until the first token is created"
        ),
    ] = "auto"
    read_access: Annotated[
        Literal["open", "token"], Field(description="who may read: open for all, token for holders of one")
    ] = "open"
    max_team_bytes: Annotated[
        int,
        Field(
            description="bytes of models and names that each team may publish; 0 for any", ge=0, le=2**63 - 1
        ),
    ] = 2**30
    min_free_bytes: Annotated[
        int, Field(description="free bytes of the data directory's disk below which nothing is stored", ge=0)
    ] = 64 * 2**20
    wheel_directory: Annotated[
        Path,
        BeforeValidator(check_not_empty),
        Field(description="directory of the client's wheel, which /simple offers to pip"),
    ] = Path(sys.prefix, "share/weightinit")
    max_streams: Annotated[
        int,
        Field(description="largest number of large bodies that each process sends at once", ge=1, le=2**20),
    ] = 512
    max_connections: Annotated[
        int, Field(description="largest number of connections that each process keeps open", ge=1, le=2**20)
    ] = 4096
    max_digests: Annotated[
        int, Field(description="largest number of digests that each process computes at once", ge=1, le=2**20)
    ] = 64
    peer_share: Annotated[
        float,
        Field(
            description="share of max_connections, max_streams and max_digests that one address may hold",
            gt=0,
            le=1,
        ),
    ] = 0.25
    max_digest_bytes: Annotated[
        int, Field(description="largest body whose digest is computed on request", ge=0)
    ] = 2**30
    keep_alive_timeout: Annotated[
        int, Field(description="seconds before an idle connection is closed", ge=1, le=86400)
    ] = 75
    request_timeout: Annotated[
        int, Field(description="seconds in which a request must arrive, head and body", ge=1, le=86400)
    ] = 60
    send_timeout: Annotated[
        int,
        Field(description="seconds without progress after which a response is given up", ge=1, le=86400),
    ] = 60
    shutdown_timeout: Annotated[
        int,
        Field(description="seconds in which responses must finish when the service stops", ge=0, le=86400),
    ] = 10
    drain_delay: Annotated[
        int,
        Field(description="seconds to serve on when told to stop, while /readyz returns 503", ge=0, le=86400),
    ] = 0
    trusted_proxies: Annotated[
        str,
        AfterValidator(check_proxies),
        Field(description="addresses and networks of proxies whose X-Forwarded-For is used, by commas"),
    ] = ""
    tls_certificate: Annotated[
        FilePath | None,
        Field(description="PEM file with the certificate and those of its issuers; HTTPS instead of HTTP"),
    ] = None
    tls_key: Annotated[
        FilePath | None,
        Field(description="PEM file with the certificate's key, unless it is in that of the certificate"),
    ] = None
    allowed_hosts: Annotated[
        str,
        Field(description="names and addresses that Host may have, by commas; any unless set"),
    ] = ""
    root_path: Annotated[
        str, Field(description="path prefix that a proxy adds", pattern=r"^(/[A-Za-z0-9._~-]+)*$")
    ] = ""
    metrics_port: Annotated[
        int, Field(description="port of /metrics; 0 serves it on the main port", ge=0, le=65535)
    ] = 0
    metrics_host: Annotated[
        str, Field(description="address to listen on for metrics_port; that of host unless set")
    ] = ""
    access_log: Annotated[bool, Field(description="log each request")] = False
    log_format: Annotated[
        Literal["text", "json"], Field(description="format of the log: text, or an object of JSON a line")
    ] = "text"
    log_level: Annotated[
        Literal["critical", "error", "warning", "info", "debug"], Field(description="least severe log level")
    ] = "info"

    def split_allowed_hosts(self) -> list[str]:
        """Return the names and addresses of `allowed_hosts`."""
        return split_list(self.allowed_hosts)
