"""The command line: python -m service [serve|openapi|selfcheck|token|audit] [--host --port --workers …].

Options become environment variables, from which each server process reads its settings. argparse parses them,
because the command line of pydantic-settings 2.16 has three faults: its errors do not show whether an option
or a variable is invalid, its help shows the factory of a default, not its value, and it reads `null` as None.
"""

import argparse
import logging
import os
import resource
import signal
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from pydantic import SecretStr, ValidationError

from service import administration
from service.settings import PREFIX, Settings, is_loopback

logger = logging.getLogger("uvicorn.error")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = vars(make_parser().parse_args(arguments))
    run: Callable[..., int] = options.pop("run", serve)
    given = {name: options.pop(name) for name in Settings.model_fields if name in options}
    os.environ.update({PREFIX + name.upper(): text for name, text in given.items()})
    try:
        settings = Settings()
    except ValidationError as error:
        for line in describe_errors(error, given):
            print(f"weightinit: {line}", file=sys.stderr)
        return 2
    return run(settings, **options)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line, with an option for each setting."""
    options = make_options([*Settings.model_fields])
    parser = argparse.ArgumentParser(
        "python -m service",  # `weightinit` is the command of the client
        description="Serve initial weights for neural networks over HTTP.",
        epilog=f"Each option is also an environment variable: --port is {PREFIX}PORT.",
        allow_abbrev=False,
        parents=[options],
    )
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, run, text in (
        ("serve", serve, "serve until SIGTERM or SIGINT (the default)"),
        ("openapi", print_openapi, "print the OpenAPI document"),
        ("selfcheck", check_stream, "compare the stream with the golden vectors"),
    ):
        command = commands.add_parser(
            name, help=text, description=text, parents=[options], allow_abbrev=False
        )
        command.set_defaults(run=run)
    administration.add_commands(commands, make_options(["data_directory", "database_url"]))
    return parser


def make_options(names: Sequence[str]) -> argparse.ArgumentParser:
    """Make a parser with an option for each of some settings, as a parent of others."""
    parser = argparse.ArgumentParser(add_help=False)
    for name in names:
        field = Settings.model_fields[name]
        default = field.get_default(call_default_factory=True, validated_data={})
        text = f"{field.description} (default: {default})".replace("%", "%%")
        parser.add_argument("--" + name.replace("_", "-"), metavar="X", help=text, default=argparse.SUPPRESS)
    return parser


def describe_errors(error: ValidationError, given: dict[str, str]) -> list[str]:
    """Describe each invalid setting in a line, under the name of its option or variable."""
    lines = []
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0]).lower()
        source = "--" + name.replace("_", "-") if name in given else PREFIX + name.upper()
        text = detail["msg"].removeprefix("Value error, ")
        message = text[0].lower() + text[1:]
        secret = Settings.model_fields[name].annotation is SecretStr
        lines.append(f"{source}: {message}" + ("" if secret else f"; received {detail['input']!r}"))
    return lines


def print_openapi(_settings: Settings) -> int:
    """Print the OpenAPI document."""
    from service.api.endpoints import ROUTES
    from service.api.openapi import render_openapi

    sys.stdout.buffer.write(render_openapi(ROUTES))
    return 0


def check_stream(_settings: Settings) -> int:
    """Compare the stream with the golden vectors. Compiles the kernels unless they are cached."""
    from service.stream.selfcheck import check

    check()
    print("the stream matches the golden vectors", file=sys.stderr)
    return 0


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT."""
    if error := find_tls_error(settings):
        print(f"weightinit: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    signal.signal(signal.SIGHUP, ignore_hangup)
    if settings.workers == 1:
        return run_server(settings)
    with tempfile.TemporaryDirectory(prefix="weightinit-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        return run_server(settings)


def find_tls_error(settings: Settings) -> str:
    """Return why the certificate and key of the settings cannot be used; empty if they can."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None:
        return "--tls-key: requires a certificate, --tls-certificate" if key else ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:  # among them ssl.SSLError
        return f"--tls-certificate: {certificate} cannot be used with its key: {error}"
    return ""


def warn_of_access(settings: Settings) -> None:
    """Warn if everyone may change names beyond this machine, or if no one may."""
    if is_loopback(settings.host) or settings.write_access == "token":
        return
    if settings.write_access == "open":
        logger.warning("Everyone who can connect to %s may publish and retire names", settings.host)
        return
    from service.store import Store, StoreUnavailableError

    store = Store.of(settings)
    with suppress(StoreUnavailableError):
        if not store.has_tokens():
            logger.warning(
                "Nobody may publish, since %s is not a loopback address. Create a token (`python -m service "
                "token create`), or set WEIGHTINIT_WRITE_ACCESS=open",
                settings.host,
            )
    store.close()


def ignore_hangup(_number: int, _frame: object) -> None:
    """Ignore SIGHUP, which restarts workers if there are several."""
    logger.info("Received SIGHUP: ignored, there are no workers to restart")


def run_server(settings: Settings) -> int:
    """Run uvicorn with the settings. Return the exit status."""
    from uvicorn.config import Config

    import service
    from service.api.metrics import serve_metrics
    from service.server.logs import make_log_config
    from service.server.protocol import make_protocol
    from service.server.supervisor import run

    raise_file_limit()
    config = Config(
        "service.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http=make_protocol(settings),  # type: ignore[arg-type]  # uvicorn calls it as it would call a class
        ws="none",
        root_path=settings.root_path,
        log_level=settings.log_level,
        log_config=make_log_config(settings.log_format, settings.log_level),
        access_log=settings.access_log and settings.log_format == "text",  # else service.api.monitoring logs
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key and str(settings.tls_key),
        server_header=False,
        headers=[("server", f"weightinit/{service.__version__}"), ("x-content-type-options", "nosniff")],
        timeout_keep_alive=settings.keep_alive_timeout,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )
    if settings.metrics_port:
        host = settings.metrics_host or settings.host
        try:
            serve_metrics(host, settings.metrics_port)
        except OSError as error:
            print(f"weightinit: {host}, port {settings.metrics_port}: {error}", file=sys.stderr)
            return 1
    # Only now is the log set up. The storage may take seconds to respond, and the service starts without it.
    threading.Thread(target=warn_of_access, args=(settings,), daemon=True).start()
    return run(config, settings.drain_delay)


def raise_file_limit() -> None:
    """Raise the limit of open files to the one that the system allows: each connection is one or two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # where the system has a lower limit than it reports, as macOS
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
