import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from service.api.endpoints import ROUTES
from service.api.openapi import make_document, render_openapi
from service.core import LayerSpec
from tests.api.published import publish

DOCUMENT = make_document(ROUTES)
# Sent where one spec draws all of a model's tensor.
OF_ONE_SPEC = {
    f"weightinit-{name}" for name in ("layout", "scheme", "mode", "distribution", "variance", "limit")
}
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
EXAMPLES = [
    (path, name, example["value"])
    for path, method, operation in OPERATIONS
    if method == "post"
    for name, example in operation["requestBody"]["content"]["application/json"]["examples"].items()
]


def test_the_document_that_is_checked_in_is_up_to_date():
    assert Path("openapi.json").read_bytes() == render_openapi(ROUTES)


def test_the_document_served_is_the_one_checked_in(client):
    assert client.get("/openapi.json").content == render_openapi(ROUTES)


def test_the_document_is_openapi_3_1_with_an_id_for_each_operation():
    assert DOCUMENT["openapi"].startswith("3.1.")
    identities = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(identities) == len(set(identities)) == 16


def test_every_operation_says_what_it_does_and_answers():
    for _, _, operation in OPERATIONS:
        assert operation["summary"]
        assert operation["responses"]


def test_every_reference_leads_somewhere():
    def walk(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from walk(item)

    for reference in walk(DOCUMENT):
        found = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def test_every_field_of_a_spec_is_a_parameter_of_both_gets():
    for path in ("/v1/parameters", "/v1/weights"):
        parameters = DOCUMENT["paths"][path]["get"]["parameters"]
        names = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        assert names - {"slice"} == set(LayerSpec.model_fields)


def build_query(operation):
    """Fill in all parameters that have an example, lists with commas."""
    examples = {p["name"]: p["example"] for p in operation["parameters"] if "example" in p}
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else value
        for name, value in examples.items()
    }


@pytest.mark.parametrize("path", ["/v1/parameters", "/v1/weights"])
def test_the_examples_of_a_get_run_as_they_stand(client, path):
    query = build_query(DOCUMENT["paths"][path]["get"])
    assert client.get(path, params=query).status_code == 200
    required = [p["name"] for p in DOCUMENT["paths"][path]["get"]["parameters"] if p.get("required")]
    assert client.get(path, params={name: query[name] for name in required}).status_code == 200


@pytest.mark.parametrize(("path", "name", "value"), EXAMPLES)
def test_the_examples_of_a_post_run_as_they_stand(client, path, name, value):
    assert client.post(path, json=value).status_code in {200, 201}


def test_the_example_of_a_name_names_the_example_of_a_model(client):
    (model,) = (value for path, name, value in EXAMPLES if (path, name) == ("/v1/models", "digits"))
    put = DOCUMENT["paths"]["/v1/names/{team}/{name}/{version}"]["put"]
    name = {parameter["name"]: parameter["example"] for parameter in put["parameters"]}
    value = put["requestBody"]["content"]["application/json"]["examples"]["start"]["value"]
    assert client.post("/v1/models", json=model).json()["id"] == value["model"]
    path = "/v1/names/{team}/{name}/{version}".format(**name)
    assert client.put(path, json=value).status_code in {200, 201}
    get = DOCUMENT["paths"]["/v1/names"]["get"]
    entry, *_ = client.get("/v1/names", params=build_query(get)).json()["names"]
    assert set(entry) == set(DOCUMENT["components"]["schemas"]["Entry"]["properties"])


def test_every_path_of_the_document_is_served(client):
    for path, method, operation in OPERATIONS:
        if method == "get" and "parameters" not in operation:
            assert client.get(path).status_code == 200


def test_an_answer_has_the_shape_that_its_schema_says(client):
    schema = DOCUMENT["components"]["schemas"]["Parameters"]
    answer = client.get("/v1/parameters?shape=3,3").json()
    assert set(answer) == set(schema["properties"]) == set(schema["required"])


def test_a_problem_has_the_shape_that_its_schema_says(client):
    problem = client.get("/v1/parameters").json()
    assert set(problem) == set(DOCUMENT["components"]["schemas"]["Problem"]["properties"])
    (error,) = problem["errors"]
    assert set(error) == set(DOCUMENT["components"]["schemas"]["FieldError"]["properties"])
    TypeAdapter(dict[str, str | list[str]]).validate_python(error)


@pytest.mark.parametrize("path", ["", "/weights", "/weights/conv.weight", "/weights/table"])
def test_the_headers_that_come_with_bytes_are_those_described(client, path):
    answered = client.get(publish(client) + path).headers
    described = DOCUMENT["paths"]["/v1/models/{id}" + re.sub("(?<=/weights/).*", "{tensor}", path)]["get"]
    known = {name.lower() for name in described["responses"]["200"]["headers"]}
    sent = {name for name in answered if name.startswith("weightinit-")}
    assert sent <= known
    assert {name for name in known - sent if name.startswith("weightinit-")} <= OF_ONE_SPEC


def test_the_headers_that_come_with_a_spec_are_those_described(client):
    answered = client.get("/v1/weights?shape=3,3&seed=1").headers
    described = DOCUMENT["paths"]["/v1/weights"]["get"]["responses"]["200"]["headers"]
    assert {name.lower() for name in described} - set(answered) == {"repr-digest"}
