import hashlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service.api.content.representation import CHUNK
from tests.api.drawing import draw
from tests.servers import run_server, wait_until

HUGE = "/v1/weights?shape=1048576,262144&layout=torch"  # a tebibyte
LARGE = {"shape": [2048, 2048], "layout": "torch", "distribution": "normal"}


def open_stream(server, path):
    """Ask for a body, take its first byte, and leave the rest."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    assert connection.recv(1) == b"H"
    return connection


def count_drawn(server):
    return server.read_metric("weightinit_drawn_bytes_total")


def count_streams(server):
    return server.read_metric("weightinit_open_streams")


def test_concurrent_streams_are_each_the_tensor_of_its_seed(service_url):
    def fetch(seed):
        return httpx.post(f"{service_url}/v1/weights", json={**LARGE, "seed": seed}, timeout=120).content

    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(fetch, [*range(4), *range(4)]))
    assert bodies[:4] == bodies[4:]
    assert [hashlib.sha256(body[128:]).digest() for body in bodies[:4]] == [
        hashlib.sha256(draw(**LARGE, seed=seed)).digest() for seed in range(4)
    ]


def test_one_thread_draws_and_writes_for_all():
    with run_server("--threads", "1") as server, ThreadPoolExecutor(3) as pool:
        bodies = pool.map(
            lambda seed: httpx.post(f"{server.url}/v1/weights", json={**LARGE, "seed": seed}).content,
            range(3),
        )
        for seed, body in enumerate(bodies):
            assert body[128:] == draw(**LARGE, seed=seed).tobytes()


def test_a_kept_connection_carries_one_large_body_after_the_other(service_url):
    """A client has the last byte, and may ask again, before the server has noted that it is sent."""
    with httpx.Client(timeout=120) as client:
        for _ in range(100):
            large = client.get(f"{service_url}/v1/weights?shape=784,300&seed=1")
            assert len(large.content) == 128 + 4 * 784 * 300
            assert client.get(f"{service_url}/v1/weights?shape=3,3&seed=1").status_code == 200


def test_the_first_bytes_of_a_tebibyte_come_before_the_rest_is_drawn(service_server):
    before = count_drawn(service_server)
    with open_stream(service_server, f"{HUGE}&seed=1"):
        wait_until(lambda: count_drawn(service_server) > before)
        assert count_drawn(service_server) - before < 64 * 2**20


def test_a_stalled_reader_stops_the_drawing(service_server):
    with open_stream(service_server, f"{HUGE}&seed=2"):
        drawn = -1.0

        def has_stopped():
            nonlocal drawn
            before, drawn = drawn, count_drawn(service_server)
            return before == drawn

        wait_until(has_stopped)


def test_a_reader_that_leaves_stops_the_drawing(service_server):
    wait_until(lambda: count_streams(service_server) == 0)
    stream = open_stream(service_server, f"{HUGE}&seed=3")
    assert count_streams(service_server) == 1
    stream.close()
    wait_until(lambda: count_streams(service_server) == 0)
    drawn = count_drawn(service_server)
    for _ in range(20):
        assert httpx.get(f"{service_server.url}/livez").status_code == 200
    assert count_drawn(service_server) == drawn


def test_a_reader_that_leaves_with_more_requests_under_way_stops_the_drawing(service_server):
    wait_until(lambda: count_streams(service_server) == 0)
    with open_stream(service_server, f"{HUGE}&seed=3") as stream:
        stream.sendall(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n" * 2)
        assert count_streams(service_server) == 1
    wait_until(lambda: count_streams(service_server) == 0)


def test_a_reader_may_leave_at_any_moment(service_server):
    for number in range(100):
        with open_stream(service_server, f"/v1/weights?shape=3000,3000&seed={number}"):
            time.sleep(number % 20 * 0.0002)
    wait_until(lambda: count_streams(service_server) == 0)
    assert not [line for line in service_server.log if "Traceback" in line]


def test_a_reader_that_leaves_while_its_digest_is_computed_stops_that(service_server):
    head = "GET /v1/weights?shape=16384,16383&seed=9 HTTP/1.1\r\nHost: test\r\n"
    with socket.create_connection(("127.0.0.1", service_server.port)) as connection:
        connection.sendall(f"{head}Want-Repr-Digest: sha-256=1\r\n\r\n".encode())
    answer = httpx.head(f"{service_server.url}{HUGE}&seed=1")
    assert answer.status_code == 200
    assert not [line for line in service_server.log if "Traceback" in line]


def test_stalled_readers_cost_a_chunk_each_and_no_thread(service_server):
    wait_until(lambda: count_streams(service_server) == 0)
    httpx.get(f"{service_server.url}/v1/weights?shape=1024,1024&seed=1")
    threads = count_threads(service_server)
    before = service_server.measure_memory()
    streams = [open_stream(service_server, f"{HUGE}&seed={seed}") for seed in range(40)]
    try:
        wait_until(lambda: count_streams(service_server) == 40)
        assert service_server.measure_memory() - before < 40 * CHUNK + 16 * 2**20
        assert count_threads(service_server) <= threads + 2
        small = httpx.get(f"{service_server.url}/v1/weights?shape=3,3&seed=1", timeout=10)
        assert small.status_code == 200
    finally:
        for stream in streams:
            stream.close()
    wait_until(lambda: count_streams(service_server) == 0)


def count_threads(server):
    return len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/v1/parameters?shape=3,3", "/v1/weights?shape=3,3&seed=1"]
)
def test_small_requests_are_answered_beside_streams_at_full_speed(service_server, path):
    def read_some(seed):
        with httpx.stream("GET", f"{service_server.url}{HUGE}&seed={seed}", timeout=60) as response:
            for count, _ in enumerate(response.iter_raw(2**20)):
                if count == 60:
                    return

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read_some, seed) for seed in range(4)]
        answers = [httpx.get(f"{service_server.url}{path}", timeout=10) for _ in range(20)]
        for reader in readers:
            reader.result()
    assert {answer.status_code for answer in answers} == {200}


def test_nothing_of_all_this_is_in_the_log(service_server):
    assert not [line for line in service_server.log if "Traceback" in line or "ERROR" in line]
