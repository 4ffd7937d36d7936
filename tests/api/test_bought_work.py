"""Hostile requests: no request holds the event loop for long, or takes much processor time for its bytes."""

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.api.published import publish
from tests.servers import run_server

LOOP_SECONDS = 0.05  # processor time of the event loop for a request
SECONDS_PER_KIB = 0.2  # processor time of the process for each KiB received, at least one
NOISE = 2
RUNS = 3
LONGEST_PAUSE = 5 * LOOP_SECONDS  # wall time, on a busy machine

KIB = 1024
HEAD = 60_000  # bytes of a long part of a head, below the server's limit
PARTS = 20_000


@dataclass(frozen=True)
class Hostile:
    """A request. `{n}` in its path is the number of the run, and `{stack}` the URL of that model.

    One that is `limited` may take more processor time, because the service processes one such at a time.
    """

    path: str
    fields: tuple[str, ...] = ()
    method: str = "GET"
    body: bytes = b""
    limited: bool = False

    def write(self, run, urls):
        """Write the request."""
        path = self.path
        for name, text in {"n": str(run), **urls}.items():
            path = path.replace("{" + name + "}", text)
        fields = ["Host: localhost", "Connection: close", *self.fields]
        if self.body:
            fields += [f"Content-Length: {len(self.body)}", "Content-Type: application/json"]
        return "\r\n".join([f"{self.method} {path} HTTP/1.1", *fields, "", ""]).encode("latin-1") + self.body


def fill(text, size=HEAD):
    """Repeat text up to a size."""
    return (text * (size // len(text) + 1))[:size]


def dump(**values):
    return json.dumps(values).encode()


def dump_tensors(*tensors, **values):
    return dump(seed=1, tensors=tensors, **values)


def list_tensors(count=PARTS, **fields):
    return [{"name": f"t{number}", "shape": [1, 2], **fields} for number in range(count)]


def stack(*parts, rows=PARTS):
    return {"name": "t", "shape": [rows, 2], "parts": [*parts]}


MODELS = {
    "stack": [stack(*({"shape": [1, 2], "name": f"p{number}"} for number in range(PARTS)))],
    "constants": [stack(*({"shape": [1, 2], "constant": number} for number in range(PARTS)))],
    "empty": [stack(*({"shape": [0, 2], "constant": number} for number in range(PARTS)), rows=0)],
    "long": [{"name": f"{number:03}" + fill("abb", 100), "shape": [1, 2]} for number in range(200)],
    "many": list_tensors(),
    "other": list_tensors(activation="relu"),
    "third": list_tensors(activation="tanh"),
}

LAYER = "/v1/weights?shape=784,300&seed=42"
QUERIES = {
    "pairs": fill("a=&"),
    "many_names": fill("".join(f"a{number}=&" for number in range(9000))),
    "bad_escapes": fill("%&"),
    "separators": fill("&"),
    "shape": "seed=1&shape=" + fill("1,"),
    "integers": "seed=1&shape=" + fill("9" * 4000 + ","),
    "slices": "shape=784,300&seed=42&slice=" + fill(":,"),
    "index": "shape=784,300&seed=42&slice=" + fill("0"),
    "name": "shape=784,300&seed=42&name=" + fill("%20"),
    "activation": "shape=784,300&seed=42&activation=" + fill("leaky"),
    "layout": "shape=784,300&seed=42&layout=" + fill("I"),
    "scheme": "shape=784,300&seed=42&scheme=" + fill("_"),
    "mode": "shape=784,300&seed=42&mode=" + fill("fan_"),
    "secrets": fill("key"),
}
FIELDS = {
    "Accept": ("a/b,", ",", "a/b;q=0.1,", "*/*;q=0,", " "),
    "Range": ("bytes=0-", "0-,", ",", "9"),
    "If-None-Match": ('"",', '"a', 'W/"', ","),
    "If-Match": ('"",', 'W/"'),
    "Want-Repr-Digest": ("sha-256=1,", ",", " ", "a=(", "a;", "a=1;b=2;", "sha-256=( "),
}
BODIES = {
    "nested": fill(b"["),
    "nested_objects": fill(b'{"a":'),
    "fields": dump(**{f"a{number}": 0 for number in range(5000)}),
    "repeated": b"{" + fill(b'"a":0,') + b'"b":0}',
    "repeated_names": b"{" + b",".join(b'"%d":0' % (number // 2) for number in range(6000)) + b"}",
    "integers": dump(shape=[10**3999] * 15, seed=10**3999),
    "digits": b'{"seed":' + fill(b"9") + b"}",
    "fraction": b'{"seed":0.' + fill(b"9") + b"}",
    "list": b'{"shape":[' + fill(b"1,") + b"1]}",
    "objects": b'{"shape":[' + fill(b"{},") + b"1]}",
    "escapes": b'{"name":"' + fill(b"\\u0061") + b'"}',
    "activation": b'{"shape":[1,2],"activation":"' + fill(b"leaky") + b'"}',
}
POSTS = {
    "misspelled": dump_tensors(*list_tensors(16, activation="leakyrelo_" * 4, scheme="henormel")),
    "unknown_fields": dump_tensors(*list_tensors(3000, **{fill("ab", 40) + str(n): 1 for n in range(28)})),
    "texts": dump_tensors(*["a"] * PARTS),
    "too_many": dump_tensors(*[{}] * (PARTS + 1)),
    "equal_names": dump_tensors(*[{"name": "t", "shape": [1, 2]}] * PARTS),
    "last_is_wrong": dump_tensors(*list_tensors(PARTS - 1), {}),
    "last_part_is_wrong": dump_tensors(stack(*[{"shape": [1, 2]}] * (PARTS - 1), {})),
    "parts_are_texts": dump_tensors(stack(*["a"] * PARTS)),
    "defaults": dump_tensors({}, defaults={fill("ab", 40) + str(number): 1 for number in range(1000)}),
    "floats": b'{"seed":[' + fill(b"0.1,", 2 * KIB * KIB) + b"1]}",
    "lists": b'{"seed":[' + fill(b"[],", KIB * KIB) + b"1]}",
    "nested": fill(b"[", KIB * KIB),
    "long_text": b'"' + fill(b"\\u0061", 8 * KIB * KIB - 8) + b'"',
    "integers": b'{"seed":[' + fill(b"9" * 3999 + b",", 4 * KIB * KIB) + b"1]}",
}

HEAVY = {
    "load": Hostile("{model}/parameters", method="HEAD", limited=True),
    "file": Hostile("{model}/weights", method="HEAD", limited=True),
    "slice": Hostile("{stack}/weights/t?slice=1{n}:", method="HEAD", limited=True),
    "slice_of_constants": Hostile("{constants}/weights/t?slice=1{n}:", limited=True),
    "slice_drawn": Hostile("{stack}/weights/t?slice=4{n}:", limited=True),
    "first_byte": Hostile("{stack}/weights/t?slice=2{n}:", ("Range: bytes=-1",), limited=True),
    "not_modified": Hostile("{stack}/weights/t?slice=3{n}:", ("If-None-Match: *",), limited=True),
    **{
        f"publish_{name}": Hostile("/v1/models", method="POST", body=POSTS[name])
        for name in ("last_is_wrong", "last_part_is_wrong", "lists", "texts")
    },
}

SMALL = {
    "suggestion": Hostile("{long}/weights/" + fill("abba", 80) + "{n}"),
    "suggestion_of_many": Hostile("{many}/weights/" + fill("t", 40) + "{n}"),
    "empty_stack": Hostile("{empty}/weights/t?slice={n}:"),
    "small_slice": Hostile("{stack}/weights/t?slice=9{n}:10{n}"),
    "one_row": Hostile("{stack}/weights/t", ("Range: bytes=200-203",)),
    "names": Hostile("/v1/names?limit=1000"),
    "names_tags": Hostile("/v1/names", ("If-None-Match: " + fill('"",'),)),
    "whole_file": Hostile("{many}/weights"),
    "whole_stack": Hostile("{stack}/weights/t"),
    "canonical": Hostile("{many}"),
    "path": Hostile("/" + fill("a")),
    "segments": Hostile("/v1/names/" + fill("a/")),
    "segments_options": Hostile("/v1/names/" + fill("a/"), method="OPTIONS"),
    "escaped_path": Hostile("{many}/weights/" + fill("%61")),
    "redirect": Hostile("/v1/names/a/b/c/weights/" + fill("%E2%82%AC", 54_000)),
    "project": Hostile("/simple/" + fill("-_.")),
    "file_name": Hostile("/packages/" + fill("0") + "/a"),
    "asset": Hostile("/docs/" + fill("../")),
    "repeated_fields": Hostile(LAYER, ("a:",) * 15_000),
    "many_fields": Hostile(LAYER, tuple(f"a{number}: b" for number in range(6000))),
    "accept_lines": Hostile(LAYER, ("Accept: a/b",) * 4000),
    "tag_lines": Hostile(LAYER, ('If-None-Match: "a"',) * 3000),
    "content_type": Hostile(
        "/v1/weights", ("Content-Type: application/json;" + fill(' "'),), "POST", body=b"{}"
    ),
    **{f"query_{name}": Hostile(f"/v1/weights?{query}") for name, query in QUERIES.items()},
    **{
        f"pairs_{path}": Hostile(f"{path}?{QUERIES['pairs']}")
        for path in (
            *("/", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/simple/"),
            *(
                "/v1/parameters",
                "/v1/activations",
                "/v1/schemes",
                "/v1/recipes",
                "/v1/names",
                "/v1/names/a/b/c",
            ),
            *(
                "/v1/names/a/b/c/weights",
                "{many}",
                "{many}/parameters",
                "{many}/weights",
                "{many}/weights/t1",
            ),
        )
    },
    "delete": Hostile(f"/v1/names/a/b/c?{QUERIES['pairs']}", method="DELETE"),
    **{
        f"{name}_{number}": Hostile(LAYER, (f"{name}: {fill(text)}",))
        for name, texts in FIELDS.items()
        for number, text in enumerate(texts)
    },
    **{
        f"{path}_{name}": Hostile(path, method=method, body=body)
        for path, method in (("/v1/weights", "POST"), ("/v1/names/a/b/c", "PUT"))
        for name, body in BODIES.items()
    },
    **{f"models_{name}": Hostile("/v1/models", method="POST", body=body) for name, body in POSTS.items()},
}


@dataclass(frozen=True)
class Target:
    """A server, and the URLs of the models that it has."""

    port: int
    process: int
    urls: dict[str, str]

    def write(self, hostile, run):
        """Write a request. `{model}` is another model at each run, so it is loaded each time."""
        model = ("many", "other", "third")[run % 3]
        return hostile.write(run, {**self.urls, "model": self.urls[model]})

    def read_times(self):
        """Return the processor time of the event loop's thread and of all threads, in seconds."""
        times = {}
        for task in Path(f"/proc/{self.process}/task").iterdir():
            with contextlib.suppress(OSError):  # the thread ended
                times[task.name] = int((task / "schedstat").read_text("ascii").split()[0]) / 1e9
        return times[str(self.process)], sum(times.values())

    def settle(self):
        """Wait until the server is idle, and return its times."""
        before, times = None, self.read_times()
        while before is None or times[1] - before[1] > 0.001:
            time.sleep(0.01)
            before, times = times, self.read_times()
        return times

    def send(self, data):
        """Send a request, and read its response as far as 4 MiB."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(data)
            received = 0
            with contextlib.suppress(ConnectionResetError):
                while received < 4 * KIB * KIB and (part := connection.recv(64 * KIB)):
                    assert received or part.startswith(b"HTTP/1.1 "), part
                    received += len(part)

    def measure(self, data):
        """Return the processor time that a request takes: of the event loop, and of all threads."""
        before = self.settle()
        self.send(data)
        after = self.settle()
        return after[0] - before[0], after[1] - before[1]

    def measure_pause(self, data):
        """Return the longest time that another request waits while this one is processed."""
        longest, done = 0.0, threading.Event()

        def probe():
            nonlocal longest
            with httpx.Client(base_url=f"http://127.0.0.1:{self.port}") as client:
                while not done.is_set():
                    start = time.monotonic()
                    client.get("/livez")
                    longest = max(longest, time.monotonic() - start)

        thread = threading.Thread(target=probe)
        thread.start()
        self.send(data)
        done.set()
        thread.join()
        return longest


@pytest.fixture(scope="module")
def target():
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("the kernel does not count the processor time of threads")
    # The log in JSON has the query, without its secrets.
    with run_server("--log-format", "json", "--access-log", "true") as server:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            urls = {
                name: publish(client, {"seed": 1, "tensors": tensors}) for name, tensors in MODELS.items()
            }
            client.get(f"{urls['stack']}/weights/t").raise_for_status()
            model = urls["long"].rpartition("/")[2]
            for number in range(300):
                entry = {"model": model, "author": "ada", "note": fill("x", 2000)}
                client.put(f"/v1/names/a/b{number}/1", json=entry).raise_for_status()
        yield Target(server.port, server.process.pid, urls)


@pytest.mark.parametrize("name", SMALL)
def test_a_request_takes_no_more_processor_time_than_its_bytes_allow(target, name):
    requests = [target.write(SMALL[name], run) for run in range(RUNS)]
    on_loop, on_all = map(min, zip(*map(target.measure, requests), strict=True))
    assert on_loop < NOISE * LOOP_SECONDS
    assert on_all < NOISE * SECONDS_PER_KIB * max(len(requests[0]) / KIB, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_request_leaves_the_event_loop_to_others(target, name):
    requests = [target.write(HEAVY[name], run) for run in range(2 * RUNS)]
    on_loop, on_all = map(min, zip(*map(target.measure, requests[:RUNS]), strict=True))
    assert on_loop < NOISE * LOOP_SECONDS
    assert HEAVY[name].limited or on_all < NOISE * SECONDS_PER_KIB * len(requests[0]) / KIB
    assert min(map(target.measure_pause, requests[RUNS:])) < LONGEST_PAUSE
