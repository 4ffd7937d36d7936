"""Weights of every scheme over HTTP: bytes, slices, ranges, seeds and limits."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from service.core.schemes import SCHEMES
from tests.api.drawing import RAW, load

DENSE, CONV = {"shape": [96, 64]}, {"shape": [3, 4, 32, 64]}
#: A spec of each scheme.
SPECS = {
    "glorot": {**DENSE, "gain": 2.0},
    "he": {**CONV, "stride": 2, "mode": "fan_out"},
    "lecun": {**DENSE, "distribution": "truncated_normal", "lower": -3.0, "upper": 1.0},
    "variance_scaling": {**DENSE, "fans_as": "torch"},
    "explicit": {**DENSE, "parent_stddev": 0.02, "low": -0.05, "high": 0.03, "mean": 0.01},
    "preserve": {**DENSE, "activation": "gelu"},
    "orthogonal": {**CONV, "gain": 1.5},
    "delta_orthogonal": CONV,
    "identity": {**DENSE, "gain": 3.0},
    "dirac": {**CONV, "groups": 2, "center": "torch"},
    "sparse": {**DENSE, "sparsity": 0.9, "stddev": 0.01},
    "constant": {**DENSE, "constant": 0.5},
    "zeros": {"shape": [300], "layout": "O"},
    "ones": {"shape": [300], "layout": "O"},
}
SEEDLESS = ["identity", "dirac", "constant", "zeros", "ones"]


def make_spec(name, **fields):
    return {**SPECS[name], "scheme": name, "seed": 42, "name": f"weights/{name}", **fields}


def post(client, values, **arguments):
    response = client.post("/v1/weights", json=values, **arguments)
    assert response.status_code == 200, response.text
    return response


def test_every_scheme_is_here():
    assert set(SPECS) == set(SCHEMES)


@pytest.mark.parametrize("name", SPECS)
def test_the_get_that_a_post_names_has_the_same_bytes(client, name):
    response = post(client, make_spec(name))
    again = client.get(response.headers["Content-Location"])
    assert (again.content, again.headers["ETag"]) == (response.content, response.headers["ETag"])


@pytest.mark.parametrize("name", SPECS)
def test_a_slice_is_the_same_part_of_the_whole(client, name):
    whole = load(post(client, make_spec(name)))
    cut = post(client, make_spec(name, slice="1:3"))
    assert np.array_equal(load(cut), whole[1:3])


@pytest.mark.parametrize("name", SPECS)
def test_a_range_of_bytes_is_the_same_part_of_the_whole(client, name):
    location = post(client, make_spec(name)).headers["Content-Location"]
    whole = client.get(location, headers=RAW).content
    part = client.get(location, headers={**RAW, "Range": "bytes=77-1055"})
    assert (part.status_code, part.content) == (206, whole[77:1056])


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_every_dtype_is_a_rounding_of_the_same_tensor(client, name, dtype):
    wide = load(post(client, make_spec(name, dtype="float64")))
    response = post(client, make_spec(name, dtype=dtype), headers=RAW)
    if dtype == "bfloat16":
        found = (np.frombuffer(response.content, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        found = np.frombuffer(response.content, {"float16": "<f2", "float64": "<f8"}[dtype])
    rounding = {"float64": 0.0, "float16": 2**-11, "bfloat16": 2**-8}[dtype]
    assert found.reshape(wide.shape) == pytest.approx(wide, rel=rounding, abs=2**-24)


@pytest.mark.parametrize("name", SPECS)
def test_the_measured_spread_is_what_parameters_say(client, name):
    """The root of the mean square around the mean of the distribution; 5 standard errors of 6144 draws."""
    parameters = client.post("/v1/parameters", json={**make_spec(name)}).json()
    weights = load(post(client, make_spec(name))).astype(np.float64)
    if name in {"identity", "dirac", "orthogonal", "delta_orthogonal"}:
        assert np.mean(weights**2) == pytest.approx(parameters["variance"], rel=1e-6)
    else:
        assert weights.std() == pytest.approx(parameters["stddev"], rel=0.08)


@pytest.mark.parametrize("name", SEEDLESS)
def test_a_scheme_without_draws_needs_no_seed(client, name):
    values = {key: value for key, value in make_spec(name).items() if key not in {"seed", "name"}}
    response = post(client, values)
    assert "Weightinit-Warning" not in response.headers
    assert np.array_equal(load(response), load(post(client, make_spec(name))))


@pytest.mark.parametrize("name", sorted(set(SPECS) - set(SEEDLESS)))
def test_a_scheme_with_draws_needs_a_seed(client, name):
    values = {key: value for key, value in make_spec(name).items() if key != "seed"}
    response = client.post("/v1/weights", json=values)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["seed"]


def test_an_orthogonal_kernel_has_orthonormal_rows_times_the_gain(client):
    kernel = load(post(client, make_spec("orthogonal", dtype="float64")))
    rows = np.moveaxis(kernel, 3, 0).reshape(64, -1)
    assert np.abs(rows @ rows.T - 1.5**2 * np.eye(64)).max() < 1e-12


def test_requests_for_slices_of_one_matrix_agree(client):
    """Ten at once, of a matrix that nobody has asked for yet."""
    values = {"shape": [512, 512], "layout": "OI", "scheme": "orthogonal", "seed": 9, "name": "shared"}
    slices = [f"{first}:{first + 64}" for first in range(0, 512, 64)]
    with ThreadPoolExecutor(10) as pool:
        parts = list(pool.map(lambda text: load(post(client, {**values, "slice": text})), slices))
    assert np.array_equal(np.concatenate(parts), load(post(client, values)))


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"shape": [9400, 9400], "scheme": "orthogonal"}, "operations"),
        ({"shape": [10**6, 300], "scheme": "orthogonal"}, "bytes of memory"),
        (
            {"shape": [2**40, 2], "scheme": "sparse", "stddev": 1, "sparsity": 0.5, "slice": "0:1"},
            "operations",
        ),
    ],
)
def test_a_matrix_beyond_the_budget_is_refused_at_once(client, values, rule):
    response = client.post("/v1/weights", json={"seed": 1, "name": "w", **values})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["field"] == "shape"
    assert rule in error["rule"]
    assert "parts" in error["rule"]


def test_a_model_with_a_matrix_beyond_the_budget_is_refused(client):
    tensor = {"name": "w", "shape": [10000, 10000], "scheme": "orthogonal"}
    response = client.post("/v1/models", json={"seed": 1, "tensors": [tensor]})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == 'tensors["w"].shape'


def test_a_model_of_every_scheme_has_the_tensors_of_its_specs(client):
    tensors = [
        {key: value for key, value in make_spec(name).items() if key != "seed"}
        for name in SPECS
        if name != "constant"
    ]
    model = client.post("/v1/models", json={"seed": 42, "tensors": tensors}).json()["id"]
    for name in SPECS:
        if name != "constant":
            served = client.get(f"/v1/models/{model}/weights/weights/{name}")
            assert np.array_equal(load(served), load(post(client, make_spec(name)))), name
