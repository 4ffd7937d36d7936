"""The application under servers other than ours: the same responses, byte for byte."""

import asyncio
import os
import socket
import ssl
import subprocess
import sys

import httpx
import pytest

from service.app import create_app
from service.settings import Settings
from tests.servers import run_server, wait_until

MODEL = {
    "seed": 42,
    "tensors": [
        {"name": "dense/kernel", "shape": [300, 401], "activation": "relu"},
        {"name": "dense/bias", "shape": [401], "constant": 0.5, "dtype": "float16"},
    ],
}
SMALL = "/v1/weights?shape=5,7&seed=1"
LARGE = "/v1/weights?shape=1500,1001&seed=1&dtype=float64"  # some 12 MB
MEDIUM = "/v1/weights?shape=200,300&seed=1"  # 240 kB
SPEC = {"shape": [64, 8, 3, 3], "layout": "torch", "groups": 4, "seed": 3}
RAW = {"Accept": "application/octet-stream"}
NAME = "/v1/names/team/net/1.0"


def get(path, **headers):
    return ("GET", path, headers, None)


# What each request is → method, path, header fields and JSON; {id} and {etag} are the model's and SMALL's.
REQUESTS = {
    "small weights": get(SMALL),
    "small weights without a header": get(SMALL, **RAW),
    "medium weights": get(MEDIUM),
    "large weights": get(LARGE),
    "large weights in bfloat16, in a slice": get(LARGE.replace("float64", "bfloat16") + "&slice=3:1400,::"),
    "a range": get(SMALL, Range="bytes=100-199"),
    "a large range, from the middle of an element on": get(LARGE, Range="bytes=400001-9000002"),
    "a range that cannot be satisfied": get(SMALL, Range="bytes=99999-"),
    "a digest": get(MEDIUM, **{"Want-Repr-Digest": "sha-256=1"}),
    "weights that the client has": get(SMALL, **{"If-None-Match": "{etag}"}),
    "weights that the client does not have": get(SMALL, **{"If-Match": '"other"'}),
    "the head of large weights": ("HEAD", LARGE, {}, None),
    "weights of a spec": ("POST", "/v1/weights", {}, SPEC),
    "weights of a wrong spec": ("POST", "/v1/weights", {}, {**SPEC, "groups": 5}),
    "a body that is too long": ("POST", "/v1/weights", {}, {"name": "a" * 70_000}),
    "a body that is no JSON": ("POST", "/v1/weights", {"Content-Type": "application/json"}, None),
    "a body of another type": ("POST", "/v1/weights", {"Content-Type": "text/plain"}, None),
    "parameters": get("/v1/parameters?shape=784,300&activation=relu"),
    "a wrong query": get("/v1/weights?shape=0,x&sed=1"),
    "a media type that there is not": get(SMALL, Accept="image/png"),
    "an unknown path": get("/nothing/%E2%9A%96"),
    "a method that there is not": ("DELETE", "/v1/weights", {}, None),
    "options": ("OPTIONS", "/v1/weights", {}, None),
    "publish a model": ("POST", "/v1/models", {}, MODEL),
    "a model": get("/v1/models/{id}"),
    "a model's parameters": get("/v1/models/{id}/parameters"),
    "a model's weights": get("/v1/models/{id}/weights"),
    "a model's tensor": get("/v1/models/{id}/weights/dense%2Fkernel"),
    "a tensor whose name is no UTF-8": get("/v1/models/{id}/weights/%ff"),
    "an unknown model": get("/v1/models/" + "0" * 64),
    "publish a name": ("PUT", NAME, {}, {"model": "{id}", "author": "ada"}),
    "a name": get(NAME),
    "names": get("/v1/names?prefix=team/&limit=1"),
    "the OpenAPI document": get("/openapi.json"),
    "the first page": get("/"),
    "the liveness": get("/livez"),
    "the readiness": get("/readyz"),
}
OF_THE_SERVER = {
    "connection",
    "date",
    "server",
    "x-content-type-options",
    "x-request-id",
}  # not of the resource


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The data directory that all servers share."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def expected(folder):
    """The responses of our own server."""
    with (
        run_server(WEIGHTINIT_DATA_DIRECTORY=str(folder)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        model = client.post("/v1/models", json=MODEL).json()["id"]
        assert client.put(NAME, json={"model": model, "author": "ada"}).status_code == 201
        places = {"id": model, "etag": client.get(SMALL).headers["ETag"]}
        return places, {what: describe(client.request(**make_request(what, places))) for what in REQUESTS}


def make_request(what, places):
    """Make the arguments of a request."""
    method, path, fields, value = REQUESTS[what]

    def fill(text):
        return text.replace("{id}", places["id"]).replace("{etag}", places["etag"])

    body = {name: fill(text) if isinstance(text, str) else text for name, text in (value or {}).items()}
    headers = {name: fill(text) for name, text in fields.items()}
    return {"method": method, "url": fill(path), "headers": headers, "json": body if value else None}


def describe(response):
    """Describe what must not depend on the server."""
    fields = [(name, text) for name, text in response.headers.multi_items() if name not in OF_THE_SERVER]
    return response.status_code, sorted(fields), response.content


def start_hypercorn(port, _certificate):
    return ["-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "service.app:create_app()"]


def start_granian(port, _certificate):
    return [
        *("-m", "granian", "--interface", "asgi", "--factory", "--port", str(port)),
        "service.app:create_app",
    ]


def start_uvicorn(port, *options):
    return ["-m", "uvicorn", "--factory", "--port", str(port), *options, "service.app:create_app"]


def start_httptools(port, _certificate):
    return start_uvicorn(port, "--http", "httptools")


def start_h11(port, _certificate):
    return start_uvicorn(port, "--http", "h11", "--loop", "asyncio")


def start_without_lifespan(port, _certificate):
    return start_uvicorn(port, "--lifespan", "off")


def start_with_tls(port, certificate):
    """Our own protocol, which may not write to the socket itself."""
    code = f"""
import uvicorn
from service.server.protocol import make_protocol
from service.settings import Settings

uvicorn.run(
    "service.app:create_app",
    factory=True,
    port={port},
    http=make_protocol(Settings()),
    ssl_certfile={str(certificate / "certificate.pem")!r},
    ssl_keyfile={str(certificate / "key.pem")!r},
)
"""
    return ["-c", code]


SERVERS = [
    start_hypercorn,
    start_granian,
    start_httptools,
    start_h11,
    start_without_lifespan,
    start_with_tls,
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The folder of a certificate for the loopback address, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module", params=SERVERS, ids=lambda start: start.__name__.removeprefix("start_"))
def other(request, folder, certificate):
    """A client of another server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    is_encrypted = request.param is start_with_tls
    verify = ssl.create_default_context(cafile=certificate / "certificate.pem") if is_encrypted else True
    url = f"{'https' if is_encrypted else 'http'}://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, *request.param(port, certificate)],
        env={**os.environ, "WEIGHTINIT_DATA_DIRECTORY": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        with httpx.Client(base_url=url, verify=verify, timeout=60) as client:

            def is_ready():
                assert process.poll() is None, process.stdout.read().decode()
                try:
                    return client.get("/readyz").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(is_ready, 120)
            yield client
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert b"Traceback" not in output, output.decode()


@pytest.mark.parametrize("what", REQUESTS)
def test_another_server_sends_the_same(other, expected, what):
    places, responses = expected
    assert describe(other.request(**make_request(what, places))) == responses[what]


@pytest.fixture(scope="module")
def called(folder, expected):
    """The responses of the application where it is called without a server, as in tests."""

    async def ask_all():
        app = create_app(Settings(data_directory=folder))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=60
        ) as client:
            assert (await client.get("/readyz")).status_code == 503
            await app.state.context.checking
            return {
                what: describe(await client.request(**make_request(what, expected[0]))) for what in REQUESTS
            }

    return asyncio.run(ask_all())


@pytest.mark.parametrize("what", REQUESTS)
def test_the_application_sends_the_same_without_a_server(called, expected, what):
    assert called[what] == expected[1][what]


@pytest.mark.parametrize("path", [SMALL, LARGE])
def test_a_server_that_offers_no_socket_is_sent_bytes(folder, path):
    """What ASGI says of `body`: a server may do with it what only `bytes` can."""
    bodies = []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        bodies.append(message.get("body", b""))

    path, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
    asyncio.run(create_app(Settings(data_directory=folder))(scope, receive, send))
    assert {type(body) for body in bodies} == {bytes}
