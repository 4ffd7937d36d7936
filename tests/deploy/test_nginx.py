"""nginx with deploy/nginx/weightinit.conf, in front of a service."""

import asyncio
import hashlib
import json
import re
import time
from base64 import b64encode

import httpx
import pytest
from weightinit import AsyncClient, Client

from tests.api.tokens import bear, create_token, publish_model, publish_name
from tests.deploy.proxies import run_nginx
from tests.servers import run_server, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("trust")]

SLICE = 4 * 1024 * 1024  # as in the file
LENGTH = 4 * 2000 * 1501 + 128  # two slices and a part of a third
WEIGHTS = "/v1/weights?shape=2000,1501&name=w&seed={}"
MEGABYTE = 1_000_000
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(data):
    """A service with the settings that the file names."""
    arguments = ("--access-log", "true", "--log-format", "json")
    access = {"WEIGHTINIT_WRITE_ACCESS": "token", "WEIGHTINIT_TRUSTED_PROXIES": "127.0.0.1"}
    with run_server(*arguments, WEIGHTINIT_DATA_DIRECTORY=str(data), **access) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server):
    with run_nginx(server.port) as proxy:
        yield proxy


@pytest.fixture
def http(proxy):
    with proxy.connect() as client:
        yield client


def count_weights(server):
    """Return how many requests for weights have reached the service."""

    def read():
        text = httpx.get(f"{server.url}/metrics").text
        found = re.findall(r'(?m)^weightinit_requests_total{[^}]*route="/v1/weights"[^}]*} (\S+)$', text)
        return sum(map(float, found))

    # A request is counted when it ends, shortly after its client has the last byte.
    counts = [-1.0, read()]
    while counts[-1] != counts[-2]:
        time.sleep(0.2)
        counts.append(read())
    return counts[-1]


def read_log(server, *, path):
    """Return the access lines of a path, once there are any."""

    def list_lines():
        lines = [json.loads(line) for line in list(server.log) if line.startswith("{")]
        return [line for line in lines if line.get("path") == path]

    wait_until(list_lines)
    return list_lines()


def digest(response):
    assert response.is_success, response.text
    return hashlib.sha256(response.content).hexdigest()


def test_the_bytes_are_those_of_the_service(http, server):
    url = WEIGHTS.format(1)
    assert digest(http.get(url)) == digest(httpx.get(server.url + url))


def test_the_clients_bytes_are_those_of_the_service(proxy, server):
    spec = {"shape": (2000, 1501), "seed": 2, "name": "w"}
    with Client(proxy.url) as behind, Client(server.url) as direct:
        assert behind.raw(**spec) == direct.raw(**spec)


def test_what_is_cached_does_not_reach_the_service(http, server):
    url = WEIGHTS.format(3)
    before = count_weights(server)
    first = http.get(url)
    assert count_weights(server) - before == -(-LENGTH // SLICE)
    assert digest(http.get(url)) == digest(first)
    assert http.head(url).headers["content-length"] == str(LENGTH)
    part = http.get(url, headers={"Range": f"bytes={SLICE - 5}-{SLICE + 4}"})
    assert part.content == first.content[SLICE - 5 : SLICE + 5]
    assert count_weights(server) - before == -(-LENGTH // SLICE)


def test_a_range_draws_only_the_slices_that_it_touches(http, server):
    url = WEIGHTS.format(4)
    before = count_weights(server)
    response = http.get(url, headers={"Range": f"bytes={SLICE}-{SLICE + 99}"})
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {SLICE}-{SLICE + 99}/{LENGTH}"
    assert count_weights(server) - before == 1
    assert response.content == httpx.get(server.url + url).content[SLICE : SLICE + 100]


def test_a_suffix_range_is_the_end(http, server):
    url = WEIGHTS.format(4)
    assert http.get(url, headers={"Range": "bytes=-7"}).content == httpx.get(server.url + url).content[-7:]


def test_a_range_beyond_the_end_gets_416(http):
    assert http.get(WEIGHTS.format(4), headers={"Range": "bytes=99999999-"}).status_code == 416


def test_a_head_has_the_headers_of_the_service(http, server):
    url = WEIGHTS.format(5)
    behind, direct = http.head(url).headers, httpx.head(server.url + url).headers
    names = [name for name in direct if name.startswith("weightinit-")]
    assert len(names) > 5
    for name in (*names, "etag", "content-length", "content-type", "cache-control", "vary", "link"):
        assert behind[name] == direct[name], name


def test_a_known_tag_gets_304(http):
    url = WEIGHTS.format(6)
    tag = http.head(url).headers["etag"]
    response = http.get(url, headers={"If-None-Match": tag})
    assert (response.status_code, response.content) == (304, b"")
    assert http.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_tag_that_must_match_and_does_not_gets_412(http):
    url = WEIGHTS.format(6)
    assert http.get(url, headers={"If-Match": '"other"'}).status_code == 412
    assert http.get(url, headers={"If-Match": http.head(url).headers["etag"]}).status_code == 200


def test_an_if_range_of_another_tag_gets_the_whole(http):
    url = WEIGHTS.format(6)
    headers = {"Range": "bytes=0-9", "If-Range": '"other"'}
    assert len(http.get(url, headers=headers).content) == LENGTH


def test_both_media_types_are_cached(http, server):
    url = WEIGHTS.format(7)
    for kind in ("application/x-npy", "application/octet-stream"):
        headers = {"Accept": kind}
        first, second = http.get(url, headers=headers), http.get(url, headers=headers)
        assert first.headers["content-type"] == second.headers["content-type"] == kind
        assert digest(first) == digest(second) == digest(httpx.get(server.url + url, headers=headers))


def test_a_digest_comes_from_the_service_although_the_body_is_cached(http):
    url = WEIGHTS.format(8)
    body = http.get(url)
    response = http.get(url, headers={"Want-Repr-Digest": "sha-256=10"})
    assert digest(response) == digest(body)
    wanted = b64encode(hashlib.sha256(body.content).digest()).decode()
    assert response.headers["repr-digest"] == f"sha-256=:{wanted}:"
    assert "repr-digest" not in http.get(url).headers


def test_a_post_gets_the_bytes_of_the_get(http):
    spec = {"shape": [2000, 1501], "name": "w", "seed": "9"}
    assert digest(http.post("/v1/weights", json=spec)) == digest(http.get(WEIGHTS.format(9)))


def test_a_published_model_is_cached(http, server, data):
    token = create_token(data, "publish")
    identity = publish_model(http, token, seed=10).json()["id"]
    url = f"/v1/models/{identity}/weights"
    first, second = http.get(url), http.get(url)
    assert digest(first) == digest(second) == digest(httpx.get(server.url + url))
    # A cached response has the id of the request that filled the cache.
    assert first.headers["x-request-id"] == second.headers["x-request-id"]


def test_a_model_of_megabytes_is_published_and_read(http, data):
    token = create_token(data, "publish")
    tensors = [{"name": f"{'layer' * 40}{number}", "shape": [3, 3]} for number in range(15_000)]
    response = http.post("/v1/models", json={"seed": 1, "tensors": tensors}, headers=bear(token))
    assert response.status_code == 201, response.text
    assert int(response.request.headers["content-length"]) > 3 * MEGABYTE
    model = http.get(f"/v1/models/{response.json()['id']}")
    assert hashlib.sha256(model.content).hexdigest() == response.json()["id"]


def test_the_service_itself_refuses_what_is_too_large(http, data):
    token = create_token(data, "publish")
    response = http.post("/v1/models", content=b" " * 9 * MEGABYTE, headers={**JSON, **bear(token)})
    assert response.status_code == 413
    assert response.json()["detail"] == "The body must be at most 8388608 bytes."


def test_a_401_is_that_of_the_service(http, server):
    with httpx.Client(base_url=server.url) as direct:
        expected, received = publish_model(direct), publish_model(http)
    assert received.status_code == 401
    assert received.json() == expected.json()
    for name in ("www-authenticate", "content-type"):
        assert received.headers[name] == expected.headers[name]


def test_a_403_is_that_of_the_service(http, data):
    token = create_token(data, "read")
    response = publish_model(http, token)
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert "has no scope publish" in response.json()["detail"]
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


def test_a_name_is_published_with_a_token(http, data):
    token = create_token(data, "publish")
    identity = publish_model(http, token).json()["id"]
    assert publish_name(http, "vision/mlp/1", identity, token).status_code == 201
    assert http.get("/v1/names/vision/mlp/1").json()["model"] == identity


def test_a_redirect_leads_through_the_proxy(proxy, http, data):
    token = create_token(data, "publish")
    identity = publish_model(http, token).json()["id"]
    publish_name(http, "vision/mlp/2", identity, token)
    response = http.get("/v1/names/vision/mlp/2/weights", follow_redirects=True)
    assert response.is_success
    assert str(response.url) == f"{proxy.url}/v1/models/{identity}/weights"


def test_nothing_is_cached_if_reading_needs_a_token(data):
    token = create_token(data, "read")
    access = {"WEIGHTINIT_READ_ACCESS": "token", "WEIGHTINIT_DATA_DIRECTORY": str(data)}
    with run_server(**access) as server, run_nginx(server.port) as proxy, proxy.connect() as http:
        assert http.get(WEIGHTS.format(1), headers=bear(token)).status_code == 200
        before = count_weights(server)
        response = http.get(WEIGHTS.format(1))
        assert (response.status_code, response.json()["status"]) == (401, 401)
        assert http.get(WEIGHTS.format(1), headers=bear(token)).status_code == 200
        assert count_weights(server) > before
        cache = proxy.folder / "weightinit"
        assert cache.is_dir()
        assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_the_log_has_the_address_of_the_client_whatever_it_claims(proxy, server):
    with proxy.connect("127.0.0.2", headers={"X-Forwarded-For": "192.0.2.1"}) as http:
        http.get("/v1/schemes")
    assert {line["client"] for line in read_log(server, path="/v1/schemes")} == {"127.0.0.2"}


@pytest.fixture
def narrow():
    """A proxy in front of a service from which each address may receive one large body."""
    access = {"WEIGHTINIT_MAX_STREAMS": "4", "WEIGHTINIT_TRUSTED_PROXIES": "127.0.0.1"}
    with run_server(**access) as server, run_nginx(server.port) as proxy:
        yield proxy


def test_each_address_has_its_own_share(narrow):
    # Few bytes fit between the service and a client that does not read, so the body stays open.
    spec = {"shape": [16384, 4096], "name": "w", "seed": "1"}
    with (
        narrow.connect("127.0.0.3") as one,
        narrow.connect("127.0.0.4") as other,
        one.stream("POST", "/v1/weights", json=spec),
    ):
        refused = one.post("/v1/weights", json=spec)
        assert refused.status_code == 429
        assert refused.json()["detail"].startswith("Your address")
        assert "retry-after" in refused.headers
        with other.stream("POST", "/v1/weights", json=spec) as response:
            assert response.status_code == 200


def test_the_metrics_are_not_for_clients(http):
    assert http.get("/metrics").status_code == 404


def test_too_many_requests_get_a_problem_and_the_client_tries_again(server):
    async def send(url):
        async with AsyncClient(url) as client:
            return await asyncio.gather(*(client.parameters((3, n)) for n in range(1, 301)))

    with run_nginx(server.port) as proxy:
        assert [parameters.fan_in for parameters in asyncio.run(send(proxy.url))] == [3] * 300
        log = (proxy.folder / "access.log").read_text()
        assert log.count('" 429 ') > 0
        with proxy.connect() as http:
            answers = [http.get("/v1/schemes") for _ in range(600)]
        (refused, *_) = [response for response in answers if response.status_code != 200]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["status"] == 429
