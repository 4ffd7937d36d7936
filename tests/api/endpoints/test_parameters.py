import pytest

from service.core import LayerSpec, Parameters, resolve_parameters


def test_the_first_example_of_all(client):
    decided = client.get("/v1/parameters?shape=784,300&activation=relu").json()
    assert decided["scheme"] == "he"
    assert decided["variance"] == 2 / 784
    assert decided["limit"] == (3 * 2 / 784) ** 0.5
    assert (decided["fan_in"], decided["fan_out"], decided["fan_avg"]) == (784, 300, 542)
    assert decided["formula"] == "σ² = 2 / fan_in = 2 / 784"
    assert "ReLU" in decided["reason"]
    assert "He, Zhang" in decided["reference"]


def test_all_that_is_decided_is_answered(client):
    response = client.get("/v1/parameters?shape=3,3,64,128&activation=leaky_relu&negative_slope=0.1")
    spec = LayerSpec(shape=(3, 3, 64, 128), activation="leaky_relu", negative_slope=0.1)
    expected = {name: getattr(resolve_parameters(spec), name) for name in Parameters.__slots__}
    propagation = {"forward": 1.0, "backward": 2.0, "fixed_point": None, "chi": 1.0, "depth_scale": None}
    assert response.json() == {**expected, "shape": [3, 3, 64, 128], "propagation": propagation}
    assert response.headers["Content-Type"] == "application/json"


def test_post_answers_what_the_get_does_that_it_names(client):
    values = {"shape": [784, 300], "scheme": "he_uniform", "mode": "fan_avg", "seed": 3, "name": "a"}
    post = client.post("/v1/parameters", json=values)
    location = post.headers["Content-Location"]
    assert location == "/v1/parameters?shape=784,300&scheme=he_uniform&mode=fan_avg"
    assert client.get(location).content == post.content


def test_head_answers_what_get_does_without_the_body(client):
    url = "/v1/parameters?shape=784,300"
    head, get = client.head(url), client.get(url)
    assert head.content == b""
    assert int(head.headers["Content-Length"]) == len(get.content)


def test_fans_beyond_64_bits_are_answered(client):
    query = "shape=2,2&fan_in=9223372036854775807&fan_out=9223372036854775807"
    decided = client.get(f"/v1/parameters?{query}").json()
    assert decided["fan_in"] == decided["fan_avg"] == 9223372036854775807


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "shape"),
        ("shape=3,3&slice=:", "slice"),
        ("shape=3,3&seed=x", "seed"),
        ("shape=3,3&scheme=he&scale=3", "scale"),
        ("shape=16777216,33554432", "shape"),
        ("shape=3,3&dtype=float16&scheme=variance_scaling&scale=1e-300", "scale"),
        ("shape=3,3&stddev=0.02&scale=3", "stddev"),
        ("shape=3,3&stddev=x", "stddev"),
        ("shape=3,3&limit=0", "limit"),
        ("shape=3,3&scheme=explicit", "scheme"),
        ("shape=3,3&scheme=truncated", "scheme"),
        ("shape=3,3&activation=" + "x" * 5000, "activation"),
        ("shape=" + "1," * 9000 + "1", "shape"),
    ],
)
def test_a_spec_that_cannot_be_honoured_says_which_field(client, query, field):
    response = client.get(f"/v1/parameters?{query}")
    assert response.status_code == 422
    assert field in [error["field"] for error in response.json()["errors"]]
    assert len(response.content) < 20000


def test_an_accept_that_cannot_be_met_is_refused(client):
    assert client.get("/v1/parameters?shape=3,3", headers={"Accept": "text/html"}).status_code == 406
    assert client.get("/v1/parameters?shape=3,3", headers={"Accept": "application/*"}).status_code == 200
