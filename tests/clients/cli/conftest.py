"""Fixtures for tests of commands: a service, the examples, names, and a function that runs a command."""

import shutil
import uuid
from pathlib import Path

import pytest
from weightinit.cli import main

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def service(service_url, monkeypatch, tmp_path):
    """A service's URL, a directory with the examples, and an empty cache."""
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    monkeypatch.setenv("WEIGHTINIT_AUTHOR", "Ada")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return service_url


@pytest.fixture
def name():
    """A name that is not in use."""
    return f"test/{uuid.uuid4().hex}/1"


@pytest.fixture
def run(capsys):
    """Run a command line; return the exit status, standard output and standard error."""

    def run(*arguments):
        status = main(list(arguments))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
