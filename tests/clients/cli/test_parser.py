"""Options before the command and after it, and advice for what is misspelt."""

import os
import subprocess
import sys

import pytest
from weightinit.cli.commands import weights
from weightinit.cli.main import main, make_parser
from weightinit.cli.options import DTYPE_NAMES, FILE_SUFFIXES
from weightinit.cli.parser import parse_command_line
from weightinit.download import HEADERS
from weightinit.models.files import MAX_FILE_BYTES
from weightinit.spec.dtypes import DTYPES


@pytest.fixture
def fail(capsys):
    """Run a command line that is wrong, and return what is said."""

    def fail(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        captured = capsys.readouterr()
        assert (ended.value.code, captured.out) == (2, "")
        return captured.err

    return fail


def parse(*arguments):
    return parse_command_line(make_parser(), arguments)


OPTIONS = {
    "url": ["--url", "http://a:1"],
    "token": ["--token", "secret"],
    "timeout": ["--timeout", "2.5"],
    "retries": ["--retries", "0"],
    "json": ["--json"],
    "quiet": ["-q"],
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("words", [["list"], ["cache", "list"]], ids=" ".join)
def test_a_global_option_may_be_before_the_command_and_after_it(name, words):
    before = parse(*OPTIONS[name], *words)
    after = parse(*words, *OPTIONS[name])
    assert getattr(before, name) == getattr(after, name) != getattr(parse(*words), name)


def test_the_later_of_two_counts():
    assert parse("--url", "http://a", "list", "--url", "http://b").url == "http://b"


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["lst"], "unknown command 'lst'; did you mean list?"),
        (["parametres", "9,9"], "unknown command 'parametres'; did you mean parameters?"),
        (["cache", "clera"], "unknown command 'clera'; did you mean clear?"),
        (["weights", "9,9", "--sede", "1", "-o", "x"], "unknown option --sede; did you mean --seed?"),
        (["weights", "9,9", "--seed=1", "--outptu=x"], "unknown option --outptu; did you mean --output?"),
        (["list", "--jsn"], "unknown option --jsn; did you mean --json?"),
        (["--quit", "list"], "unknown option --quit; did you mean --quiet?"),
        (["cache", "clear", "--yse"], "unknown option --yse; did you mean --yes?"),
        (
            ["parameters", "9", "--dtype", "flaot32"],
            "--dtype: unknown value 'flaot32'; did you mean float32?",
        ),
        (["list", "--sort", "nmae"], "--sort: unknown value 'nmae'; did you mean name?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_misspelt_gets_a_suggestion(fail, arguments, advice):
    assert advice in fail(*arguments).splitlines()[0]


def test_what_is_like_nothing_gets_the_list(fail):
    assert "unknown value 'int8'; choose from float32, float64" in fail("parameters", "9", "--dtype", "int8")


@pytest.mark.parametrize("option", ["--tok", "--ti"])
def test_an_option_is_not_abbreviated(fail, option):
    assert f"unknown option {option}" in fail("list", option, "1")


def test_an_error_says_how_the_command_is_used_and_where_there_is_more(fail):
    assert fail("retire", "a/b/1").splitlines() == [
        "weightinit retire: the following arguments are required: --note",
        "usage: weightinit retire NAME --note TEXT [options]",
        "Run 'weightinit retire --help' for more.",
    ]


def test_without_a_command_there_is_help(fail):
    assert "commands:" in fail()
    assert "usage: weightinit cache COMMAND" in fail("cache")


@pytest.mark.parametrize("arguments", [["--url", "x"], ["--timeout", "0"], ["--retries", "-1"]])
def test_an_error_names_the_option(fail, arguments):
    assert fail("list", *arguments).startswith(f"weightinit list: {arguments[0]}: ")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WEIGHTINIT_URL", "x"),
        ("WEIGHTINIT_TIMEOUT", "x"),
        ("WEIGHTINIT_CACHE_GIB", "x"),
        ("WEIGHTINIT_VERIFY", "x"),
    ],
)
def test_an_error_names_the_variable(capsys, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert main(["list"]) == 2
    assert capsys.readouterr().err.startswith(f"weightinit: {variable}")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--activation", "rleu"), ("--groups", "7"), ("--stddev", "-1"), ("--layout", "IOX")],
)
def test_what_the_service_refuses_is_named_by_its_option(capsys, monkeypatch, service_url, option, value):
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    assert main(["parameters", "784,300", f"{option}={value}"]) == 2
    assert f": {option} " in capsys.readouterr().err


def test_what_is_spelled_out_to_be_quick_is_what_the_client_has():
    assert tuple(DTYPES) == DTYPE_NAMES
    assert tuple(MAX_FILE_BYTES) == FILE_SUFFIXES
    assert tuple(HEADERS) == weights.FORMATS


# --- completion -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("weightinit sh", {"show "}),
        ("weightinit cache cl", {"clear "}),
        ("weightinit --url http://a list --so", {"--sort "}),
        ("weightinit parameters 9 --dtype f", {"float16", "float32", "float64"}),
    ],
)
def test_a_shell_completes_commands_options_and_values(tmp_path, line, completions):
    pytest.importorskip("argcomplete")
    found = tmp_path / "completions"
    asked = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9", "_ARGCOMPLETE": "1"}
    places = {"_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(found)}
    command = [sys.executable, "-m", "weightinit"]
    subprocess.run(command, env={**os.environ, **asked, **places}, check=False, timeout=60)
    assert set(found.read_text().split("\n")) == completions


def test_completion_is_a_script_or_says_what_it_needs(capsys):
    try:
        import argcomplete  # noqa: F401
    except ImportError:
        assert main(["completion", "bash"]) == 2
        assert "pip install 'weightinit[cli]'" in capsys.readouterr().err
    else:
        assert main(["completion", "bash"]) == 0
        assert "weightinit" in capsys.readouterr().out


def list_commands(parser, *names):
    """List the command lines of a parser's commands, and of theirs."""
    yield names
    for name, command in parser._commands.items():
        yield from list_commands(command, *names, name)


@pytest.mark.parametrize("names", [*list_commands(make_parser())], ids=" ".join)
def test_the_help_fits_a_terminal_of_80_columns(names, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*names, "--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


def test_a_paragraph_of_the_help_takes_the_width_of_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        main(["show", "--help"])
    notes = capsys.readouterr().out.split("\n\n")[-2].splitlines()
    assert 50 < max(map(len, notes)) <= 60
