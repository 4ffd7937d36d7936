"""Schemas: the JSON shapes of the service, made from the types that hold them."""

from typing import Any

from pydantic import TypeAdapter

from service.api.problems import Problem
from service.core import LayerSpec, Parameters

Schema = dict[str, Any]

SPEC: Schema = LayerSpec.model_json_schema()
PROBLEM: Schema = TypeAdapter(Problem).json_schema(ref_template="#/components/schemas/{model}")
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


def make_query_parameters(schema: Schema, examples: dict[str, object]) -> list[Schema]:
    """Make a query parameter of each property of a schema; a list is written with commas."""
    return [
        make_query_parameter(name, dict(value), examples, required=name in schema["required"])
        for name, value in schema["properties"].items()
    ]


def make_query_parameter(name: str, value: Schema, examples: dict[str, object], *, required: bool) -> Schema:
    """Make a query parameter. A query has no null: to leave the parameter out is to say nothing."""
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
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: Schema = {
    **PROBLEM.pop("$defs"),
    "LayerSpec": SPEC,
    "Parameters": TypeAdapter(Parameters).json_schema(),
    "Problem": PROBLEM,
    "WeightsSpec": make_weights_schema(),
}
