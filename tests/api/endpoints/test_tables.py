"""The tables that a scheme is chosen by, over HTTP."""

import pytest

from service.core.activations import ACTIVATIONS
from service.core.recipes import RECIPES
from service.core.schemes import SCHEMES

PATHS = ["/v1/activations", "/v1/schemes", "/v1/recipes"]
each_path = pytest.mark.parametrize("path", PATHS)


@each_path
def test_a_table_can_be_kept_for_an_hour_and_then_asked_for_by_its_tag(client, path):
    response = client.get(path)
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    again = client.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == response.headers["ETag"]


@each_path
def test_head_answers_what_get_does_without_the_body(client, path):
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(get.content)
    assert head.headers["ETag"] == get.headers["ETag"]


@each_path
@pytest.mark.parametrize("query", ["name=he", "x", "name="])
def test_a_table_has_no_parameters(client, path, query):
    response = client.get(f"{path}?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["rule"] == "must be empty"


@each_path
def test_a_client_that_takes_no_json_is_told_so(client, path):
    assert client.get(path, headers={"Accept": "text/html"}).status_code == 406


@each_path
def test_options_lists_the_methods(client, path):
    assert client.options(path).headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", PATHS[:2])
def test_every_row_has_a_reason_and_a_reference(client, path):
    (rows,) = client.get(path).json().values()
    assert [row["name"] for row in rows if not (row["reason"] and row["reference"] and row["formula"])] == []


def test_every_scheme_activation_and_recipe_is_a_row(client):
    activations, schemes, recipes = (client.get(path).json() for path in PATHS)
    assert [row["name"] for row in schemes["schemes"]] == list(SCHEMES)
    assert [row["name"] for row in activations["activations"]] == list(ACTIVATIONS)
    assert [row["name"] for row in recipes["recipes"]] == list(RECIPES)


#: What a scheme needs besides a dense kernel.
REQUIRED = {
    "explicit": {"stddev": "0.02"},
    "sparse": {"stddev": "0.02", "sparsity": "0.9"},
    "constant": {"constant": "0.5"},
    "delta_orthogonal": {"shape": "3,64,128"},
    "dirac": {"shape": "3,64,128"},
}


def test_every_spelling_of_a_scheme_is_accepted(client):
    for row in client.get("/v1/schemes").json()["schemes"]:
        given = REQUIRED.get(row["name"], {})
        assert {row["name"], *row["aliases"]} <= set(row["spellings"])
        for spelling in row["spellings"]:
            query = {"shape": "784,300", "layout": "keras", "scheme": spelling, **given}
            assert client.get("/v1/parameters", params=query).json()["scheme"] == row["name"]


def test_every_name_of_an_activation_has_the_scheme_of_its_row(client):
    for row in client.get("/v1/activations").json()["activations"]:
        for name in (row["name"], *row["aliases"]):
            decided = client.get("/v1/parameters", params={"shape": "784,300", "activation": name}).json()
            assert (decided["activation"], decided["scheme"]) == (row["name"], row["scheme"])
            assert decided["formula"].startswith(f"{row['formula']} = ")
            assert row["reason"] in decided["reason"]


def test_the_formula_of_a_scheme_is_the_one_that_parameters_have(client):
    formulas = {row["name"]: row["formula"] for row in client.get("/v1/schemes").json()["schemes"]}
    assert formulas == {
        "glorot": "σ² = 1 / fan_avg",  # Glorot & Bengio (2010), equation 12
        "he": "σ² = 2 / fan_in",  # He et al. (2015), equation 10
        "lecun": "σ² = 1 / fan_in",
        "variance_scaling": "σ² = scale / fan",
        "explicit": "σ² = stddev²",
        "preserve": "σ² = 1 / (fan_in · E[φ²])",  # He et al. (2015), equation 7
        "orthogonal": "σ² = gain² / max(outputs, inputs)",
        "delta_orthogonal": "σ² = gain² / (outputs · field)",
        "identity": "σ² = gain² / max(outputs, inputs)",
        "dirac": "σ² = gain² / (max(outputs / groups, inputs) · field)",
        "sparse": "σ² = (1 - sparsity) · stddev²",
        "constant": "σ² = 0",
        "zeros": "σ² = 0",
        "ones": "σ² = 0",
    }
