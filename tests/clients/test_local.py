"""weightinit.service(): a service of a test's or a notebook's own, stopped whatever happens."""

import importlib.machinery
import signal
import socket
import subprocess
import sys
import tempfile
from urllib.parse import urlsplit

import numpy as np
import pytest
import weightinit
from weightinit import ConfigurationError, ConnectionFailed, NotFound, Retry, SpecRejected

from tests.servers import wait_until

MODEL = {"seed": 42, "tensors": [{"name": "fc", "shape": [2, 3]}]}

# The package is not imported where it runs, and it ends although its parent does not end it.
KILLED = """
import os, signal, sys, weightinit
with weightinit.service() as client:
    print(client.url, "service" in sys.modules, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def listens(url):
    """Tell whether anybody listens at a URL."""
    parts = urlsplit(url)
    with socket.socket() as connection:
        return connection.connect_ex((parts.hostname, parts.port)) == 0


@pytest.fixture
def started(monkeypatch):
    """The processes that are started."""
    processes = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **keywords):
            processes.append(self)
            super().__init__(*arguments, **keywords)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return processes


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """The folder of temporary folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_draws_what_every_service_draws_and_ends_with_its_block(client, started, temporary, monkeypatch):
    # It is another service's than what the environment speaks of.
    monkeypatch.setenv("WEIGHTINIT_OFFLINE", "1")
    monkeypatch.setenv("WEIGHTINIT_PORT", "no number")
    with weightinit.service() as own:
        assert np.array_equal(
            own.weights((30, 20), seed=1, name="w"), client.weights((30, 20), seed=1, name="w")
        )
        assert urlsplit(own.url).hostname == "127.0.0.1"
        assert len(list(temporary.iterdir())) == 1
    assert started[0].returncode == 0
    assert not listens(own.url)
    assert list(temporary.iterdir()) == []


def test_two_at_once_know_nothing_of_each_other():
    with weightinit.service() as one, weightinit.service() as two:
        assert one.url != two.url
        published = one.publish(MODEL)
        with pytest.raises(NotFound):
            two.model(published.id)


def test_it_ends_where_the_block_raises(started):
    with pytest.raises(ZeroDivisionError), weightinit.service() as client:
        raise ZeroDivisionError
    assert started[0].returncode is not None
    assert not listens(client.url)


def test_a_service_that_is_killed_is_a_failed_connection_and_the_block_ends_as_usual(started, temporary):
    with weightinit.service() as client:
        started[0].kill()
        started[0].wait()
        impatient = weightinit.Client(client.url, retries=Retry(attempts=1))
        with impatient, pytest.raises(ConnectionFailed):
            impatient.parameters(3)
    assert started[0].returncode == -signal.SIGKILL
    assert list(temporary.iterdir()) == []


def test_it_ends_where_its_parent_is_killed_and_is_not_imported_there():
    run = subprocess.run([sys.executable, "-c", KILLED], check=False, capture_output=True, text=True)
    assert run.returncode == -signal.SIGKILL
    url, is_imported = run.stdout.split()
    assert is_imported == "False"
    wait_until(lambda: not listens(url))


def test_settings_are_those_of_its_command_line():
    with weightinit.service(max_elements=10) as client, pytest.raises(SpecRejected, match="10"):
        client.parameters(11)


def test_a_setting_that_it_refuses_is_an_error_in_its_words(started, temporary):
    with pytest.raises(ConnectionFailed, match=r"ended with status 2: .*--max-rank: .* received '0'"):
        weightinit.service(max_rank=0).__enter__()
    assert started[0].returncode == 2
    assert list(temporary.iterdir()) == []


def test_one_that_is_not_ready_in_time_is_ended(started):
    with pytest.raises(ConnectionFailed, match=r"the service was not ready within 0\.01 s: no output"):
        weightinit.service(timeout=0.01).__enter__()
    assert started[0].returncode is not None


@pytest.mark.parametrize("others", [False, True])
def test_where_it_is_not_installed_the_error_says_what_to_do(monkeypatch, tmp_path, started, others):
    """A package of somebody else's is not ours, nor is a folder of that name."""
    found = others and importlib.machinery.ModuleSpec("service", None, is_package=True)
    if found:
        found.submodule_search_locations.append(str(tmp_path))
    monkeypatch.setattr("weightinit.local.find_spec", lambda _: found)
    with pytest.raises(ConfigurationError, match=r"needs the package weightinit-service.*pip install"):
        weightinit.service().__enter__()
    assert started == []
