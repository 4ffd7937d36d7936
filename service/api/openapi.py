"""OpenAPI 3.1: the schemas and descriptions that operations share, and the document."""

from collections.abc import Iterable
from copy import copy
from typing import Any

import orjson
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import TypeAdapter
from starlette.routing import BaseRoute

import service
from service.api.http.media_types import JSON, PROBLEM_JSON
from service.api.problems import NameProblem, NameRecord, Problem
from service.api.schemas.names import Listing, Publication, Reason
from service.api.schemas.responses import ActivationRow, DecidedModel, PublishedModel, SchemeRow
from service.api.schemas.tokens import (
    AuditRecord,
    AuditRequest,
    CurrentToken,
    NewToken,
    TokenRecord,
    TokenRequest,
)
from service.core import LayerSpec, Parameters
from service.core.access import Scope
from service.core.models.parsing import FIELDS_WITHOUT_DEFAULT
from service.core.models.specs import ConstantSpec, ModelSpec, StackSpec

Schema = dict[str, Any]

SECURITY_SCHEME = "token"
BEARER = HTTPBearer(
    description="A token that `python -m service token create` or `POST /v1/tokens` made. Changes need "
    "one unless the service is open for all, and reads if `WEIGHTINIT_READ_ACCESS` is `token`.",
    auto_error=False,
)

SPEC: Schema = LayerSpec.model_json_schema()
REFERENCE = "#/components/schemas/{model}"
RESPONSES = {
    "Parameters": Parameters,
    "PublishedModel": PublishedModel,
    "DecidedModel": DecidedModel,
    "Entry": NameRecord,
    "SchemeRow": SchemeRow,
    "ActivationRow": ActivationRow,
    "TokenRecord": TokenRecord,
    "NewToken": NewToken,
    "CurrentToken": CurrentToken,
    "AuditRecord": AuditRecord,
    "Problem": Problem,
    "NameProblem": NameProblem,
}
REQUESTS = (Listing, Publication, Reason, TokenRequest, AuditRequest)
SLICE: Schema = {
    "type": "string",
    "description": "The slice to draw: start:stop for each axis, half-open as in NumPy, separated by commas. "
    "Both ends and trailing axes are optional. Steps, negative and bare integers are not supported.",
}


def make_weights_schema() -> Schema:
    """Make the schema of a spec for weights: a seed is required, and a slice is optional."""
    return {
        **SPEC,
        "title": "WeightsSpec",
        "description": "A layer spec with a seed, and the slice of the tensor to draw.",
        "properties": {**SPEC["properties"], "seed": require(SPEC["properties"]["seed"]), "slice": SLICE},
        "required": ["shape", "seed"],
    }


def make_model_schemas() -> dict[str, Schema]:
    """Make the schemas of a model, of its three kinds of tensors, and of a part of a tensor."""
    model, stack = ModelSpec.model_json_schema(), StackSpec.model_json_schema()
    common = omit(SPEC["properties"], *FIELDS_WITHOUT_DEFAULT)
    model["properties"]["defaults"] |= {"properties": common, "additionalProperties": False}
    kinds = [refer(name) for name in ("DrawnSpec", "ConstantSpec", "StackSpec")]
    model["properties"]["tensors"]["items"] = {"anyOf": kinds}
    stack["properties"]["parts"]["items"] = refer("PartSpec")
    # Fields that are left out have the model's defaults, and not those of a spec.
    drawn = {name: omit(schema, "default") for name, schema in omit(SPEC["properties"], "seed").items()}
    constant = ConstantSpec.model_json_schema()
    part = omit(drawn, "dtype") | {
        "shape": constant["properties"]["shape"],
        "slice": {
            "type": "string",
            "description": "The rows to take from the drawn tensor, such as `0:128`.",
        },
        "copy": {
            "type": "boolean",
            "description": "Whether the part repeats the draws of another part of its name on purpose.",
        },
        "constant": {
            "type": "number",
            "description": "The value of all elements. The part is then not drawn.",
        },
    }
    return {
        "ModelSpec": model,
        "DrawnSpec": make_object("DrawnSpec", "A drawn tensor.", drawn, "name", "shape"),
        "ConstantSpec": constant,
        "StackSpec": stack,
        "PartSpec": make_object("PartSpec", "A part of a tensor.", part, "shape"),
    }


def make_response_schemas() -> dict[str, Schema]:
    """Make the schemas of responses and of the objects in them."""
    schemas = {
        name: {**TypeAdapter(kind).json_schema(ref_template=REFERENCE), "title": name}
        for name, kind in RESPONSES.items()
    }
    inner = [schema.pop("$defs", {}) for schema in schemas.values()]
    return {name: value for group in (schemas, *inner) for name, value in group.items()}


def require(schema: Schema) -> Schema:
    """Return the schema of a field that may be null as that of one that may not."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return {**omit(schema, "default"), **({"anyOf": kinds} if kinds else {})}


def make_object(title: str, description: str, properties: Schema, *required: str) -> Schema:
    """Make the schema of an object without additional properties."""
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def omit(properties: Schema, *names: str) -> Schema:
    """Return properties without those named."""
    return {name: value for name, value in properties.items() if name not in names}


def make_query_parameters(schema: Schema, examples: dict[str, object]) -> list[Schema]:
    """Make a query parameter of each property of a schema. Lists are separated by commas."""
    return [
        make_query_parameter(name, dict(value), examples, required=name in schema.get("required", ()))
        for name, value in schema["properties"].items()
    ]


def make_query_parameter(name: str, value: Schema, examples: dict[str, object], *, required: bool) -> Schema:
    """Make a query parameter. A query has no null, so it is removed from type and default."""
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
    """Return a reference to one of the schemas."""
    return {"$ref": REFERENCE.format(model=name)}


SCHEMAS: Schema = {
    **make_response_schemas(),
    **make_model_schemas(),
    **{kind.__name__: kind.model_json_schema() for kind in REQUESTS},
    "LayerSpec": SPEC,
    "WeightsSpec": make_weights_schema(),
}


# status → when it is returned
ERRORS = {
    400: "The body is not JSON.",
    401: "The request has no valid token. See `WWW-Authenticate`.",
    403: "The token lacks the scope, or is for another team.",
    404: "No model, tensor or name with this id or name is published.",
    406: "Accept allows none of the media types of this path.",
    408: "The request did not arrive completely in time.",
    409: "There are as many tokens as there may be.",
    412: "If-Match does not have the current entity tag.",
    413: "The body exceeds the limit.",
    415: "Content-Type is not JSON.",
    416: "The range contains no byte of the content. Content-Range has the length.",
    422: "The request is invalid: `errors` has field, rule and received value of each broken rule.",
    429: "Your address has its share of the large bodies or digests. See `Retry-After`.",
    503: "Too many large bodies or digests, or the storage is unavailable. See `Retry-After`.",
    507: "The team has used its quota, or the disk has little free space.",
}

# Response headers: of all content, of a tensor or a slice of one, and of a tensor drawn from one spec.
BYTES = {
    "ETag": "Strong. Computed without drawing.",
    "Accept-Ranges": "`bytes`.",
    "Cache-Control": "The bytes never change.",
    "Repr-Digest": "The digest of the whole content, if requested with Want-Repr-Digest.",
    "Weightinit-Stream": "The version of the stream.",
}
TENSOR = {
    "Content-Disposition": "A file name made from the tensor's name.",
    "Weightinit-Shape": "The shape of the tensor, or of the slice.",
    "Weightinit-Dtype": "The dtype.",
}
DECISION = {
    "Weightinit-Layout": "The letter of each axis.",
    "Weightinit-Scheme": "The resolved scheme.",
    "Weightinit-Mode": "The fan that divides the scale. Absent for `explicit`.",
    "Weightinit-Distribution": "The distribution.",
    "Weightinit-Variance": "σ².",
    "Weightinit-Limit": "√(3 · σ²), the bound of a uniform distribution.",
}
WARNING = {"Weightinit-Warning": "If the name is empty: what that means."}
LINK = {"Link": 'The URL of the parameters, `rel="describedby"`.'}
MODEL = {"Weightinit-Model": "The id of the model."}
RANGE = {"Content-Range": "The range, and the length of the whole content."}
LOCATION = {"Content-Location": "The URL of the GET with the same bytes."}
FIELDS = {
    "Range": "One range of bytes, such as `bytes=-1024`. A request for several gets the whole content.",
    "If-Range": "The entity tag of the range. If it is not current, the response is the whole content.",
    "If-Match": "Entity tags, one of which must be current. Otherwise the response is 412.",
    "If-None-Match": "Entity tags that the client has. If one is current, the response is 304.",
}
WANT_DIGEST = "`sha-256` or `sha-512` with a preference, such as `sha-256=10` (RFC 9530)."


def describe_fields(fields: dict[str, str]) -> list[Schema]:
    """Describe request headers."""
    return [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in fields.items()
    ]


def describe_headers(texts: dict[str, str]) -> Schema:
    """Describe the headers of a response."""
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()}


def describe_bytes(description: str, texts: dict[str, str], *media_types: str) -> Schema:
    """Describe a response of bytes."""
    content: Schema = {name: {"schema": {"type": "string", "format": "binary"}} for name in media_types}
    return {"description": description, "headers": describe_headers(texts), "content": content}


def describe_json(
    description: str, schema: Schema, bodies: Schema, headers: dict[str, str] | None = None
) -> Schema:
    """Describe a response in JSON. `bodies` has one for each named example of the request."""
    examples = {name: {"value": body} for name, body in bodies.items()}
    described = {"description": description, "content": {JSON: {"schema": schema, "examples": examples}}}
    return {**described, "headers": describe_headers(headers)} if headers else described


def describe_errors(*statuses: int, problem: object = None) -> Schema:
    """Describe problems by status. `problem` is an example for 422."""
    content: Schema = {"schema": refer("Problem")}
    contents = {422: content if problem is None else {**content, "example": problem}}
    return {
        str(status): {
            "description": ERRORS[status],
            "content": {PROBLEM_JSON: contents.get(status, content)},
        }
        for status in statuses
    }


def describe_access(scope: Scope) -> Schema:
    """Describe that an operation needs a token with a scope; for `publish` and `retire` unless all may write.

    The scope is a role in the terms of OpenAPI 3.1.1, section 4.8.30.
    """
    optional: list[Schema] = [{}] if scope in {"publish", "retire"} else []
    return {"security": [*optional, {SECURITY_SCHEME: [scope]}]}


def describe_body(schema: str, examples: Schema) -> Schema:
    """Describe a request body in JSON."""
    return {"required": True, "content": {JSON: {"schema": refer(schema), "examples": examples}}}


TAGS = ("parameters", "weights", "models", "names", "access", "operations")
DESCRIPTION = """\
Initial weights for neural networks over HTTP. A weight is a pure function of the stream version, the seed, \
the tensor's name, its position and the layer spec: it has the same bytes on every machine, at any time.

Every error is `application/problem+json` (RFC 9457). Every GET also supports HEAD."""


def render_openapi(routes: Iterable[BaseRoute]) -> bytes:
    """Return the document as indented JSON with sorted names and a newline at the end."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(make_document(routes), option=options)


def make_document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the document of routes, made by FastAPI from their operations.

    Leaves out HEAD, which the description of the API mentions once for every GET.
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
                complete(made["paths"][route.path_format][method.lower()], route.openapi_extra or {})
    components = made.get("components", {})
    schemes = {SECURITY_SCHEME: BEARER.model.model_dump(by_alias=True, exclude_none=True)}
    return {**made, "components": {**components, "schemas": SCHEMAS, "securitySchemes": schemes}}


def complete(operation: Schema, extra: Schema) -> None:
    """Complete an operation that FastAPI has described.

    Restores the nulls in its examples, which FastAPI removes, and adds that reading may need a token.
    """
    operation["responses"] |= extra.get("responses", {})
    if "operations" not in operation["tags"] and "security" not in operation:
        operation["security"] = [{}, {SECURITY_SCHEME: ["read"]}]
        operation["responses"] |= describe_errors(401)
