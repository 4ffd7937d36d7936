import pytest

from tests.api.drawing import LAYER, QUERY, URL


@pytest.mark.parametrize(
    ("query", "field", "rule", "received"),
    [
        ("seed=1", "shape", "is required", "nothing"),
        ("shape=&seed=1", "shape", "must have at least 1 axis", "[]"),
        ("shape=0,3&seed=1", "shape[0]", "must be at least 1", "0"),
        ("shape=3,-3&seed=1", "shape[1]", "must be at least 1", "-3"),
        ("shape=3,3.5&seed=1", "shape[1]", "must be an integer", '"3.5"'),
        ("shape=3,nan&seed=1", "shape[1]", "must be an integer", '"nan"'),
        ("shape=3,3,3,3,3,3,3,3,3&seed=1", "shape", "must have at most 8 axes", f"[{'3, ' * 8}…]"),
        ("shape=16777216,33554432&seed=1", "shape",
         f"must have at most {2**48} elements in total, not {2**49}", "[16777216, 33554432]"),
        ("shape=7&seed=1", "shape", "of rank 1 has no fans: set both fan_in and fan_out", "[7]"),
        ("shape=3,3&layout=IOI&seed=1", "layout", "must have as many letters as shape has axes, 2", '"IOI"'),
        ("shape=3,3&layout=IX&seed=1", "layout", None, '"IX"'),
        ("shape=3,3&layout=HW&seed=1", "layout", None, '"HW"'),
        ("shape=3,64&groups=5&seed=1", "groups", "must divide 64, the product of the O axes", "5"),
        ("shape=3,3&activation=relo&seed=1", "activation", "must name an activation function", '"relo"'),
        ("shape=3,3&scheme=hee&seed=1", "scheme", None, '"hee"'),
        ("shape=3,3&stddev=0&seed=1", "stddev", "must be at least 1e-150", "0.0"),
        ("shape=3,3&stddev=0.02&limit=1&seed=1", "stddev",
         "must not be combined with limit=1.0: both determine σ", "0.02"),
        ("shape=3,3&mode=fan_max&seed=1", "mode", None, '"fan_max"'),
        ("shape=3,3&distribution=cauchy&seed=1", "distribution", None, '"cauchy"'),
        ("shape=3,3&dtype=float8&seed=1", "dtype", None, '"float8"'),
        ("shape=3,3&scale=inf&scheme=variance_scaling&seed=1", "scale", "must be a finite number", '"inf"'),
        ("shape=3,3&negative_slope=NaN&seed=1", "negative_slope", "must be a finite number", '"NaN"'),
        ("shape=3,3", "seed", "is required for weights", "nothing"),
        ("shape=3,3&seed=", "seed", "must be an integer", '""'),
        ("shape=3,3&seed=-1", "seed", "must be at least 0", "-1"),
        ("shape=3,3&seed=18446744073709551616", "seed", "must be at most 18446744073709551615",
         "18446744073709551616"),
        ("shape=3,3&seed=1.0", "seed", "must be an integer", '"1.0"'),
        ("shape=3,3&seed=true", "seed", "must be an integer", '"true"'),
        ("shape=3,3&seed=1&name=%ED%A0%80", "name", "must be percent-encoded UTF-8", '"%ED%A0%80"'),
        ("shape=3,3&seed=1&name=%FF", "name", "must be percent-encoded UTF-8", '"%FF"'),
        ("shape=3,3&seed=1&sede=2", "sede", "is not a field of a layer spec", '"2"'),
        ("shape=3,3&seed=1&seed=1", "seed", "must be given once", '"1"'),
        ("shape=3,3&seed=1&slice=:&slice=:", "slice", "must be given once", '":"'),
        ("shape=3,3&seed=1&slice=0:4", "slice[0]", "must stay within the axis, 0:3", '"0:4"'),
        ("shape=3,3&seed=1&slice=2:2", "slice[0]", "must not be empty: start must be less than stop",
         '"2:2"'),
        ("shape=3,3&seed=1&slice=:,:,:", "slice", "must have at most one slice for each axis of shape, 2",
         '":,:,:"'),
        ("shape=3,3&seed=1&slice=1", "slice[0]", None, '"1"'),
    ],
)  # fmt: skip
def test_a_spec_that_cannot_be_honoured_says_field_rule_and_received(client, query, field, rule, received):
    response = client.get(f"/v1/weights?{query}")
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["type"]) == (422, "urn:weightinit:invalid-spec")
    (error,) = problem["errors"]
    assert (error["field"], error["received"]) == (field, received)
    assert error["rule"] == (rule or error["rule"])
    assert error["message"] in problem["detail"]


@pytest.mark.parametrize(
    ("values", "field", "received"),
    [
        ('{"shape": [3, 3], "seed": true}', "seed", "true"),
        ('{"shape": [3, 3], "seed": 1.0}', "seed", "1.0"),
        ('{"shape": [3, 3], "seed": NaN}', "seed", "NaN"),
        ('{"shape": [3, 3], "seed": null}', "seed", "nothing"),
        ('{"shape": [3, 3], "seed": 18446744073709551616}', "seed", "18446744073709551616"),
        ('{"shape": [3, NaN], "seed": 1}', "shape[1]", "NaN"),
        ('{"shape": [3, Infinity], "seed": 1}', "shape[1]", "Infinity"),
        ('{"shape": [3, "3"], "seed": 1}', "shape[1]", '"3"'),
        ('{"shape": [3, true], "seed": 1}', "shape[1]", "true"),
        ('{"shape": [3, 3], "seed": 1, "scale": -Infinity}', "scale", "-Infinity"),
        ('{"shape": [3, 3], "seed": 1, "scale": 1e999}', "scale", "Infinity"),
        ('{"shape": [3, 3], "seed": 1, "name": "\\ud800"}', "name", '"\\ud800"'),
        ('{"shape": [3, 3], "seed": 1, "activation": "\\udfff"}', "activation", '"\\udfff"'),
        ('{"shape": [3, 3], "seed": 1, "\\ud800": 1}', "spec", '"\\ud800"'),
        ('{"shape": [3, 3], "seed": 1, "slice": 5}', "slice", "5"),
        ('{"shape": [3, 3], "seed": 1, "slice": "\\ud800"}', "slice[0]", '"\\ud800"'),
        ('{"shape": [3, 3], "seed": 1, "seed": 2}', "spec", '"seed"'),
        ('[3, 3]', "spec", "[3, 3]"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_honoured_says_field_and_received(client, values, field, received):
    response = client.post("/v1/weights", content=values, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["field"], error["received"]) == (field, received)


def test_a_misspelled_name_is_answered_with_the_nearest(client):
    response = client.get("/v1/weights?shape=3,3&seed=1&activation=leekyrelu")
    assert "leaky_relu" in response.json()["errors"][0]["suggestions"]


def test_too_many_elements_are_refused_before_anything_is_allocated(client, service_server):
    before = service_server.measure_memory()
    response = client.get("/v1/weights?shape=9223372036854775807,9223372036854775807&seed=1")
    assert response.status_code == 422
    assert service_server.measure_memory() - before < 16 * 2**20


def test_an_accept_that_cannot_be_met_is_answered_with_what_there_is(client):
    response = client.get(URL, headers={"Accept": "text/html"})
    assert response.status_code == 406
    assert "application/x-npy" in response.json()["detail"]


def test_a_post_takes_no_query(client):
    response = client.post(f"/v1/weights?{QUERY}", json=LAYER)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "query"
