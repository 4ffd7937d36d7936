"""What tests of commands share: a service, the examples, names, and how a command is run."""

import shutil
import uuid
from pathlib import Path

import pytest
from weightinit.cli import main

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def service(service_url, monkeypatch, tmp_path):
    """A service to ask, a folder with the examples to ask from, and a cache that is empty."""
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    monkeypatch.setenv("WEIGHTINIT_AUTHOR", "Ada")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return service_url


@pytest.fixture
def name():
    """A name that nobody has given yet."""
    return f"test/{uuid.uuid4().hex}/1"


@pytest.fixture
def run(capsys):
    """Run a command line, and return the status, standard output and standard error."""

    def run(*arguments):
        status = main(list(arguments))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
