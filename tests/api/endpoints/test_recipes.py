"""Recipes over HTTP: a model is written out without being published."""

import hashlib

import rfc8785

TENSORS = [
    {"name": "h.0.mlp.c_proj.weight", "shape": [8, 32]},
    {"name": "h.0.mlp.c_proj.bias", "shape": [8]},
    {"name": "mixed", "shape": [8, 8], "role": "attention_out"},
    {"name": "own", "shape": [8, 8], "scheme": "he"},
]
MODEL = {
    "seed": "42",
    "recipe": {"name": "gpt2", "layers": 2},
    "defaults": {"layout": "torch"},
    "tensors": TENSORS,
}


def expand(client, **changes):
    return client.post("/v1/canonical", json={**MODEL, **changes})


def test_the_id_is_the_digest_of_the_canonical_form(client):
    answer = expand(client).json()
    assert hashlib.sha256(rfc8785.dumps(answer["model"])).hexdigest() == answer["id"]


def test_a_model_with_a_recipe_is_published_under_the_id_that_was_said(client):
    said = expand(client).json()
    assert client.get(f"/v1/models/{said['id']}").status_code == 404
    published = client.post("/v1/models", json=MODEL)
    assert published.json()["id"] == said["id"]
    assert client.get(f"/v1/models/{said['id']}").json() == said["model"]


def test_each_tensor_has_what_decided_it_in_the_order_of_the_request(client):
    answer = expand(client).json()
    assert answer["recipe"] == {"name": "gpt2", "layers": 2, "sigma": 0.02}
    found = [(row["name"], row["role"], row["layer"]) for row in answer["tensors"]]
    assert found == [
        ("h.0.mlp.c_proj.weight", "mlp_out", 0),
        ("h.0.mlp.c_proj.bias", "mlp_bias", 0),
        ("mixed", "attention_out", None),
        ("own", None, None),
    ]
    first, _, given, own = answer["tensors"]
    assert first["formula"] == "stddev = sigma / sqrt(2 * layers)"
    assert "nanoGPT" in first["source"]
    assert "c_proj" in first["pattern"]
    assert (given["pattern"], own["formula"]) == (None, None)


def test_a_model_without_a_recipe_has_a_canonical_form_too(client):
    answer = expand(client, recipe=None, tensors=TENSORS[3:]).json()
    assert (answer["recipe"], answer["tensors"]) == (None, [])


def test_a_wrong_recipe_is_refused_with_suggestions(client):
    response = expand(client, recipe="gpt3")
    (error,) = response.json()["errors"]
    assert (response.status_code, error["field"], error["suggestions"]) == (422, "recipe.name", ["gpt2"])


def test_a_recipe_given_twice_is_refused(client):
    body = b'{"seed": 1, "recipe": "gpt2", "recipe": "llama", "tensors": [{"name": "a", "shape": [1]}]}'
    headers = {"Content-Type": "application/json"}
    response = client.post("/v1/canonical", content=body, headers=headers)
    assert response.json()["errors"][0]["rule"] == "must have each name once"


def test_the_response_is_not_stored(client):
    assert expand(client).headers["Cache-Control"] == "no-store"
