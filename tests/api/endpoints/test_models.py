import hashlib
import json

import pytest

from tests.api.published import MODEL, PACKED, TABLE, publish


@pytest.fixture(scope="module")
def url(client):
    return publish(client)


def test_a_model_is_created_once_and_is_there_from_then_on(client):
    model = {**MODEL, "seed": 7}
    first, second = (client.post("/v1/models", json=model) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.headers["Location"] == second.headers["Location"] == f"/v1/models/{first.json()['id']}"


def test_what_is_published_is_counted(client):
    elements = 8 * 27 + 8 + 5 + 700 + 48 * 16 + 300 * 401
    body = client.post("/v1/models", json=MODEL).json()
    assert body["tensors"] == 6
    assert body["elements"] == elements
    assert body["bytes"] == 4 * elements - 2 * 5 + 4 * 48 * 16


def test_the_sha_256_of_what_is_shown_is_the_id(client, url):
    response = client.get(url)
    assert hashlib.sha256(response.content).hexdigest() == url.rpartition("/")[2]
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_what_is_shown_can_be_published_again(client, url):
    response = client.post(
        "/v1/models", content=client.get(url).content, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.headers["Location"]) == (200, url)


def test_a_client_that_has_the_model_is_told_so(client, url):
    etag = client.get(url).headers["ETag"]
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("path", ["", "/parameters", "/weights", "/weights/conv.weight"])
def test_head_answers_what_get_does_without_the_body(client, url, path):
    head, get = client.head(url + path), client.get(url + path)
    assert head.content == b""
    assert head.status_code == 200
    assert int(head.headers["Content-Length"]) == len(get.content)


@pytest.mark.parametrize("path", ["", "/parameters", "/weights", "/weights/conv.weight"])
@pytest.mark.parametrize("identity", ["0" * 64, "A" * 64, "abc", "0" * 63 + "é"])
def test_an_id_that_nothing_has_is_404(client, identity, path):
    response = client.get(f"/v1/models/{identity}{path}")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == "No model with this id is published on this service."


@pytest.mark.parametrize("path", ["", "/parameters", "/weights", "/weights/conv.weight"])
def test_a_parameter_that_a_path_does_not_know_is_refused(client, url, path):
    response = client.get(url + path, params={"dtype": "float16"})
    assert response.status_code == 422
    assert "float16" in response.json()["errors"][0]["received"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/models", {"POST"}),
        ("DELETE", "/v1/models/" + "0" * 64, {"GET", "HEAD"}),
        ("POST", "/v1/models/" + "0" * 64 + "/weights", {"GET", "HEAD"}),
    ],
)
def test_another_method_is_405_with_those_there_are(client, method, path, allowed):
    response = client.request(method, path)
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == allowed | {"OPTIONS"}


def test_what_is_decided_is_said_for_every_part(client, url):
    body = client.get(f"{url}/parameters").json()
    tensors = {tensor["name"]: tensor for tensor in body["tensors"]}
    assert (body["model"], body["seed"], body["stream"]) == (url.rpartition("/")[2], "42", 1)
    (convolution,) = tensors["conv.weight"]["parts"]
    assert convolution["parameters"]["formula"] == "σ² = 2 / fan_in = 2 / 27"
    (bias,) = tensors["conv.bias"]["parts"]
    assert (bias["constant"], bias["parameters"]) == (0.0, None)
    zero, rows, last = tensors[TABLE["name"]]["parts"]
    assert (zero["constant"], zero["shape"]) == (0.0, [1, 7])
    assert (rows["slice"], rows["shape"], rows["parameters"]["variance"]) == ("1:99", [98, 7], 1.0)
    assert last["name"] == "table.last"
    assert [part["name"][-1] for part in tensors[PACKED["name"]]["parts"]] == ["q", "k", "v"]


def test_what_is_decided_is_what_parameters_say_of_the_spec_alone(client, url):
    tensors = {tensor["name"]: tensor for tensor in client.get(f"{url}/parameters").json()["tensors"]}
    alone = client.get("/v1/parameters?shape=8,3,3,3&layout=OIHW&activation=relu").json()
    assert tensors["conv.weight"]["parts"][0]["parameters"] == alone


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({}, "seed is required; received nothing"),
        ({"seed": 1, "tensors": []}, "tensors must be 1 to 20000, each part counting as one; received 0"),
        (
            {"seed": 1, "tensors": [{"name": "a", "shape": [0]}]},
            'tensors["a"].shape[0] must be at least 1; received 0',
        ),
        (
            {"seed": 1, "tensors": [{"name": "../a", "shape": [2, 2]}]},
            'tensors["../a"].name must not contain ..',
        ),
        (
            {"seed": 1, "tensors": [{"name": "a", "shape": [2, 2]}] * 2},
            'tensors["a"].name must be unique',
        ),
    ],
)
def test_what_cannot_be_honoured_is_422_with_tensor_rule_and_value(client, model, message):
    response = client.post("/v1/models", json=model)
    assert response.status_code == 422
    assert message in response.json()["detail"]


def test_one_bad_tensor_among_a_thousand_is_named(client):
    tensors = [{"name": f"layer.{number}", "shape": [4, 4]} for number in range(1000)]
    tensors[500]["shape"] = [4, -4]
    (error,) = client.post("/v1/models", json={"seed": 1, "tensors": tensors}).json()["errors"]
    assert error["field"] == 'tensors["layer.500"].shape[1]'
    assert error["received"] == "-4"


def test_more_tensors_than_the_limit_are_refused(client):
    tensors = [{"name": str(number), "shape": [1, 1]} for number in range(50_000)]
    response = client.post("/v1/models", json={"seed": 1, "tensors": tensors})
    assert response.status_code == 422
    assert response.json()["detail"].endswith("each part counting as one; received 50000")


def test_a_body_beyond_the_limit_is_413(client):
    response = client.post("/v1/models", json={"seed": 1, "tensors": [], "x": "x" * 2**23})
    assert response.status_code == 413
    assert "8388608 bytes" in response.json()["detail"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "text/yaml", 415),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b'{"seed": 1, "seed": 2, "tensors": []}', "application/json", 422),
        (b'{"seed": 1, "tensors": [{"name": "a", "shape": [2], "constant": NaN}]}', "application/json", 422),
        (b'{"seed": 1, "tensors": [{"name": "\\ud800", "shape": [2, 2]}]}', "application/json", 422),
    ],
)
def test_a_body_that_is_no_model_is_refused(client, content, kind, status):
    response = client.post("/v1/models", content=content, headers={"Content-Type": kind})
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"


def test_twenty_thousand_tensors_are_published_and_read(client):
    tensors = [{"name": f"layer.{number}", "shape": [2, 3]} for number in range(20_000)]
    url = publish(client, {"seed": 1, "tensors": tensors})
    assert len(json.loads(client.get(url).content)["tensors"]) == 20_000
    assert client.get(f"{url}/weights", headers={"Range": "bytes=-24"}).status_code == 206


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b'{"seed": 1, "tensors": [%s]}' % b",".join([b"[]"] * 2_000_000), 413, "values"),
        (b'{"seed": 1, %s}' % b",".join(b'"%d":0' % n for n in range(100_000)), 422, "at most 64 fields"),
        (
            b'{"seed": 1, "tensors": [{%s}]}' % b",".join(b'"%d":0' % n for n in range(100_000)),
            422,
            "tensors[0].tensor must have at most 64 fields; received 100000",
        ),
        (
            b'{"seed": 1, "defaults": {%s}, "tensors": [{}]}' % b",".join(b'"%d":0' % n for n in range(99)),
            422,
            "defaults must have at most 64 fields; received 99",
        ),
    ],
)
def test_a_body_of_a_million_small_things_is_refused_unread(client, content, status, detail):
    response = client.post("/v1/models", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert detail in response.json()["detail"]


def test_a_model_whose_canonical_form_is_beyond_the_limit_is_refused(client):
    tensors = [{"name": f"{number:0400}", "shape": [2, 2]} for number in range(17_000)]
    defaults = {"scheme": "variance_scaling", "distribution": "truncated_normal", "mode": "fan_geo_avg"}
    response = client.post("/v1/models", json={"seed": 1, "defaults": defaults, "tensors": tensors})
    assert response.status_code == 422
    assert "must have at most 8388608 bytes in canonical form" in response.json()["detail"]


def test_what_is_decided_of_a_model_is_kept_apart_from_its_weights(client, url):
    etag = client.get(f"{url}/parameters").headers["ETag"]
    assert client.get(f"{url}/parameters", headers={"If-None-Match": etag}).status_code == 304
    assert client.get(f"{url}/parameters").headers["Cache-Control"] == "public, max-age=3600"
