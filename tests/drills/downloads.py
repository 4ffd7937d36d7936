"""Five kinds of clients that download an item, each resuming as its users would."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
from weightinit import Client

from tests.drills.items import Item

ATTEMPTS = 30  # of a program, which tries again by itself as well
BLOCK = 4 * 2**20

Download = Callable[[str, Item, Path], bool]

PROGRAMS = {
    "aria2c": (
        "aria2c", "--quiet", "--continue=true", "-x4", "-s4", "-k1M", "--file-allocation=none",
        "--max-tries=10", "--retry-wait=1", "--timeout=30", "--dir=/", "--out={path}", "{url}",
    ),
    "curl": (
        "curl", "--silent", "--show-error", "--fail", "--location", "--continue-at", "-", "--retry", "5",
        "--retry-connrefused", "--speed-time", "30", "--speed-limit", "1", "--output", "{path}", "{url}",
    ),
    "wget": (
        "wget", "--quiet", "--continue", "--tries=10", "--waitretry=1", "--retry-connrefused",
        "--retry-on-http-error=502,503,504", "--read-timeout=30", "--output-document={path}", "{url}",
    ),
}  # fmt: skip


def run_program(name: str, url: str, item: Item, path: Path) -> bool:
    """Download with a program, which continues the file until it succeeds."""
    command = [part.format(path=path, url=url + item.path) for part in PROGRAMS[name]]
    for _ in range(ATTEMPTS):
        if subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 0:
            return item.is_right(path.read_bytes())
        time.sleep(0.5)
    raise TimeoutError(f"{name} gave up {item.path}")


def use_client(url: str, item: Item, path: Path) -> bool:
    """Download with the client of this repository and its default settings; it tries again by itself."""
    with Client(url, progress=False) as client:
        if item.spec is not None:
            return item.is_right(client.raw(**item.spec), item.header)
        client.pull(item.name, path)
        return item.is_right(path.read_bytes())


def use_fsspec(url: str, item: Item, path: Path) -> bool:
    """Read ranges of fsspec's file, and read a range again that failed, as Dask and others do."""
    files = fsspec.filesystem("http", skip_instance_cache=True)
    size = repeat(lambda: files.info(url + item.path)["size"])
    with path.open("wb") as target:
        for start in range(0, size, BLOCK):
            end = min(start + BLOCK, size)
            target.write(repeat(lambda: files.cat_file(url + item.path, start, end)))  # noqa: B023 - called at once
    return item.is_right(path.read_bytes())


def repeat(call):
    """Call until nothing is raised; fsspec raises errors of aiohttp, timeouts and FileNotFoundError."""
    for _ in range(ATTEMPTS):
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - every error of one range is tried again
            last = error
            time.sleep(0.5)
    raise last


KINDS: dict[str, Download] = {
    "aria2c": lambda *arguments: run_program("aria2c", *arguments),
    "curl": lambda *arguments: run_program("curl", *arguments),
    "wget": lambda *arguments: run_program("wget", *arguments),
    "weightinit": use_client,
    "fsspec": use_fsspec,
}
# How many clients of each kind work at once.
CLIENTS = {"aria2c": 3, "curl": 2, "wget": 2, "weightinit": 3, "fsspec": 2}
