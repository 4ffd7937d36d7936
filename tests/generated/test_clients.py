"""Clients that are generated from openapi.json pass the type checker, and do what their users want."""

import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from tests.servers import run_server

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PYTHON = ("openapi-python-client==0.29.1", "mypy==2.4.1", "ruff==0.17.6")
NODE = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3", "@types/node@20")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def call(folder, *command):
    """Run a command in a folder, with the programs installed there, and show its output if it fails."""
    found = os.pathsep.join((str(folder / "venv/bin"), str(folder / "node_modules/.bin"), os.environ["PATH"]))
    variables = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}
    }
    finished = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env={**variables, "PATH": found},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stdout[-5000:]


def test_a_client_of_openapi_python_client_is_typed_and_works(tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    call(tmp_path, "pip", "install", "--quiet", *PYTHON)
    call(
        tmp_path,
        *("openapi-python-client", "generate", "--path", ROOT / "openapi.json", "--output-path", "client"),
        "--fail-on-warning",
    )
    call(tmp_path, "pip", "install", "--quiet", "./client")
    script = shutil.copy(HERE / "use_openapi_python_client.py", tmp_path)
    call(tmp_path, "mypy", "--strict", "client/weightinit_client", script)
    with run_server() as server:
        call(tmp_path, "python", script, server.url)


def test_a_client_of_openapi_typescript_is_typed_and_works(tmp_path):
    (tmp_path / "package.json").write_text('{"type": "module", "private": true}', "utf-8")
    call(tmp_path, "npm", "install", "--silent", *NODE)
    call(tmp_path, "openapi-typescript", ROOT / "openapi.json", "--output", "schema.ts")
    shutil.copy(HERE / "use_openapi_fetch.ts", tmp_path)
    call(
        tmp_path,
        *("tsc", "--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"),
        *("--target", "es2022", "--module", "nodenext", "--types", "node", "use_openapi_fetch.ts"),
    )
    with run_server() as server:
        call(tmp_path, "node", "use_openapi_fetch.js", server.url)
