"""What is forever is asked for on a terminal, and not in a script."""

import os
import pty
import subprocess
import sys

import pytest
from weightinit import Client, NotFound, Retired

MODEL = '{"seed": 42, "tensors": [{"name": "encoder.layers.0.attention.output", "shape": [9, 9]}]}'


@pytest.fixture(autouse=True)
def folder(service_url, monkeypatch, tmp_path):
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    monkeypatch.setenv("WEIGHTINIT_AUTHOR", "Ada")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(MODEL)


@pytest.fixture
def published(client, name):
    client.publish({"seed": 42, "tensors": [{"name": "fc", "shape": [9, 9]}]}, name=name, author="Ada")
    return name


def run_on_terminal(*arguments, answer="", **environment):
    """Run a command on a terminal, give an answer, and return the status and what the screen shows."""
    terminal, screen = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "weightinit", *arguments],
        stdin=screen,
        stdout=screen,
        stderr=screen,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(screen)
    os.write(terminal, answer.encode())
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # on Linux, where the last process has closed it
        pass
    os.close(terminal)
    return process.wait(60), shown.decode()


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"], ids=["no", "nothing", "end"])
def test_publish_gives_no_name_without_a_yes(client, name, answer):
    status, shown = run_on_terminal("publish", "m.json", "--as", name, answer=answer)
    assert status == 1
    assert f"{name} will refer to m.json with seed 42 (1 tensor) permanently. Publish? [y/N]" in shown
    assert "cancelled: nothing was changed" in shown
    with pytest.raises(NotFound):
        client.resolve(name)


def test_publish_gives_a_name_after_a_yes(client, name):
    assert run_on_terminal("publish", "m.json", "--as", name, answer="y\n")[0] == 0
    assert client.resolve(name).author == "Ada"


def test_publish_asks_nothing_where_nothing_changes_or_yes_says_so(name):
    assert "[y/N]" not in run_on_terminal("publish", "m.json")[1]
    assert "[y/N]" not in run_on_terminal("publish", "m.json", "--as", name, "--yes")[1]
    assert "[y/N]" not in run_on_terminal("publish", "m.json", "--as", name)[1]


def test_retire_asks(client, published):
    status, shown = run_on_terminal("retire", published, "--note", "old", answer="n\n")
    assert (status, "Retire it permanently? [y/N]" in shown) == (1, True)
    assert client.resolve(published).retired is None
    assert run_on_terminal("retire", published, "--note", "old", answer="yes\n")[0] == 0
    with pytest.raises(Retired, match="old"):
        client.resolve(published)


def test_a_script_retires_nothing_without_yes(client, published):
    command = [sys.executable, "-m", "weightinit", "retire", published, "--note", "old"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--yes is required when stdin or stdout is not a terminal" in done.stderr
    assert client.resolve(published).retired is None


def test_clearing_the_cache_asks(service_url, tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTINIT_CACHE", str(tmp_path / "kept"))
    with Client() as kept:
        kept.raw((9, 9), seed=1, name="w")
    assert run_on_terminal("cache", "clear", answer="n\n")[0] == 1
    assert len(list((tmp_path / "kept").glob("*.weights"))) == 1
    assert run_on_terminal("cache", "clear", "--yes")[0] == 0
    assert list((tmp_path / "kept").glob("*.weights")) == []


# --- the screen -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "is_bold"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_titles_are_bold_unless_no_color_is_set(environment, is_bold):
    assert ("\x1b[1m" in run_on_terminal("show", "m.json", **environment)[1]) == is_bold


@pytest.mark.parametrize("columns", [80, 120])
def test_a_table_fits_the_terminal(columns):
    shown = run_on_terminal("show", "m.json", COLUMNS=str(columns), NO_COLOR="1")[1]
    assert max(map(len, shown.splitlines())) <= columns
    assert ("2 / fan_in" in shown or "1 / fan_avg" in shown) == (columns == 120)


def test_a_pipe_has_all_of_a_table():
    command = [sys.executable, "-m", "weightinit", "show", "m.json"]
    environment = {**os.environ, "COLUMNS": "20"}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    titles = ["NAME", "SHAPE", "DTYPE", "SCHEME", "DISTRIBUTION", "σ", "σ²", "=", "WHY"]
    assert shown.splitlines()[4].split() == titles
