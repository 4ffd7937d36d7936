"""Load: requests per second by wrk, in short bursts, no two requests of a burst alike."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path

CONNECTIONS = 16
RATE = re.compile(r"^Requests/sec:\s+([0-9.]+)$", re.MULTILINE)
FAULTS = re.compile(r"^\s*(Non-2xx or 3xx responses|Socket errors): .*$", re.MULTILINE)

# A number goes through the requests, other ones in each burst, so that no answer can come from a cache.
STARTS = count(1_000_000, 1_000_000)
SCRIPT = """
local number = {start}
request = function()
    number = number + 1
    return wrk.format({method}, ({path}):gsub("NUMBER", number), {headers}, {body})
end
"""


def measure_load(port: int, path: str, seconds: float, *, body: Mapping[str, object] | None = None) -> float:
    """Return how many requests a second are answered; NUMBER in path or body counts up.

    Raises FileNotFoundError without wrk, RuntimeError where an answer is none of 2xx.
    """
    executable = shutil.which("wrk")
    if not executable:
        raise FileNotFoundError("wrk is not there: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(write_script(path, body))
        script.flush()
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", script.name]
        done = subprocess.run(
            [executable, *options, f"http://127.0.0.1:{port}"],
            capture_output=True,
            text=True,
            timeout=seconds + 30,
            check=True,
        )
    fault, rate = FAULTS.search(done.stdout), RATE.search(done.stdout)
    if fault or not rate:
        raise RuntimeError(f"{Path(executable).name} {path}: {fault[0] if fault else done.stdout}")
    return float(rate[1])


def write_script(path: str, body: Mapping[str, object] | None) -> str:
    """Write the script that makes the requests."""
    said = {"start": next(STARTS), "path": json.dumps(path)}
    if body is None:
        return SCRIPT.format(method='"GET"', headers="nil", body="nil", **said)
    text = json.dumps(json.dumps(body)).replace("NUMBER", '" .. number .. "')
    return SCRIPT.format(
        method='"POST"', headers='{ ["Content-Type"] = "application/json" }', body=text, **said
    )
