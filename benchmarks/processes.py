"""Processes: those that we start and end, and how much memory they hold (Linux)."""

import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIB = 2**20
GRACE = 15.0  # seconds that a process has to end after SIGTERM


@contextmanager
def run_process(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command and end it afterwards. Where it ends by itself, with an error, its output is shown."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=clean_environment() if environment is None else dict(environment),
        )
        try:
            yield process
        finally:
            status = process.poll()
            if status is None:
                end_process(process)
            elif status:
                output.seek(0)
                print(output.read().decode(errors="replace")[-4000:])


def end_process(process: subprocess.Popen[bytes], grace: float = GRACE) -> None:
    """Terminate a process, and kill it after some seconds of grace."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def clean_environment() -> dict[str, str]:
    """Return the environment without what would configure the service, its client or a framework."""
    prefixes = ("WEIGHTINIT_", "PYTHON", "KERAS_", "OMP_", "XLA_", "JAX_", "NUMBA_")
    return {name: text for name, text in os.environ.items() if not name.startswith(prefixes)}


def find_free_port() -> int:
    """Find a port of the loopback address that is not in use."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def read_resident(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    return _read_status(pid, "VmRSS")


def read_peak(pid: int) -> float:
    """Return the most resident memory of a process since its peak was reset, in MiB."""
    return _read_status(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    """Let the peak start again from what is resident now (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _read_status(pid: int, field: str) -> float:
    found = re.search(rf"^{field}:\s+([0-9]+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if not found:
        raise RuntimeError(f"process {pid} does not say {field}")
    return int(found[1]) * 1024 / MIB
