import re

import numpy as np
import pytest

from tests.api.drawing import LAYER, RAW, URL, draw, load, save


def test_a_get_answers_the_tensor_as_npy(client, whole):
    response = client.get(URL)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/x-npy"
    assert response.content == whole


def test_octet_stream_answers_the_bare_elements(client):
    response = client.get(URL, headers=RAW)
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.content == draw(**LAYER).tobytes()


def test_a_post_answers_the_bytes_of_the_get_that_it_names(client, whole):
    response = client.post("/v1/weights", json=LAYER)
    assert response.content == whole
    assert response.headers["Content-Location"] == URL
    get = client.get(response.headers["Content-Location"])
    assert get.content == whole
    assert get.headers["ETag"] == response.headers["ETag"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
def test_every_dtype_and_distribution_is_served(client, dtype, distribution):
    values = {"shape": [33, 65], "seed": 7, "dtype": dtype, "distribution": distribution}
    response = client.post("/v1/weights", json=values)
    assert response.content == save(draw(**values))


@pytest.mark.parametrize("cut", ["0:128,:", "0:128", "700:,:1", ":,299:", "783:784,299:300", ":"])
def test_a_slice_is_the_same_cut_of_the_whole(client, cut):
    response = client.get(f"{URL}&slice={cut}")
    assert response.content == save(np.ascontiguousarray(eval(f"draw(**LAYER)[{cut}]")))


def test_a_slice_may_stand_in_the_body(client):
    response = client.post("/v1/weights", json={**LAYER, "slice": ":,5:9"})
    assert response.content == save(np.ascontiguousarray(draw(**LAYER)[:, 5:9]))
    assert response.headers["Content-Location"] == f"{URL}&slice=:,5:9"


def test_the_keras_layout_is_the_transpose_of_the_torch_layout(client):
    keras = load(client.get("/v1/weights?shape=40,30&layout=keras&seed=3"))
    torch = load(client.get("/v1/weights?shape=30,40&layout=torch&seed=3"))
    assert np.array_equal(keras, torch.T)


def test_an_empty_body_is_asked_for_its_shape(client):
    response = client.post("/v1/weights", json={})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "shape"


def test_the_length_is_known_and_nothing_is_chunked(client, whole):
    response = client.get(URL)
    assert int(response.headers["Content-Length"]) == len(whole)
    assert "Transfer-Encoding" not in response.headers


def test_head_answers_what_get_does_without_the_body(client):
    head, get = client.head(URL), client.get(URL)
    assert head.status_code == 200
    assert head.content == b""
    of_the_request = {"date": "", "x-request-id": ""}
    assert {**head.headers, **of_the_request} == {**get.headers, **of_the_request}


def test_head_draws_nothing_however_large_the_tensor(client, service_server):
    before = service_server.read_metric("weightinit_drawn_bytes_total")
    response = client.head("/v1/weights?shape=1048576,268435456&seed=1&dtype=float64", headers=RAW)
    assert int(response.headers["Content-Length"]) == 2**51
    assert service_server.read_metric("weightinit_drawn_bytes_total") == before


def test_what_was_decided_travels_with_the_bytes(client):
    headers = client.get(f"{URL}&slice=0:128,:").headers
    assert {name: headers[f"Weightinit-{name}"] for name in (
        "Stream", "Shape", "Dtype", "Layout", "Scheme", "Mode", "Distribution", "Variance", "Limit",
    )} == {
        "Stream": "1",
        "Shape": "128,300",
        "Dtype": "float32",
        "Layout": "IO",
        "Scheme": "he",
        "Mode": "fan_in",
        "Distribution": "uniform",
        "Variance": repr(2 / 784),
        "Limit": repr((3 * 2 / 784) ** 0.5),
    }  # fmt: skip


def test_a_link_leads_to_the_parameters(client):
    link = client.get(URL).headers["Link"]
    found = re.fullmatch(r'<([^>]+)>; rel="describedby"; type="application/json"', link)
    parameters = client.get(found[1]).json()
    assert (parameters["scheme"], parameters["fan_in"]) == ("he", 784)


def test_the_bytes_may_be_cached_for_ever(client):
    headers = client.get(URL).headers
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Vary"] == "Accept"
    assert headers["Accept-Ranges"] == "bytes"


def test_a_file_is_named_after_the_tensor_and_the_media_type(client):
    assert client.get(URL).headers["Content-Disposition"] == 'attachment; filename="hidden1_kernel.npy"'
    assert client.get(URL, headers=RAW).headers["Content-Disposition"].endswith('.bin"')


@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
def test_a_given_stddev_has_the_bytes_and_the_tag_of_variance_scaling(client, distribution):
    common = {"shape": "64,80", "seed": "7", "name": "a", "distribution": distribution}
    scaled = {"scheme": "variance_scaling", "scale": repr(0.02 * 0.02), "fan_in": "1", "fan_out": "1"}
    one, two = (client.get("/v1/weights", params=common | more) for more in (scaled, {"stddev": "0.02"}))
    assert one.content == two.content
    assert one.headers["ETag"] == two.headers["ETag"]


def test_the_headers_of_a_given_limit_have_it_and_no_mode(client):
    headers = client.head("/v1/weights?shape=64,80&seed=7&limit=0.05").headers
    assert (headers["Weightinit-Scheme"], headers["Weightinit-Limit"]) == ("explicit", "0.05")
    assert "Weightinit-Mode" not in headers


@pytest.mark.parametrize("field", ["stddev", "parent_stddev", "limit"])
def test_a_post_of_a_given_spread_names_the_get_with_the_scheme_that_it_implies(client, field):
    post = client.post("/v1/weights", json={"shape": [300], "seed": 7, field: 0.02})
    location = f"/v1/weights?shape=300&scheme=explicit&{field}=0.02&seed=7"
    assert post.headers["Content-Location"] == location
    assert client.get(location).content == post.content
    assert client.get(f"/v1/weights?shape=300&seed=7&{field}=2e-2").headers["ETag"] == post.headers["ETag"]


def test_weights_without_a_name_come_with_a_warning(client):
    nameless, named = (client.head(f"/v1/weights?shape=5,7&seed=1{name}") for name in ("", "&name=a"))
    assert "have the same draws" in nameless.headers["Weightinit-Warning"]
    assert "Weightinit-Warning" not in named.headers
