import re
from pathlib import Path

import httpx
import pytest
from pydantic import TypeAdapter

from service.api.endpoints import ROUTES
from service.api.openapi import make_document, render_openapi
from service.core import LayerSpec
from tests.api.published import publish
from tests.api.tokens import bear, create_token
from tests.servers import run_server

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
    assert len(identities) == len(set(identities)) == 28


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


def walk_schemas(value, path="#"):
    """Yield every object of a schema, with its path."""
    if isinstance(value, dict):
        yield path, value
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, (dict, list)):
            yield from walk_schemas(item, f"{path}/{key}")


def test_every_schema_is_used():
    used = {value["$ref"] for _, value in walk_schemas(DOCUMENT) if isinstance(value.get("$ref"), str)}
    assert {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]} == used


def test_every_object_and_enumeration_has_a_name_of_its_own():
    """Generated clients have a class for each, and invent names such as `Tensors1` for those without."""
    nameless = [
        path
        for path, value in walk_schemas(DOCUMENT)
        if ("enum" in value or value.get("type") == "object")
        and not re.fullmatch("#/components/schemas/[A-Za-z]+", path)
        and not path.endswith("/properties")  # a field that is called type
    ]
    assert nameless == []


def test_every_integer_says_how_many_bits_it_needs():
    short = [
        path
        for path, value in walk_schemas(DOCUMENT)
        if value.get("type") == "integer" and "format" not in value
    ]
    assert short == []


def test_no_schema_has_a_default():
    """Generated clients send defaults, which would replace those of a model, or demand these fields."""
    schemas = DOCUMENT["components"]["schemas"]
    assert [path for path, value in walk_schemas(schemas) if "default" in value] == []


@pytest.mark.parametrize("schema", ["LayerSpec", "WeightsSpec", "ModelDefaults"])
def test_the_default_of_a_field_is_in_its_description(schema):
    properties = DOCUMENT["components"]["schemas"][schema]["properties"]
    assert properties["groups"]["description"].endswith("Default: 1.")
    assert properties["dtype"]["description"] == "Default: float32."


def test_every_link_leads_to_an_operation_and_fills_its_path():
    paths = {operation["operationId"]: path for path, _, operation in OPERATIONS}
    links = [
        link
        for _, _, operation in OPERATIONS
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(links) == 25
    for link in links:
        assert re.findall("{([a-z]+)}", paths[link["operationId"]]) == list(link["parameters"])


def test_every_field_of_a_spec_is_a_parameter_of_both_gets():
    for path in ("/v1/parameters", "/v1/weights"):
        parameters = DOCUMENT["paths"][path]["get"]["parameters"]
        names = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        assert names - {"slice"} == set(LayerSpec.model_fields)


@pytest.fixture(scope="module")
def administrator(tmp_path_factory):
    """A client with a token that may do everything."""
    folder = tmp_path_factory.mktemp("data")
    headers = bear(create_token(folder, "admin", team="*"))
    with (
        run_server(WEIGHTINIT_DATA_DIRECTORY=str(folder)) as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=60) as client,
    ):
        yield client


def build_query(operation):
    """Fill in all parameters of a query that have an example, lists with commas."""
    parameters = [p for p in operation.get("parameters", []) if p["in"] == "query"]
    examples = {p["name"]: p["example"] for p in parameters if "example" in p}
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
def test_the_examples_of_a_post_run_as_they_stand(administrator, path, name, value):
    assert administrator.post(path, json=value).status_code in {200, 201}


def list_answers(operation, status):
    """List what the examples of an operation send, and what is answered to each with a status."""
    answers = operation["responses"][status]["content"]["application/json"]["examples"]
    body = operation.get("requestBody", {"content": {"application/json": {"examples": {}}}})
    sent = body["content"]["application/json"]["examples"]
    return [(sent.get(name, {}).get("value"), answer["value"]) for name, answer in answers.items()]


def ask(client, method, path, operation, body=None):
    """Send the request of an operation's examples."""
    fields = {p["name"]: p["example"] for p in operation.get("parameters", []) if p["in"] == "path"}
    more = {"params": build_query(operation)} if body is None else {"json": body}
    return client.request(method.upper(), path.format(**fields), **more)


def drop_moments(value):
    """Leave out of JSON when things happened."""
    if isinstance(value, list):
        return [drop_moments(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: drop_moments(item) for name, item in value.items() if name not in {"published", "when"}}


NAME = "/v1/names/{team}/{name}/{version}"


def test_the_answers_that_are_shown_are_answered():
    """In a service of its own: publish the model of the examples, name it, look, and retire the name."""
    with run_server() as server, httpx.Client(base_url=server.url, timeout=60) as fresh:
        for method, path, status in [
            ("post", "/v1/models", "201"),
            ("post", "/v1/models", "200"),
            ("get", "/v1/models/{id}", "200"),
            ("get", "/v1/models/{id}/parameters", "200"),
            ("put", NAME, "201"),
            ("put", NAME, "200"),
            ("get", NAME, "200"),
            ("get", "/v1/names", "200"),
            ("get", "/v1/parameters", "200"),
            ("post", "/v1/parameters", "200"),
        ]:
            operation = DOCUMENT["paths"][path][method]
            for body, answer in list_answers(operation, status):
                response = ask(fresh, method, path, operation, body)
                assert (response.status_code, drop_moments(response.json())) == (
                    int(status),
                    drop_moments(answer),
                )
        retire = DOCUMENT["paths"][NAME]["delete"]
        retired = fresh.delete("/v1/names/vision/digits/1.0", params=build_query(retire))
        ((_, answer),) = list_answers(retire, "200")
        assert drop_moments(retired.json()) == drop_moments(answer)
        gone = DOCUMENT["paths"][NAME]["get"]["responses"]["410"]["content"]["application/problem+json"]
        problem = fresh.get("/v1/names/vision/digits/1.0").json()
        assert drop_moments(problem) == drop_moments(gone["example"])


@pytest.mark.parametrize("name", ["activations", "schemes", "recipes"])
def test_the_rows_that_are_shown_are_the_first_of_the_table(client, name):
    path = f"/v1/{name}"
    ((_, shown),) = list_answers(DOCUMENT["paths"][path]["get"], "200")
    answered = client.get(path).json()
    assert shown == {name: answered[name][:3]}


def test_every_whole_answer_in_json_is_shown():
    missing = [
        (method, path, status)
        for path, method, operation in OPERATIONS
        for status, response in operation["responses"].items()
        for media_type, content in response.get("content", {}).items()
        if media_type == "application/json" and "examples" not in content and path.startswith("/v1/")
        if status != "206"
    ]
    assert missing == []


@pytest.mark.parametrize("path", ["/v1/parameters", "/v1/weights"])
def test_the_problem_that_is_shown_is_answered(client, path):
    problem = DOCUMENT["paths"][path]["get"]["responses"]["422"]["content"]["application/problem+json"]
    query = "shape=784,300&activation=relo&seed=42"
    assert client.get(f"{path}?{query}").json() == problem["example"]


def test_a_summary_is_plain_text():
    summaries = [operation["summary"] for _, _, operation in OPERATIONS]
    assert [summary for summary in summaries if re.search(r"[`*_\[\]]", summary)] == []


def test_every_path_of_the_document_is_served(administrator):
    for path, method, operation in OPERATIONS:
        if method == "get" and "parameters" not in operation:
            assert administrator.get(path).status_code == 200


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_that_needs_a_token_is_401_without_one_and_says_so(client, path, method, operation):
    needs_token = "security" in operation and {} not in operation["security"]
    path = re.sub(r"{\w+}", "a", path)
    assert (client.request(method, path).status_code == 401) == needs_token
    assert ("401" in operation["responses"]) == ("operations" not in operation["tags"])


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
