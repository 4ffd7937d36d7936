"""The processes of the service, under signals, kills and hangs."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from service.store.sqlite import FILE
from tests.servers import Server, run_server, wait_until

BOUND = 10.0  # seconds; what takes this long on a busy machine takes one or two on an idle one
LARGE = "/v1/weights?shape=1048576,1048576&seed=1"
DIGEST = "/v1/weights?shape=16384,16384&seed={}"  # 1 GiB


def list_workers(server):
    """List the process ids of the workers, of which the resource tracker of multiprocessing is none."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [int(child) for child in children if is_worker(int(child))]


def is_worker(pid):
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def is_gone(pid):
    """Tell whether a process has ended, perhaps with nobody to wait for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def have_log(server, text):
    return any(text in line for line in server.log)


def stop(server, number=signal.SIGTERM):
    """Send a signal and return the seconds until the service has ended."""
    start = time.monotonic()
    server.process.send_signal(number)
    assert server.process.wait(60) == 0
    return time.monotonic() - start


# --- replacement -----------------------------------------------------------------------------------


def test_a_worker_that_is_killed_is_replaced_at_once():
    with run_server("--workers", "2") as server:
        first, second = list_workers(server)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len({*list_workers(server)} - {first}) == 2, BOUND)
        assert second in list_workers(server)
        assert httpx.get(f"{server.url}/livez").status_code == 200


def test_a_worker_that_hangs_is_replaced():
    with run_server("--workers", "2") as server:
        first, second = list_workers(server)
        os.kill(first, signal.SIGSTOP)
        wait_until(lambda: len({*list_workers(server)} - {first}) == 2, 60)
        assert second in list_workers(server)
        assert have_log(server, f"Worker [{first}] hangs: killed")


BLOCKING = """
import time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        time.sleep(600)
"""
RUN = """
import sys
from uvicorn.config import Config
from service.server.supervisor import run

sys.exit(run(Config(sys.argv[1], port=0, workers=2, timeout_graceful_shutdown=1), 0))
"""


@pytest.mark.slow
def test_a_worker_whose_event_loop_hangs_is_replaced(tmp_path):
    tmp_path.joinpath("blocking.py").write_text(BLOCKING, "ascii")
    path = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "blocking:app"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        server = Server(process)
        threading.Thread(target=server.read_log, daemon=True).start()
        assert server.listening.wait(60)
        wait_until(lambda: sum("startup complete" in line for line in server.log) == 2)
        with requested(server, make_get("/")):
            wait_until(lambda: have_log(server, "hangs: killed"), 60)
        wait_until(lambda: sum("startup complete" in line for line in server.log) == 3)
        assert stop(server) < BOUND


@pytest.mark.slow
def test_processes_that_are_paused_together_do_not_hang():
    with run_server("--workers", "2") as server:
        workers = list_workers(server)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in (server.process.pid, *workers):
                os.kill(pid, number)
            time.sleep(12 if number == signal.SIGSTOP else 3)
        assert list_workers(server) == workers
        assert httpx.get(f"{server.url}/livez").status_code == 200


def test_workers_that_end_early_again_and_again_are_replaced_later_and_later():
    with run_server("--workers", "2") as server:
        killed = set()
        for delay in ("0.5", "1.0", "2.0"):
            wait_until(lambda: {*list_workers(server)} - killed - {keep_second(server)}, BOUND)
            (pid,) = {*list_workers(server)} - killed - {keep_second(server)}
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
            line = f"Worker [{pid}] ended with exit code -9; replaced in {delay} s"
            wait_until(lambda line=line: have_log(server, line), BOUND)


def keep_second(server):
    """Return the worker with the least process id, which is the one that is never killed."""
    return min(list_workers(server))


def test_a_failed_startup_stops_the_service():
    result = subprocess.run(
        [sys.executable, "-c", RUN, "no_such_module:app"], capture_output=True, timeout=60, check=False
    )
    assert result.returncode == 3
    assert b"failed to start: the service stops" in result.stderr


def test_workers_end_when_their_parent_is_killed(tmp_path):
    with run_server("--workers", "2", TMPDIR=str(tmp_path)) as server:
        workers = list_workers(server)
        assert list(tmp_path.glob("weightinit-*/*.db"))
        server.process.kill()
        wait_until(lambda: all(is_gone(pid) for pid in workers), BOUND)
        wait_until(lambda: not list(tmp_path.glob("weightinit-*")), BOUND)


# --- signals ---------------------------------------------------------------------------------------


def test_one_process_ignores_a_hangup():
    with run_server() as server:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: have_log(server, "Received SIGHUP: ignored"), BOUND)
        assert httpx.get(f"{server.url}/livez").status_code == 200


def test_several_workers_are_restarted_by_a_hangup_while_they_serve():
    with run_server("--workers", "2") as server:
        before = {*list_workers(server)}
        server.process.send_signal(signal.SIGHUP)
        statuses = set()

        def are_new():
            statuses.add(httpx.get(f"{server.url}/livez").status_code)
            return len(list_workers(server)) == 2 and not before & {*list_workers(server)}

        wait_until(are_new, 60)
        assert statuses == {200}


def test_two_signals_add_and_remove_a_worker():
    with run_server("--workers", "2") as server:
        server.process.send_signal(signal.SIGTTIN)
        wait_until(lambda: len(list_workers(server)) == 3, BOUND)
        for left in (2, 1):
            server.process.send_signal(signal.SIGTTOU)
            wait_until(lambda left=left: len(list_workers(server)) == left, 2 * BOUND)
        server.process.send_signal(signal.SIGTTOU)
        wait_until(lambda: sum("SIGTTOU: 1 workers" in line for line in server.log) == 2, BOUND)
        assert len(list_workers(server)) == 1
        assert httpx.get(f"{server.url}/livez").status_code == 200


# --- the end in time -------------------------------------------------------------------------------


@contextmanager
def requested(server, *messages):
    """Send raw requests, and read no response."""
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in messages]
    try:
        for connection, message in zip(connections, messages, strict=True):
            connection.sendall(message)
        time.sleep(0.5)  # they are being served
        yield
    finally:
        for connection in connections:
            connection.close()


def make_get(path, **fields):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"GET {path} HTTP/1.1\r\nHost: test\r\n{lines}\r\n".encode()


def make_put(seed, count=20_000, padding=400):
    tensors = [{"name": f"{n}" + "x" * (padding - 80), "shape": [3], "constant": 0} for n in range(count)]
    body = json.dumps({"seed": seed, "tensors": tensors}).encode()
    assert len(body) <= 8 * 2**20
    fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST /v1/models HTTP/1.1\r\n{fields}\r\n".encode() + body


def have_stalled_readers(server, _folder):
    return requested(server, *[make_get(LARGE)] * 4)


def compute_digests(server, _folder):
    return requested(server, *[make_get(DIGEST.format(n), Want_Repr_Digest="sha-256=1") for n in range(4)])


def publish(server, _folder):
    return requested(server, *[make_put(seed) for seed in range(8)])


@contextmanager
def wait_for_a_lock(server, folder):
    """Publish while another process holds the lock of the database."""
    httpx.post(f"{server.url}/v1/models", json={"seed": 1, "tensors": [{"name": "a", "shape": [3, 3]}]})
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with requested(server, *[make_put(seed, 1) for seed in range(4)]):
            yield


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "at_work", [have_stalled_readers, compute_digests, publish, wait_for_a_lock], ids=lambda f: f.__name__
)
def test_the_service_ends_in_time_whatever_it_does(at_work, workers, tmp_path):
    arguments = ("--shutdown-timeout", "1", "--workers", str(workers))
    with (
        run_server(*arguments, WEIGHTINIT_DATA_DIRECTORY=str(tmp_path)) as server,
        at_work(server, tmp_path),
    ):
        assert stop(server) < BOUND


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_ends_the_service_like_a_termination(workers):
    with run_server("--workers", str(workers)) as server:
        assert stop(server, signal.SIGINT) < BOUND


def test_a_second_interrupt_cuts_off_the_responses():
    with (
        run_server("--shutdown-timeout", "60", "--drain-delay", "60") as server,
        requested(server, make_get(LARGE)),
    ):
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, BOUND)
        assert stop(server, signal.SIGINT) < BOUND


def test_a_hung_worker_does_not_keep_the_service_from_ending():
    with run_server("--shutdown-timeout", "1", "--workers", "2") as server:
        os.kill(list_workers(server)[0], signal.SIGSTOP)
        assert stop(server) < BOUND


# --- the drain -------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_that_drains_is_not_ready_but_serves(workers):
    with run_server("--drain-delay", "4", "--workers", str(workers)) as server:
        start = time.monotonic()
        server.process.terminate()
        wait_until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, 3)
        problem = httpx.get(f"{server.url}/readyz").json()
        assert problem["detail"] == "The service is about to stop."
        assert httpx.get(f"{server.url}/livez").status_code == 200
        assert httpx.get(f"{server.url}/v1/weights?shape=3,3&seed=1").status_code == 200
        assert server.process.wait(60) == 0
        assert time.monotonic() - start >= 4


# --- metrics ---------------------------------------------------------------------------------------


def test_a_killed_worker_leaves_the_open_streams_and_keeps_its_counters():
    with run_server("--workers", "2") as server:
        for _ in range(20):
            httpx.get(f"{server.url}/v1/parameters?shape=3,3")
        threads = [threading.Thread(target=hold_stream, args=(server,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: server.read_metric("weightinit_open_streams") == 8, BOUND)
        counted = server.read_metric("weightinit_requests_total")
        workers = list_workers(server)
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        for thread in threads:
            thread.join(BOUND)
        wait_until(server.is_ready, 60)
        wait_until(lambda: len({*list_workers(server)} - {*workers}) == 2, BOUND)
        assert server.read_metric("weightinit_open_streams") == 0
        assert server.read_metric("weightinit_requests_total") >= counted >= 20


def hold_stream(server):
    """Hold a stream open until the server cuts it off."""
    with suppress(httpx.TransportError), httpx.stream("GET", server.url + LARGE, timeout=60) as response:
        for _ in response.iter_raw():
            time.sleep(0.1)
