"""Local services: start a service in a separate process, for a test or a notebook."""

import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from weightinit.client import Client
from weightinit.errors import ConfigurationError, ConnectionFailed

ADDRESS = re.compile(r"running on (http://([^ :]+):([0-9]+))")
POLL = 0.02  # seconds
GRACE = 15.0  # seconds to wait for a response, and for the process to end
LAST_LINES = 5

# When this process ends for any reason, its pipe to the service closes, and the service ends.
PROGRAM = """
import os, runpy, signal, threading

def end_with_parent():
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end_with_parent, daemon=True).start()
runpy.run_module("service", run_name="__main__", alter_sys=True)
"""


@contextmanager
def service(*, timeout: float = 120.0, **settings: object) -> Iterator[Client]:
    """Run a service for the duration of a `with` block, and yield a client of it; `client.url` is its URL.

    It listens on a free port of the loopback address, and what is published there is deleted with it. It
    needs the package weightinit-service, and ignores WEIGHTINIT_… variables.

    Args:
        timeout: seconds to wait until it is ready. The first start compiles its kernels.
        settings: options of the service's command line, such as `max_elements=10**6`.

    Raises ConfigurationError if weightinit-service is not installed, ConnectionFailed if it does not get
    ready.
    """
    package = _find_package()
    options = {"port": 0, **settings, "log_level": "info"}  # which logs the address
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    with tempfile.TemporaryDirectory(prefix="weightinit-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "log")
        environment = {name: text for name, text in os.environ.items() if not name.startswith("WEIGHTINIT_")}
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(package.parent), os.environ.get("PYTHONPATH")])
        )
        environment["WEIGHTINIT_DATA_DIRECTORY"] = str(Path(folder, "data"))
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - a command of our own
                [sys.executable, "-c", PROGRAM, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that Ctrl-C, which a block may handle, does not reach it
            )
        try:
            url = _wait_until_ready(process, log, timeout)
            with Client(url, cache=False, offline=False) as client:
                yield client
        finally:
            _end(process)


def _find_package() -> Path:
    """Return the folder of the service's package, without importing it. Raises ConfigurationError."""
    spec = find_spec("service")
    for folder in map(Path, (spec and spec.submodule_search_locations) or ()):
        if (folder / "stream" / "golden.json").is_file():  # and not another package of that name
            return folder
    raise ConfigurationError(
        f"service() needs the package weightinit-service, which is not installed for {sys.executable}: "
        "install it from a checkout (pip install .), or run ./scripts/serve there and set WEIGHTINIT_URL"
    )


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path, timeout: float) -> str:
    """Wait until a service is ready; return its URL. Raises ConnectionFailed."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = process.poll()
        found = ADDRESS.search(log.read_text(errors="replace"))
        if status is not None:
            raise ConnectionFailed(f"the service ended with status {status}: {_read_end(log)}")
        if found and _is_ready(found[2], int(found[3])):
            return found[1]
        time.sleep(POLL)
    raise ConnectionFailed(f"the service was not ready within {timeout:g} s: {_read_end(log)}")


def _is_ready(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=GRACE)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _read_end(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " | ".join(line.strip() for line in lines[-LAST_LINES:]) or "no output"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process that may have ended already; kill it if it takes too long."""
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdin:
            process.stdin.close()
