"""The bill of materials of the packages that the service runs with, and the search for vulnerabilities."""

import json
import re
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements/service.txt").read_text("utf-8")
PINS = dict(re.findall(r"(?m)^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", LOCK))
# A record as in OSV's documentation: https://google.github.io/osv.dev/post-v1-query/
VULNERABILITY = {
    "id": "PYSEC-2026-1",
    "summary": "An example.",
    "affected": [
        {
            "package": {"name": "starlette", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


def run_script(name, *arguments):
    command = [str(ROOT / "scripts" / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def run_database(vulnerable):
    """Run a database of vulnerabilities, which knows one of a package, and return the arguments to use it."""

    class Database(BaseHTTPRequestHandler):
        def do_POST(self):
            query = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found = query["package"]["name"] == vulnerable
            body = json.dumps({"vulns": [VULNERABILITY]} if found else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def test_the_bill_of_materials_lists_the_lock():
    done = run_script("sbom")
    assert done.returncode == 0, done.stderr
    bill = json.loads(done.stdout)
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "weightinit-service"
    assert {part["name"]: part["version"] for part in bill["components"]} == PINS


def test_the_bill_of_materials_has_the_hashes_of_the_lock():
    bill = json.loads(run_script("sbom").stdout)
    found = {
        entry["content"]
        for part in bill["components"]
        for reference in part["externalReferences"]
        for entry in reference["hashes"]
    }
    assert found == set(re.findall(r"sha256:([0-9a-f]{64})", LOCK))


def test_a_known_vulnerability_fails_the_audit():
    with run_database("starlette") as arguments:
        done = run_script("audit", *arguments)
    assert done.returncode == 1, done.stderr
    assert f"VULNERABLE: starlette {PINS['starlette']}: PYSEC-2026-1, fixed in 99.0" in done.stderr


def test_an_audit_that_finds_nothing_passes():
    with run_database("none") as arguments:
        done = run_script("audit", *arguments)
    assert done.returncode == 0, done.stderr
    assert re.search(r"audited (\d+) of \1 packages", done.stderr)
    assert "NOT AUDITED" not in done.stderr


def test_an_audit_without_a_database_says_so_and_passes():
    arguments = ("--vulnerability-service", "osv", "--osv-url", "http://127.0.0.1:9/v1/query")
    done = run_script("audit", *arguments)
    assert done.returncode == 0
    assert "NOT AUDITED" in done.stderr
