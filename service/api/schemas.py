"""Schemas: the JSON shapes of the service, made from the types that hold them."""

from typing import Any

from pydantic import TypeAdapter

from service.api.decisions import DecidedModel, PublishedModel
from service.api.entries import Entry
from service.api.problems import NameProblem, Problem
from service.core import LayerSpec, Parameters
from service.core.models.spec import OWN, ConstantSpec, ModelSpec, StackSpec
from service.core.statements import Listing, Publication, Reason

Schema = dict[str, Any]

SPEC: Schema = LayerSpec.model_json_schema()
REFERENCE = "#/components/schemas/{model}"
ANSWERS = (Parameters, PublishedModel, DecidedModel, Entry, Problem, NameProblem)
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
    common = omit(SPEC["properties"], *OWN)
    model["properties"]["defaults"] |= {"properties": common, "additionalProperties": False}
    kinds = [refer(name) for name in ("DrawnSpec", "ConstantSpec", "StackSpec")]
    model["properties"]["tensors"]["items"] = {"anyOf": kinds}
    stack["properties"]["parts"]["items"] = refer("PartSpec")
    drawn = omit(SPEC["properties"], "seed")
    part = omit(drawn, "dtype") | {
        "slice": {"type": "string", "description": "Which rows of what is drawn, as in `0:128`."},
        "constant": {"type": "number", "description": "One value instead of what is drawn."},
    }
    return {
        "ModelSpec": model,
        "DrawnSpec": make_object("DrawnSpec", "A tensor that is drawn.", drawn, "name", "shape"),
        "ConstantSpec": ConstantSpec.model_json_schema(),
        "StackSpec": stack,
        "PartSpec": make_object("PartSpec", "A part of a tensor.", part, "shape"),
    }


def make_answer_schemas() -> dict[str, Schema]:
    """Make the schemas of what is answered, and of all that is in it."""
    answered = {kind.__name__: TypeAdapter(kind).json_schema(ref_template=REFERENCE) for kind in ANSWERS}
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
    return {"$ref": REFERENCE.format(model=name)}


SCHEMAS: Schema = {
    **make_answer_schemas(),
    **make_model_schemas(),
    **{kind.__name__: kind.model_json_schema() for kind in (Listing, Publication, Reason)},
    "LayerSpec": SPEC,
    "WeightsSpec": make_weights_schema(),
}
