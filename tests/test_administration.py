"""The commands `token` and `audit` of the service."""

import json
import os
import subprocess
import sys

import pytest

from tests.api.tokens import TOKEN, create_token, run_command
from tests.servers import run_server


def test_a_token_is_printed_alone_and_what_it_is_beside_it(tmp_path):
    result = run_command(tmp_path, "token", "create", "--team", "vision", "--scope", "publish")
    assert TOKEN.fullmatch(result.stdout)
    assert result.stderr == (
        f"The token {result.stdout[3:15]} is valid until it is revoked. It is shown only now.\n"
    )


def test_a_list_has_the_tokens_that_are_not_revoked(tmp_path):
    kept = create_token(tmp_path, "publish", "read", note="ci", days=90)
    gone = create_token(tmp_path, "admin", team="*")
    assert run_command(tmp_path, "token", "revoke", gone[3:15]).returncode == 0
    lines = run_command(tmp_path, "token", "list").stdout.splitlines()
    assert lines[0].split() == ["ID", "TEAM", "SCOPES", "EXPIRES", "NOTE"]
    ((identity, team, scopes, _expires, note),) = (line.split() for line in lines[1:])
    assert (identity, team, scopes, note) == (kept[3:15], "vision", "read,publish", "ci")


def test_a_list_may_be_of_one_team_and_empty(tmp_path):
    create_token(tmp_path, "read")
    assert run_command(tmp_path, "token", "list", "--team", "audio").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["token", "create", "--team", "vision"], 2, "the following arguments are required: --scope"),
        (["token", "create", "--scope", "write", "--team", "a"], 2, "invalid choice: 'write'"),
        (["token", "create", "--scope", "read", "--team", "a/b"], 1, "team must be 1 to 100 of"),
        (["token", "create", "--scope", "read", "--team", "a", "--days", "0"], 1, "days must be at least 1"),
        (["token", "revoke", "000000000000"], 1, 'id must be the id of a token; received "000000000000"'),
        (["token", "revoke", "\udcff"], 1, "id must be the id of a token"),
        (["token", "list", "--team", "a/b"], 1, "team must be 1 to 100 of"),
        (["audit", "--team", "\udcff"], 1, "team must be 1 to 100 of"),
        (["token", "list", "--port", "1"], 2, "unrecognized arguments: --port"),
        (["token", "list", "--tea", "a"], 2, "unrecognized arguments: --tea a"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_with_a_status(tmp_path, arguments, status, message):
    result = run_command(tmp_path, *arguments)
    assert (result.returncode, result.stdout) == (status, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "command",
    [[], ["openapi"], ["token"], ["token", "create"], ["token", "list"], ["token", "revoke"], ["audit"]],
    ids=" ".join,
)
def test_help_fits_80_columns_and_shows_the_command(command, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = run_command(tmp_path, *command, "--help").stdout.splitlines()
    assert lines[0].startswith(" ".join(["usage: python -m service", *command]))
    assert max(map(len, lines)) <= 80


def test_a_directory_that_cannot_be_written_to_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    result = run_command(tmp_path / "file", "token", "create", "--scope", "read", "--team", "a")
    assert result.returncode == 1
    assert result.stderr.endswith("weightinit: The storage cannot be written to.\n")


def test_the_audit_trail_is_an_object_of_json_a_line(tmp_path):
    token = create_token(tmp_path, "read")
    create_token(tmp_path, "read", team="audio")
    entries = [json.loads(line) for line in run_command(tmp_path, "audit").stdout.splitlines()]
    assert [entry["team"] for entry in entries] == ["vision", "audio"]
    (entry,) = (
        json.loads(line) for line in run_command(tmp_path, "audit", "--team", "vision").stdout.splitlines()
    )
    assert (entry["action"], entry["subject"], entry["token"]) == ("create token", token[3:15], None)


def test_a_reader_that_has_seen_enough_is_no_error_with_a_traceback(tmp_path):
    create_token(tmp_path, "read")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "service", "audit", "--data-directory", str(tmp_path)]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, "")


def test_options_may_stand_before_and_behind_the_command():
    for arguments in (["--max-rank", "3", "serve"], ["serve", "--max-rank", "3"], ["--max-rank", "3"]):
        with run_server(*arguments) as server:
            assert server.url
