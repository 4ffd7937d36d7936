"""A bar for those who watch, and for nobody else."""

import sys

import pytest
from weightinit import ConfigurationError
from weightinit.transport.progress import LONG, show_progress

from tests.clients.faults import truncate


@pytest.fixture
def terminal(monkeypatch):
    """Standard error is a terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def shows(size, wanted=None):
    with show_progress("weights", size, wanted=wanted) as watch:
        return watch is not None


def test_a_long_transfer_on_a_terminal_has_a_bar(terminal):
    assert shows(LONG)


def test_a_transfer_of_unknown_length_on_a_terminal_has_a_bar(terminal):
    assert shows(None)


def test_a_short_transfer_has_none(terminal):
    assert not shows(LONG - 1)


def test_there_is_none_where_nobody_watches():
    assert not shows(LONG)


def test_there_is_none_without_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert not shows(LONG)


def test_there_is_one_where_it_is_wanted():
    assert shows(1, wanted=True)


def test_there_is_none_where_it_is_not_wanted(terminal):
    assert not shows(LONG, wanted=False)


def test_there_is_none_without_tqdm(terminal, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert not shows(LONG)


def test_a_wanted_bar_without_tqdm_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'weightinit\[progress\]'"):
        shows(1, wanted=True)


def test_the_bar_reaches_the_end_through_a_broken_download(server, tensor, make_client, capsys):
    server.script = [truncate(600_000)]
    make_client(server.url, progress=True).weights(tensor.shape, seed=1, name="fc1")
    shown = capsys.readouterr().err
    assert f"weights fc1 {tensor.shape[0]}×1024: 100%" in shown


def test_nothing_is_shown_otherwise(server, tensor, make_client, capsys):
    make_client(server.url).weights(tensor.shape, seed=1, name="w")
    assert capsys.readouterr().err == ""
