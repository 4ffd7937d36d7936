"""Start-up: how long the client takes until it does something, each time in a fresh process.

    python -m benchmarks.startup [--beside FOLDER]

A row has the least, the median and the largest of ten runs, in milliseconds. FOLDER is the `clients` of
another checkout, measured in turns. Python, NumPy and httpx alone are what it can come down to.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

from benchmarks.measure import alternate
from benchmarks.processes import ROOT, find_free_port
from benchmarks.servers import run_server

RUNS = 10

CALL = "import weightinit; weightinit.client.Client().parameters((784, 300), activation='relu')"
DRAW = (
    "import weightinit; weightinit.client.Client().weights((784, 300), activation='relu', seed=42, name='w')"
)
# What is measured, and the arguments to Python. The first four have nothing of ours.
ALONE = {
    "python": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import httpx": ["-c", "import httpx"],
    "import numpy, httpx": ["-c", "import numpy, httpx"],
}
OURS = {
    "import weightinit": ["-c", "import weightinit"],
    "weightinit --version": ["-m", "weightinit", "--version"],
    "weightinit --help": ["-m", "weightinit", "--help"],
    "weightinit.Client": ["-c", "import weightinit; weightinit.Client"],
    "first parameters": ["-c", CALL],
    "first weights": ["-c", DRAW],
}


def measure_run(arguments: Sequence[str], folder: str, url: str) -> float:
    """Measure a run of Python, in milliseconds."""
    environment = {**os.environ, "PYTHONPATH": folder, "WEIGHTINIT_URL": url}
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment, cwd=folder
    )
    return (time.perf_counter() - started) * 1000


def main() -> None:
    """Measure all of it beside a service, and print a row each."""
    parser = argparse.ArgumentParser("python -m benchmarks.startup")
    parser.add_argument("--beside", metavar="FOLDER", help="the clients of another checkout")
    beside = parser.parse_args().beside
    own = str(ROOT / "clients")
    commands = {name: (arguments, own) for name, arguments in {**ALONE, **OURS}.items()}
    if beside:
        commands |= {f"{name}, beside": (arguments, beside) for name, arguments in OURS.items()}
    port = find_free_port()
    command = [sys.executable, "-m", "service", "--port", str(port)]
    with run_server(command, port, "/readyz") as server:
        contestants = {
            name: lambda arguments=arguments, folder=folder: measure_run(arguments, folder, server.url)
            for name, (arguments, folder) in commands.items()
        }
        figures = alternate(contestants, RUNS)
    print(f"{'milliseconds':32}{'least':>8}{'median':>8}{'largest':>8}")
    for name, times in figures.items():
        print(f"{name:32}{min(times):8.0f}{median(times):8.0f}{max(times):8.0f}")


if __name__ == "__main__":
    main()
