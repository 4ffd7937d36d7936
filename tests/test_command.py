import subprocess
import sys

import httpx

from service.api.endpoints import ROUTES
from service.api.openapi import render_openapi
from tests.servers import run_server


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "service", *arguments], capture_output=True, check=False)


def test_openapi_prints_the_document():
    result = run("openapi")
    assert (result.returncode, result.stdout) == (0, render_openapi(ROUTES))


def test_selfcheck_says_that_the_stream_is_what_it_was():
    assert run("selfcheck").returncode == 0


def test_the_service_stops_when_told_to():
    with run_server() as server:
        pass
    assert server.process.returncode == 0


def test_several_processes_stop_when_told_to():
    with run_server("--workers", "2") as server:
        pass
    assert server.process.returncode == 0


def test_a_stream_that_is_open_is_cut_when_the_time_to_stop_is_over():
    path = "/v1/weights?shape=1048576,1048576&seed=1"
    with run_server("--shutdown-timeout", "0") as server, httpx.stream("GET", server.url + path) as response:
        assert response.status_code == 200
        server.process.terminate()
        assert server.process.wait(30) == 0
    assert not [line for line in server.log if "Traceback" in line]


def test_a_port_that_is_taken_is_an_error(service_server):
    result = run("--port", str(service_server.port))
    assert result.returncode != 0
    assert b"address already in use" in result.stderr
