"""Queries: the parameters of a query, made from the schema of a request."""

from service.api.openapi.building import Schema, name_parts
from service.api.openapi.specs import SPEC, make_weights_schema
from service.api.schemas.names import Listing, Reason
from service.api.schemas.tokens import AuditRequest

# The schemas of queries: no body has them.
QUERIES: Schema = {
    "LayerSpec": SPEC,
    "WeightsSpec": make_weights_schema(),
    **{kind.__name__: name_parts(kind.model_json_schema()) for kind in (Listing, Reason, AuditRequest)},
}


def make_query_parameters(name: str, examples: dict[str, object]) -> list[Schema]:
    """Make a query parameter of each property of a schema. Lists are separated by commas."""
    schema = QUERIES[name]
    return [
        make_query_parameter(field, dict(value), examples, required=field in schema.get("required", ()))
        for field, value in schema["properties"].items()
    ]


def make_query_parameter(name: str, value: Schema, examples: dict[str, object], *, required: bool) -> Schema:
    """Make a query parameter. A query has no null, so it is removed from type and default.

    >>> kinds = [{"type": "integer"}, {"type": "null"}]
    >>> make_query_parameter("seed", {"anyOf": kinds, "default": None}, {}, required=False)["schema"]
    {'type': 'integer'}
    """
    description = value.pop("description", "")
    for noise in ("title", "examples"):
        value.pop(noise, None)
    if value.get("default", ...) is None:
        del value["default"]
    if "$ref" in value and "default" in value:  # beside a reference, it costs openapi-generator the type
        description = f"{description} Default: {value.pop('default')}.".strip()
    kinds = [kind for kind in value.pop("anyOf", []) if kind != {"type": "null"}]
    lists = [kind for kind in kinds if kind.get("type") == "array"]
    if kinds:
        kinds = lists or kinds  # one number is a list of one in a query
        value |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    parameter: Schema = {"name": name, "in": "query", "required": required, "schema": value}
    if value.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    if description:
        parameter["description"] = description
    if name in examples:
        parameter["example"] = examples[name]
    return parameter
