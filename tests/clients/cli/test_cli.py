"""The command line, as a person and as a script use it."""

import json
import os
import pty
import subprocess
import sys
import threading
from argparse import ArgumentParser
from dataclasses import MISSING, fields

import numpy as np
import pytest
from weightinit import Parameters, Spec, __version__
from weightinit.cli import main
from weightinit.cli.commands import COMMANDS
from weightinit.cli.options import add_spec_options

from tests.clients.faults import FaultServer, hang_up, refuse, run, truncate
from tests.clients.test_client import ANSWER

WEIGHTS = ["weights", "256,1024", "--seed", "1", "--name", "w", "--retries", "0"]


def run_main(*arguments):
    """Run a command line that may end by argparse's exit, and return the status."""
    try:
        return main(list(arguments))
    except SystemExit as end:
        return end.code


def list_commands(commands, before=()):
    """List the words of each command, those of commands of their own too."""
    for command in commands:
        yield (*before, command.name)
        yield from list_commands(command.commands, (*before, command.name))


def find_command(words):
    commands = COMMANDS
    for word in words:
        (command,) = (command for command in commands if command.name == word)
        commands = command.commands
    return command


def run_process(*arguments, **settings):
    command = [sys.executable, "-m", "weightinit", *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=60, **settings)


@pytest.fixture
def url(small_server, monkeypatch):
    monkeypatch.setenv("WEIGHTINIT_URL", small_server.url)
    return small_server.url


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.npy"


def read_error(capsys):
    """Return the one line on standard error."""
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert text.startswith("weightinit: ")
    return text.removeprefix("weightinit: ").rstrip()


def test_help_shows_each_command_with_an_example(capsys):
    assert run_main("--help") == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert command.summary in text
        assert command.examples[0] in text
    assert "exit status:" in text
    assert "WEIGHTINIT_URL" in text


@pytest.mark.parametrize("words", list(list_commands(COMMANDS)), ids=" ".join)
def test_help_of_a_command_has_its_examples_and_the_global_options(capsys, words):
    command = find_command(words)
    assert run_main(*words, "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: weightinit {' '.join(words)}")
    assert [example for example in command.examples if example not in text] == []
    assert " ".join(command.notes.split()) in " ".join(text.split())  # wrapped to the terminal
    assert "--url URL" in text
    assert run_main("help", *words) == 0
    assert capsys.readouterr().out == text


def test_the_version(capsys):
    assert run_main("--version") == 0
    assert capsys.readouterr().out == f"weightinit {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["weights"],
        ["weights", "2,2", "-o", "x"],
        ["weights", "2,2", "--seed", "1"],
        ["weights", "2;2", "--seed", "1", "-o", "x"],
        ["weights", "-2,2", "--seed", "1", "-o", "x"],
        ["parameters", "2,2", "--dtype", "int8"],
        ["parameters", "2,2", "--fan-in", "x"],
        ["perimeters", "2,2"],
    ],
)
def test_a_wrong_command_line_ends_with_2(capsys, arguments):
    assert run_main(*arguments) == 2
    assert "usage: weightinit" in capsys.readouterr().err


# --- parameters -----------------------------------------------------------------------------------


@pytest.fixture
def decided(small_server, url):
    small_server.script = [refuse(200, json.dumps(ANSWER).encode(), "application/json")]
    return small_server


# The fields that the client knows, with the values of those that an older service does not send.
NAMES = {row.name: None if row.default is MISSING else row.default for row in fields(Parameters)}


def test_parameters_are_a_line_each(decided, capsys):
    assert run_main("parameters", "784x300", "--activation", "relu") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "shape         784,300"
    assert "formula       σ² = 2 / fan_in = 2 / 784" in lines
    assert [line.split()[0] for line in lines] == sorted([*ANSWER, "mean", "gain"], key=list(NAMES).index)
    assert decided.requests[0].query == {"shape": "784,300", "activation": "relu"}


def test_parameters_are_json_for_programs(decided, capsys):
    assert run_main("parameters", "784,300", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {**NAMES, **ANSWER, "fan_avg": 542.0}


OPTIONS = {
    "--activation-parameter": ("0.125,0.25", "0.125,0.25"),
    "--stride": ("2,1", "2,1"),
    "--fans-as": ("torch", "torch"),
    "--gain": ("2", "2.0"),
    "--lower": ("-3", "-3.0"),
    "--upper": ("3", "3.0"),
    "--high": ("1", "1.0"),
    "--mean": ("0.5", "0.5"),
    "--sparsity": ("0.9", "0.9"),
    "--sparsity-axis": ("O", "O"),
    "--center": ("torch", "torch"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_sent_as_its_field(decided, option):
    text, sent = OPTIONS[option]
    assert run_main("parameters", "3,3,4,4", f"{option}={text}") == 0
    field = option.removeprefix("--").replace("-", "_")
    assert decided.requests[0].query == {"shape": "3,3,4,4", field: sent}


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (["--transposed"], {"transposed": "true"}),
        (["--low=0", "--high=1"], {"scheme": "explicit", "low": "0.0", "high": "1.0"}),
        (["--constant=0.5"], {"scheme": "constant", "constant": "0.5"}),
    ],
)
def test_options_are_sent_with_what_they_imply(decided, options, sent):
    assert run_main("parameters", "3,3,4,4", *options) == 0
    assert decided.requests[0].query == {"shape": "3,3,4,4", **sent}


def test_every_field_of_a_layer_has_an_option():
    parser = ArgumentParser()
    add_spec_options(parser)
    names = {action.dest for action in parser._actions}
    assert {row.name for row in fields(Spec)} - names == {"shape", "seed", "name"}


def test_every_option_is_asked_for(decided):
    options = "--layout HWIO --groups 2 --fan-in 7 --fan-out 8 --activation elu --scheme variance_scaling"
    more = "--scale 1.5 --mode fan_out --negative-slope 0.1 --distribution normal --dtype float16"
    assert run_main("parameters", "3,3,4,4", *options.split(), *more.split()) == 0
    assert decided.requests[0].query == {
        "shape": "3,3,4,4",
        "layout": "HWIO",
        "groups": "2",
        "fan_in": "7",
        "fan_out": "8",
        "activation": "elu",
        "scheme": "variance_scaling",
        "scale": "1.5",
        "mode": "fan_out",
        "negative_slope": "0.1",
        "distribution": "normal",
        "dtype": "float16",
    }


# --- weights --------------------------------------------------------------------------------------


def test_weights_are_a_file(url, small, path, capsys):
    assert run_main(*WEIGHTS, "-o", str(path)) == 0
    assert np.load(path).tobytes() == small.tobytes()
    assert capsys.readouterr().err == ""


def test_weights_are_raw_bytes_where_asked(url, small, path):
    assert run_main(*WEIGHTS, "-o", str(path), "--format", "raw") == 0
    assert path.read_bytes() == small.tobytes()


def test_weights_are_a_part_where_asked(small_server, url, path):
    small_server.body = bytes(8)
    assert run_main(*WEIGHTS, "-o", str(path), "--slice", "0:2,5:6", "--name", "fc1") == 0
    assert np.load(path).shape == (2, 1)
    assert small_server.requests[0].query["slice"] == "0:2,5:6"
    assert small_server.requests[0].query["name"] == "fc1"


def test_a_broken_download_is_gone_on_with_by_the_next_command(small_server, url, small, path, capsys):
    small_server.script = [truncate(1000)]
    assert run_main(*WEIGHTS, "-o", str(path)) == 1
    assert "closed the connection with 1047576 bytes missing" in read_error(capsys)
    assert run_main(*WEIGHTS, "-o", str(path)) == 0
    assert small_server.ranges == [None, "bytes=1000-"]
    assert np.load(path).tobytes() == small.tobytes()


def test_weights_are_verified_where_asked(small_server, url, path):
    assert run_main(*WEIGHTS, "-o", str(path), "--verify") == 0
    assert "want-repr-digest" in small_server.requests[0].headers


def test_a_bar_is_shown_where_asked(url, path, capsys):
    assert run_main(*WEIGHTS, "-o", str(path), "--progress") == 0
    assert "100%" in capsys.readouterr().err


def test_weights_go_to_standard_output(url, small):
    done = run_process(*WEIGHTS, "-o", "-")
    assert done.returncode == 0
    assert done.stderr == b""
    assert done.stdout.endswith(small.tobytes())
    assert done.stdout.startswith(b"\x93NUMPY")


def test_standard_output_goes_on_where_it_broke(small_server, url, small):
    small_server.script = [truncate(1000)]
    done = run_process(
        "weights", "256,1024", "--seed", "1", "--name", "w", "-o", "-", "--format", "raw", "--verify"
    )
    assert (done.returncode, done.stdout) == (0, small.tobytes())


def test_standard_output_cannot_start_again(small_server, url, small):
    small_server.etag = None
    small_server.script = [truncate(1000)]
    done = run_process("weights", "256,1024", "--seed", "1", "--name", "w", "-o", "-", "--format", "raw")
    assert (done.returncode, done.stdout) == (1, small.tobytes()[:1000])
    assert b"must restart, but a pipe cannot; write to a file" in done.stderr


def test_nothing_is_written_to_standard_output_before_there_is_something(small_server, url):
    small_server.script = [hang_up]
    assert run_process(*WEIGHTS, "-o", "-").stdout == b""


def test_weights_are_not_written_to_a_terminal(url):
    terminal, screen = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "weightinit", *WEIGHTS, "-o", "-"],
        stdout=screen,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(screen)
    os.close(terminal)
    assert done.returncode == 1
    assert b"not written to a terminal" in done.stderr


@pytest.mark.parametrize("command", [[*WEIGHTS, "-o", "-"], ["parameters", "256,1024"]])
def test_a_reader_that_leaves_ends_it_quietly(small_server, url, command):
    if command[0] == "parameters":
        small_server.script = [refuse(200, json.dumps(ANSWER).encode(), "application/json")]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "weightinit", *command],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


# --- errors ---------------------------------------------------------------------------------------

REJECTED = json.dumps(
    {"detail": "x", "errors": [{"field": "a", "rule": "b", "received": "c", "message": "a b; received c"}]}
)


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (refuse(422, REJECTED.encode()), 2, ": a b; received c"),
        (hang_up, 1, "cannot be reached"),
        (refuse(404, b"<html>", "text/html"), 1, "check the URL"),
        (refuse(401), 1, "--token or WEIGHTINIT_TOKEN"),
        (refuse(404, b'{"detail": "No such thing."}'), 1, "404 No such thing."),
        (refuse(429, retry_after="3600"), 1, "429"),
        (refuse(500), 1, "500"),
        (truncate(0), 1, "closed the connection"),
    ],
)
def test_an_error_is_one_line_and_a_status(small_server, url, path, capsys, fault, status, words):
    small_server.script = [fault]
    assert run_main(*WEIGHTS, "-o", str(path)) == status
    assert words in read_error(capsys)
    assert not path.exists()


def test_an_absent_service_is_1(path, capsys):
    assert run_main(*WEIGHTS, "-o", str(path), "--url", "http://127.0.0.1:1") == 1
    error = read_error(capsys)
    assert "http://127.0.0.1:1 cannot be reached" in error
    assert "set --url or WEIGHTINIT_URL" in error


def test_an_impossible_url_is_2(path, capsys):
    assert run_main(*WEIGHTS, "-o", str(path), "--url", "localhost:8000") == 2
    assert "--url: a URL must begin with http://" in capsys.readouterr().err


def test_an_impossible_slice_is_2(url, path, capsys):
    assert run_main(*WEIGHTS, "-o", str(path), "--slice", "5") == 2
    assert "--slice must be start:stop" in read_error(capsys)


def test_an_output_that_cannot_be_written_is_1(url, path, capsys):
    assert run_main(*WEIGHTS, "-o", str(path / "missing")) == 1
    assert "cannot be written" in read_error(capsys)


def test_how_often_it_was_tried_is_said(small_server, url, path, capsys):
    small_server.script = [refuse(503)] * 2
    assert (
        run_main("weights", "256,1024", "--seed", "1", "--name", "w", "--retries", "1", "-o", str(path)) == 1
    )
    assert read_error(capsys).endswith("; gave up after 2 attempts")


def test_a_strangers_words_do_nothing_to_a_terminal(small_server, url, path, capsys):
    detail = json.dumps({"detail": "\x1b[2Jred\nalert\u202e"}).encode()
    small_server.script = [refuse(400, detail)]
    assert run_main(*WEIGHTS, "-o", str(path)) == 1
    assert read_error(capsys).endswith("400  [2Jred alert")


def test_an_interrupt_is_130(small_server, small, path, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("weightinit.transport.sinks.FileSink.take", interrupt)
    monkeypatch.setenv("WEIGHTINIT_URL", small_server.url)
    assert run_main(*WEIGHTS, "-o", str(path)) == 130
    assert read_error(capsys) == "interrupted"


def test_a_killed_command_is_gone_on_with(small, path, monkeypatch):
    """kill -9 in the middle, then the same command again."""
    sent, over = threading.Event(), threading.Event()

    def stall(exchange):
        answer = exchange.make_answer()
        answer.body = answer.body[:500_000]
        exchange.answer(answer)
        sent.set()
        over.wait()

    with run(FaultServer(small.tobytes(), script=[stall])) as server:
        monkeypatch.setenv("WEIGHTINIT_URL", server.url)
        process = subprocess.Popen([sys.executable, "-m", "weightinit", *WEIGHTS, "-o", str(path)])
        sent.wait()
        process.kill()
        process.wait()
        over.set()
        assert run_main(*WEIGHTS, "-o", str(path)) == 0
    assert np.load(path).tobytes() == small.tobytes()
