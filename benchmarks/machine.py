"""The machine: what figures depend on."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.peers.nginx import find_nginx

PACKAGES = ("torch", "numpy", "jax", "keras", "numba", "fastapi", "uvicorn", "uvloop", "httpx")


def describe_machine() -> dict[str, str]:
    """Describe processor, memory and system."""
    return {
        "processor": read_processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "libc": " ".join(platform.libc_ver()),
    }


def read_processor() -> str:
    """Return the processor's name and its widest vectors."""
    text = Path("/proc/cpuinfo").read_text()
    found = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    widest = next((name for name in ("avx512f", "avx2", "asimd") if re.search(rf"\b{name}\b", text)), "")
    return " ".join(filter(None, (found[1] if found else platform.machine(), widest and f"({widest})")))


def list_versions() -> dict[str, str]:
    """List the versions of what was measured."""
    versions = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    for name, command in (("nginx", [_find_nginx(), "-v"]), ("wrk", [shutil.which("wrk") or "", "-v"])):
        if command[0]:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            found = re.search(r"\b[0-9]+\.[0-9.]+[0-9]", done.stdout + done.stderr)
            versions[name] = found[0] if found else "?"
    return versions


def _find_nginx() -> str:
    try:
        return find_nginx()
    except FileNotFoundError:
        return ""
