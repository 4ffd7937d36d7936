"""The service does what openapi.json says, whatever schemathesis sends it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.tokens import create_token
from tests.document.rules import KNOWN
from tests.servers import run_server

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
MAX_ELEMENTS = 1_000_000  # schemathesis reads all that it requests


def run_schemathesis(folder, *options):
    """Run schemathesis with all checks against a service of its own, and return its report and output."""
    report = folder / "report.json"
    data = folder / "data"
    token = create_token(data, "admin", team="*")
    with run_server("--max-elements", str(MAX_ELEMENTS), WEIGHTINIT_DATA_DIRECTORY=str(data)) as server:
        finished = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG),
                *("run", f"{server.url}/openapi.json", "--checks", "all", "--seed", "1"),
                *("--header", f"Authorization: Bearer {token}"),
                *("--report", "json", "--report-json-path", report, "--no-color", *options),
            ],
            check=False,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
    return finished.returncode, json.loads(report.read_text("utf-8")), finished.stdout[-20_000:]


def test_hundreds_of_requests_are_answered_as_documented(tmp_path):
    status, report, output = run_schemathesis(
        tmp_path,
        *("--phases", "examples,fuzzing,stateful", "--max-examples", "8"),
        *("--exclude-checks", "EveryOperationSucceeds"),  # too few requests for that
    )
    assert status == 0, output
    assert report["operations"]["tested"] == report["operations"]["total"]
    assert report["test_cases"]["generated"] >= 200


@pytest.mark.slow
@pytest.mark.timeout(960)
def test_thousands_of_requests_are_answered_as_documented(tmp_path):
    status, report, output = run_schemathesis(tmp_path, "--max-examples", "60")
    assert status == 0, output
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}
    assert report["test_cases"]["generated"] >= 3000


@pytest.mark.parametrize(
    "rule", ["is required", "is not a field of a layer spec", "must be an object", "must be 1, the version"]
)
def test_a_rule_that_the_document_states_is_no_reason_to_refuse_what_it_allows(rule):
    assert not KNOWN.fullmatch(rule)
