"""OpenAPI 3.1: the pieces that operations share, and the document."""

from collections.abc import Iterable
from copy import copy
from typing import Any

import orjson
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.routing import BaseRoute

import service
from service.api.http.media_types import JSON, PROBLEM_JSON
from service.api.problems import NameProblem, NameRecord, Problem
from service.api.schemas import (
    ActivationRow,
    DecidedModel,
    Listing,
    Publication,
    PublishedModel,
    Reason,
    SchemeRow,
)
from service.core import LayerSpec, Parameters
from service.core.models.parsing import FIELDS_WITHOUT_DEFAULT, ConstantSpec, ModelSpec, StackSpec

Schema = dict[str, Any]

SPEC: Schema = LayerSpec.model_json_schema()
REFERENCE = "#/components/schemas/{model}"
RESPONSES = {
    "Parameters": Parameters,
    "PublishedModel": PublishedModel,
    "DecidedModel": DecidedModel,
    "Entry": NameRecord,
    "SchemeRow": SchemeRow,
    "ActivationRow": ActivationRow,
    "Problem": Problem,
    "NameProblem": NameProblem,
}
SLICE: Schema = {
    "type": "string",
    "description": "The box to draw: start:stop for each axis, half-open as in NumPy, separated by commas. "
    "Either end may be left out, and so may axes at the end. No steps, no negatives, no bare integers.",
}


def make_weights_schema() -> Schema:
    """Make the schema of a spec for weights: a seed is required, and a slice may be there."""
    return {
        **SPEC,
        "title": "WeightsSpec",
        "description": "A layer spec with a seed, and the box of the tensor to draw.",
        "properties": {**SPEC["properties"], "slice": SLICE},
        "required": ["shape", "seed"],
    }


def make_model_schemas() -> dict[str, Schema]:
    """Make the schemas of a model, whose tensors are of three kinds, and of a part of a tensor."""
    model, stack = ModelSpec.model_json_schema(), StackSpec.model_json_schema()
    common = omit(SPEC["properties"], *FIELDS_WITHOUT_DEFAULT)
    model["properties"]["defaults"] |= {"properties": common, "additionalProperties": False}
    kinds = [refer(name) for name in ("DrawnSpec", "ConstantSpec", "StackSpec")]
    model["properties"]["tensors"]["items"] = {"anyOf": kinds}
    stack["properties"]["parts"]["items"] = refer("PartSpec")
    drawn = omit(SPEC["properties"], "seed")
    constant = ConstantSpec.model_json_schema()
    part = omit(drawn, "dtype") | {
        "shape": constant["properties"]["shape"],
        "slice": {"type": "string", "description": "Which rows of what is drawn, as in `0:128`."},
        "constant": {"type": "number", "description": "One value instead of what is drawn."},
    }
    return {
        "ModelSpec": model,
        "DrawnSpec": make_object("DrawnSpec", "A tensor that is drawn.", drawn, "name", "shape"),
        "ConstantSpec": constant,
        "StackSpec": stack,
        "PartSpec": make_object("PartSpec", "A part of a tensor.", part, "shape"),
    }


def make_response_schemas() -> dict[str, Schema]:
    """Make the schemas of what is answered, and of all that is in it."""
    answered = {
        name: {**TypeAdapter(kind).json_schema(ref_template=REFERENCE), "title": name}
        for name, kind in RESPONSES.items()
    }
    inner = [schema.pop("$defs", {}) for schema in answered.values()]
    return {name: value for schemas in (answered, *inner) for name, value in schemas.items()}


def make_object(title: str, description: str, properties: Schema, *required: str) -> Schema:
    """Make the schema of an object that has no other properties."""
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def omit(properties: Schema, *names: str) -> Schema:
    """Return properties without some of them."""
    return {name: value for name, value in properties.items() if name not in names}


def make_query_parameters(schema: Schema, examples: dict[str, object]) -> list[Schema]:
    """Make a query parameter of each property of a schema; a list is written with commas."""
    return [
        make_query_parameter(name, dict(value), examples, required=name in schema.get("required", ()))
        for name, value in schema["properties"].items()
    ]


def make_query_parameter(name: str, value: Schema, examples: dict[str, object], *, required: bool) -> Schema:
    """Make a query parameter. A query has no null: the parameter is left out instead."""
    description = value.pop("description", "")
    for noise in ("title", "examples"):
        value.pop(noise, None)
    if value.get("default", ...) is None:
        del value["default"]
    kinds = [kind for kind in value.pop("anyOf", []) if kind != {"type": "null"}]
    if kinds:
        value |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    parameter: Schema = {"name": name, "in": "query", "required": required, "schema": value}
    if value.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    if description:
        parameter["description"] = description
    if name in examples:
        parameter["example"] = examples[name]
    return parameter


def refer(name: str) -> Schema:
    """Refer to one of the schemas."""
    return {"$ref": REFERENCE.format(model=name)}


SCHEMAS: Schema = {
    **make_response_schemas(),
    **make_model_schemas(),
    **{kind.__name__: kind.model_json_schema() for kind in (Listing, Publication, Reason)},
    "LayerSpec": SPEC,
    "WeightsSpec": make_weights_schema(),
}


# status → when it is answered
ERRORS = {
    400: "The body is not JSON.",
    404: "Nothing of that name or id is published.",
    406: "Accept leaves none of the media types served.",
    408: "The request did not wholly arrive in time.",
    412: "If-Match does not name the entity tag.",
    413: "The body is longer than the limit.",
    415: "The body is not said to be JSON.",
    416: "No byte of the range is there; Content-Range has the length.",
    422: "What was asked for cannot be honoured: `errors` has field, rule and received value of each rule.",
    503: "Too many large bodies are being sent, or the storage cannot answer: try after Retry-After.",
}

# What comes with all bytes, with those of a tensor or a box of one, and with what is drawn by one spec.
BYTES = {
    "ETag": "Strong, and known before a byte is drawn.",
    "Accept-Ranges": "`bytes`.",
    "Cache-Control": "The bytes never change.",
    "Repr-Digest": "The digest of the whole, where Want-Repr-Digest asked for one.",
    "Weightinit-Stream": "The version of the stream.",
}
TENSOR = {
    "Content-Disposition": "A file name made from the tensor's name.",
    "Weightinit-Shape": "The shape of what is served: of the box, where there is a slice.",
    "Weightinit-Dtype": "The dtype.",
}
DECISION = {
    "Weightinit-Layout": "The letter of each axis.",
    "Weightinit-Scheme": "The scheme that was decided on.",
    "Weightinit-Mode": "The fan that divides the scale.",
    "Weightinit-Distribution": "The distribution.",
    "Weightinit-Variance": "σ².",
    "Weightinit-Limit": "√(3 · σ²): the bound of a uniform distribution.",
}
LINK = {"Link": "The parameters that the bytes were drawn with (`describedby`)."}
MODEL = {"Weightinit-Model": "The id of the model."}
RANGE = {"Content-Range": "Which bytes these are."}
LOCATION = {"Content-Location": "The GET of the same bytes."}
FIELDS = {
    "Range": "One range of bytes, such as `bytes=-1024`. Several are answered with the whole.",
    "If-Range": "The entity tag for which the range holds; else the whole is sent.",
    "If-Match": "Entity tags of which one must be the current.",
    "If-None-Match": "Entity tags that the client has: 304 where one is the current.",
}
WANT_DIGEST = "`sha-256` or `sha-512` with a preference, such as `sha-256=10` (RFC 9530)."


def describe_fields(fields: dict[str, str]) -> list[Schema]:
    """Describe request headers."""
    return [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in fields.items()
    ]


def describe_headers(texts: dict[str, str]) -> Schema:
    """Describe the headers of an answer."""
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()}


def describe_bytes(description: str, texts: dict[str, str], *media_types: str) -> Schema:
    """Describe an answer of bytes."""
    content: Schema = {name: {} for name in media_types}
    return {"description": description, "headers": describe_headers(texts), "content": content}


def describe_json(
    description: str, schema: Schema, answers: Schema, headers: dict[str, str] | None = None
) -> Schema:
    """Describe an answer in JSON, with what is answered to the examples of the request, by their names."""
    examples = {name: {"value": answer} for name, answer in answers.items()}
    described = {"description": description, "content": {JSON: {"schema": schema, "examples": examples}}}
    return {**described, "headers": describe_headers(headers)} if headers else described


def describe_errors(*statuses: int, problem: object = None) -> Schema:
    """Describe problems, with an example of 422."""
    content: Schema = {"schema": refer("Problem")}
    contents = {422: content if problem is None else {**content, "example": problem}}
    return {
        str(status): {
            "description": ERRORS[status],
            "content": {PROBLEM_JSON: contents.get(status, content)},
        }
        for status in statuses
    }


def describe_body(schema: str, examples: Schema) -> Schema:
    """Describe a body in JSON."""
    return {"required": True, "content": {JSON: {"schema": refer(schema), "examples": examples}}}


TAGS = ("parameters", "weights", "models", "names", "operations")
DESCRIPTION = """\
Initial weights for neural networks over HTTP. A weight is a pure function of the stream version, the seed, \
the tensor's name, its position and the layer spec: the same bytes on every machine, today and in five years.

Every error is `application/problem+json` (RFC 9457). Every GET answers HEAD as well."""


def render_openapi(routes: Iterable[BaseRoute]) -> bytes:
    """Return the document as JSON: names sorted, indented, with a newline at its end."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(make_document(routes), option=options)


def make_document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the document of routes, of which FastAPI describes the operations.

    HEAD is left out: the description of the API has it once, for every GET.
    """
    described = [copy(route) for route in routes]
    for route in described:
        if isinstance(route, APIRoute):
            route.methods = (route.methods or set()) - {"HEAD"}
    made = get_openapi(
        title="weightinit",
        version=service.__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "."}],
        tags=[{"name": name} for name in TAGS],
        routes=described,
    )
    for route in described:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                restore_nulls(made["paths"][route.path_format][method.lower()], route.openapi_extra or {})
    components = made.get("components", {})
    return {**made, "components": {**components, "schemas": SCHEMAS}}


def restore_nulls(operation: Schema, extra: Schema) -> None:
    """Put the nulls back into the examples of an operation, which FastAPI leaves out."""
    operation["responses"] |= extra.get("responses", {})
