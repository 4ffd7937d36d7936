"""The metrics are those that Prometheus' own tool accepts, and count what operators look for."""

import re
import socket
import subprocess
import sys

import httpx
import pytest

from tests.servers import run_server, wait_until

LARGE = "/v1/weights?shape=65536,65536&seed=1"
BUCKETS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 600]


def read_samples(text):
    """Return the samples by name and labels."""
    return {found[1]: float(found[2]) for found in re.finditer(r"(?m)^([^#\s{]+(?:{.*})?) (\S+)$", text)}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_promtool_finds_no_fault(workers):
    with run_server("--workers", workers) as server:
        httpx.get(f"{server.url}/v1/parameters?shape=3,3")
        wait_until(lambda: server.read_metric("weightinit_ready_workers") == int(workers))
        text = httpx.get(f"{server.url}/metrics").text
    command = ["promtool", "check", "metrics"]
    checked = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    samples = read_samples(text)
    assert samples["weightinit_workers"] == int(workers)
    assert [value for name, value in samples.items() if name.startswith("weightinit_build_info{")] == [1]


def test_durations_have_buckets_from_a_tenth_of_a_millisecond_to_ten_minutes(client):
    client.get("/v1/parameters?shape=3,3")
    text = client.get("/metrics").text
    for name in ("request", "first_byte"):
        line = rf'weightinit_{name}_seconds_bucket{{le="([\d.]+)",route="/v1/parameters"}}'
        assert [float(bound) for bound in re.findall(line, text)] == BUCKETS


def test_refused_requests_are_counted_by_reason_and_status():
    with run_server("--max-streams", "4", "--peer-share", "0.25", "--max-connections", "8") as server:
        url = server.url + LARGE
        before = read_samples(httpx.get(f"{server.url}/metrics").text)
        with httpx.stream("GET", url) as first, httpx.Client() as second:
            assert first.status_code == 200
            assert second.get(url).status_code == 429
            assert httpx.get(url).status_code == 429
        after = read_samples(httpx.get(f"{server.url}/metrics").text)
    refused = {name for name in after if name.startswith("weightinit_refused_total")}
    assert {name for name in refused if before[name]} == set()
    assert after['weightinit_refused_total{reason="large bodies",status="429"}'] == 1
    assert after['weightinit_refused_total{reason="connections",status="429"}'] == 1
    assert len(refused) == 8


def test_calls_of_the_store_are_counted_by_kind_with_their_errors(tmp_path):
    (tmp_path / "weightinit.sqlite3").write_bytes(b"no database" * 1000)
    with run_server(WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server:
        assert httpx.get(f"{server.url}/v1/names").status_code == 503
        samples = read_samples(httpx.get(f"{server.url}/metrics").text)
    assert samples['weightinit_store_errors_total{kind="read"}'] == 1
    assert samples['weightinit_store_errors_total{kind="write"}'] == 0
    assert samples['weightinit_store_seconds_count{kind="read"}'] == 1


def test_a_worker_that_is_about_to_stop_is_not_ready():
    with run_server("--drain-delay", "3") as server:
        server.process.terminate()
        samples = {}
        while samples.get("weightinit_ready_workers") != 0:
            samples = read_samples(httpx.get(f"{server.url}/metrics").text)
        assert samples["weightinit_workers"] == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_metrics_have_a_port_of_their_own_on_request(workers):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with run_server("--workers", workers, "--metrics-port", str(port)) as server:
        assert httpx.get(f"{server.url}/v1/parameters?shape=3,3").status_code == 200
        assert httpx.get(f"{server.url}/metrics").status_code == 404
        url = f"http://127.0.0.1:{port}/metrics"
        wait_until(lambda: read_samples(httpx.get(url).text)["weightinit_workers"] == int(workers))
        response = httpx.get(url)
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    samples = read_samples(response.text)
    assert samples['weightinit_requests_total{method="GET",route="/v1/parameters",status="200"}'] == 1


def test_a_port_of_metrics_that_is_taken_ends_the_service():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "service", "--port", "0", "--metrics-port", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"weightinit: 127.0.0.1, port {port}: ")
