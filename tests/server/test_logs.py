"""The log in JSON: one object a line, whatever clients send, and the id of each request."""

import json
import logging
import re
from datetime import UTC, datetime

import httpx
import pytest

from service.server.logs import JsonFormatter, make_log_config
from tests.api.tokens import bear, create_token
from tests.servers import run_server, wait_until

LARGE = "/v1/weights?shape=2000,2000&seed=1"
OPTIONS = ("--log-format", "json", "--access-log", "true")


def read_lines(server):
    """Return the objects of the log; each line has to be one."""
    return [json.loads(line) for line in server.log]


def read_requests(server):
    return [line for line in read_lines(server) if line["logger"] == "weightinit.access"]


def find(server, request_id):
    """Return the line of a request."""
    (line,) = [line for line in read_requests(server) if line["request_id"] == request_id]
    return line


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_line_is_an_object(workers):
    with run_server(*OPTIONS, "--workers", workers) as server:
        body = httpx.get(server.url + LARGE, headers={"X-Request-ID": "whole"}).content
        httpx.head(server.url + LARGE, headers={"X-Request-ID": "head"})
        httpx.get(f"{server.url}/no%0Awhere%7F%E2%80%AE?api_key=s3cr3t&a=1", headers={"X-Request-ID": "none"})
    lines = read_lines(server)
    now = datetime.now(UTC)
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert abs((now - datetime.fromisoformat(line["time"])).total_seconds()) < 120
        assert line["level"] in {"info", "warning"}
        assert {"logger", "message"} <= set(line)
    whole = find(server, "whole")
    assert whole["duration_ms"] > 0
    expected = {
        "client": "127.0.0.1",
        "token": None,
        "method": "GET",
        "path": "/v1/weights",
        "query": "shape=2000,2000&seed=1",
        "route": "/v1/weights",
        "status": 200,
        "bytes": len(body),
    }
    assert whole | expected == whole
    assert find(server, "head")["bytes"] == 0
    unknown = find(server, "none")
    assert (unknown["path"], unknown["route"]) == ("/no\nwhere\x7f\u202e", "none")
    assert unknown["query"] == "api_key=***&a=1"
    assert all(line.isascii() and "\x7f" not in line for line in server.log)


def test_the_line_of_a_request_with_a_token_has_its_id_and_not_its_text(tmp_path):
    token = create_token(tmp_path, "read")
    with run_server(*OPTIONS, WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server:
        for path, request_id in (("/v1/token", "own"), ("/v1/names", "open")):
            httpx.get(server.url + path, headers={**bear(token), "X-Request-ID": request_id})
    assert find(server, "own")["token"] == token[3:15]
    assert find(server, "open")["token"] is None
    assert token not in "".join(server.log)


@pytest.mark.parametrize("access", ["auto", "open"])
def test_a_warning_about_access_is_an_object_too(access):
    with run_server(*OPTIONS, "--host", "0.0.0.0", "--write-access", access) as server:
        wait_until(lambda: any("may publish" in line for line in list(server.log)))
    (line,) = (line for line in read_lines(server) if "may publish" in line["message"])
    assert line["level"] == "warning"


def test_the_bytes_of_a_response_that_was_cut_off_are_those_that_were_sent():
    with run_server(*OPTIONS) as server:
        url = f"{server.url}/v1/weights?shape=20000,20000&seed=1"
        with httpx.stream("GET", url, headers={"X-Request-ID": "cut"}) as response:
            for count, _ in enumerate(response.iter_raw(2**20)):
                if count == 20:
                    break
    assert 20 * 2**20 <= find(server, "cut")["bytes"] < 400_000_000


def test_the_lines_of_errors_have_the_id_of_their_request(tmp_path):
    (tmp_path / "weightinit.sqlite3").write_bytes(b"no database" * 1000)
    with run_server(*OPTIONS, WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server:
        httpx.get(f"{server.url}/v1/names", headers={"X-Request-ID": "stored"})
    lines = [line for line in read_lines(server) if line.get("request_id") == "stored"]
    assert [(line["logger"], line["level"]) for line in lines] == [
        ("service.store", "warning"),
        ("weightinit.access", "info"),
    ]


def test_a_traceback_is_one_field():
    with pytest.raises(RuntimeError) as failed:
        raise RuntimeError("made\nup")
    error = failed.value
    cause = (type(error), error, error.__traceback__)
    record = logging.LogRecord("a", logging.ERROR, "", 1, "Failed %s\n", ("here",), cause)
    text = JsonFormatter().format(record)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["level"], line["message"]) == ("error", "Failed here")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("RuntimeError: made\nup")
    assert "request_id" not in line


def test_without_an_access_log_no_request_is_logged():
    with run_server("--log-format", "json") as server:
        httpx.get(f"{server.url}/livez")
    assert read_requests(server) == []
    assert read_lines(server)


def test_the_level_of_the_log_holds_for_requests():
    assert make_log_config("json", "warning")["loggers"]["weightinit.access"]["level"] == "WARNING"
