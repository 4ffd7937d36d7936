"""Specs: the schemas of layers and models in requests."""

from service.api.openapi.building import (
    Schema,
    allow_null,
    describe_defaults,
    make_object,
    make_union,
    name_parts,
    omit,
    refer,
)
from service.core import LayerSpec
from service.core.layer.types import MAX_SEED
from service.core.models.parsing import FIELDS_WITHOUT_DEFAULT
from service.core.models.specs import NAME_RULES, ConstantSpec, ModelSpec, StackSpec, ValuesSpec

SEED: Schema = {
    "title": "Seed",
    "description": "0 to 2⁶⁴ - 1, as a number or as decimal text. Use text: many JSON libraries lose the "
    "digits of integers beyond 2⁵³.",
    "anyOf": [
        {"type": "integer", "format": "uint64", "minimum": 0, "maximum": MAX_SEED},
        {"type": "string", "pattern": "^[0-9]{1,20}$"},
    ],
}


SLICE: Schema = {
    "type": "string",
    "pattern": "^[0-9]*:[0-9]*(,[0-9]*:[0-9]*){0,7}$",
    "description": "The slice to draw: start:stop for each axis, half-open as in NumPy, separated by commas. "
    "Both ends and trailing axes are optional. Steps, negative and bare integers are not supported.",
}


ROLE: Schema = {
    "role": {
        "title": "Role",
        "type": "string",
        "description": "What the tensor is for, in a model with a recipe. Default: from the name.",
    },
    "layer": {
        "title": "Layer",
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "description": "The number of the tensor's layer, in a model with a recipe. Default: from the name.",
    },
}


SPEC: Schema = name_parts(LayerSpec.model_json_schema())


SPEC["properties"]["seed"] = {"anyOf": [refer("Seed"), {"type": "null"}], "default": None}


def make_weights_schema() -> Schema:
    """Make the schema of a spec for weights: a seed is required, and a slice is optional."""
    return {
        **SPEC,
        "title": "WeightsSpec",
        "description": "A layer spec with a seed, and the slice of the tensor to draw.",
        "properties": {**SPEC["properties"], "seed": refer("Seed"), "slice": allow_null("Slice", SLICE)},
        "required": ["shape", "seed"],
    }


def make_model_schemas() -> dict[str, Schema]:
    """Make the schemas of a model, its defaults, and the four kinds of tensors."""
    model, stack, constant, values = (
        name_parts(kind.model_json_schema()) for kind in (ModelSpec, StackSpec, ConstantSpec, ValuesSpec)
    )
    defaults = omit(SPEC["properties"], *FIELDS_WITHOUT_DEFAULT)
    model["properties"] |= {
        "seed": refer("Seed"),
        "defaults": refer("ModelDefaults"),
        "recipe": {
            **omit(model["properties"]["recipe"], "anyOf"),
            "anyOf": [{"type": "string"}, refer("RecipeChoice"), {"type": "null"}],
        },
        "tensors": {**model["properties"]["tensors"], "items": refer("TensorSpec")},
    }
    stacked = {
        **constant["properties"]["shape"],
        "minItems": 1,
        "description": "At least 1 axis to stack along.",
    }
    parts = {**stack["properties"]["parts"], "items": refer("PartSpec")}
    stack["properties"] |= {"parts": parts, "shape": stacked}
    # Fields that are left out have the model's defaults, and not those of a spec.
    for kind in (stack, constant, values):
        del kind["properties"]["dtype"]["default"]
    values["properties"] = {name: omit(schema, "default") for name, schema in values["properties"].items()}
    drawn = {
        name: omit(schema, "default") for name, schema in omit(SPEC["properties"], "seed", "constant").items()
    }
    drawn |= ROLE
    tensor = drawn | {"name": {**drawn["name"], **NAME_RULES}}
    constant_part = omit(constant["properties"], "dtype") | {"name": drawn["name"], "shape": stacked}
    common = make_object("ModelDefaults", "Fields for tensors that do not set them.", defaults)
    kinds = ("DrawnSpec", "ConstantSpec", "ValuesSpec", "StackSpec")
    values_part = omit(values["properties"], "dtype") | {"name": drawn["name"]}
    return {
        "ModelSpec": describe_defaults(model),
        "ModelDefaults": describe_defaults(common),
        "TensorSpec": make_union(
            "TensorSpec", "A tensor: drawn, constant, made by a rule, or of parts.", *kinds
        ),
        "DrawnSpec": make_object("DrawnSpec", "A drawn tensor.", tensor, "name", "shape"),
        "ConstantSpec": constant,
        "ValuesSpec": values,
        "StackSpec": describe_defaults(stack),
        **make_part_schemas(omit(drawn, "dtype"), constant_part, values_part),
    }


def make_part_schemas(drawn: Schema, constant: Schema, values: Schema) -> dict[str, Schema]:
    """Make the schemas of a part of a tensor from the fields of its three kinds."""
    rows = {
        "type": "string",
        "pattern": "^(:,){0,7}[0-9]*:[0-9]*(,:){0,7}$",
        "description": "What to take of the drawn tensor along the axis of the stack, such as `0:128`.",
    }
    copy = {
        "title": "Copy",
        "type": "boolean",
        "description": "Whether the part repeats the draws of another part of its name on purpose.",
    }
    fields = {**drawn, "slice": allow_null("Slice", rows), "copy": copy}
    kinds = ("DrawnPartSpec", "ConstantPartSpec", "ValuesPartSpec")
    text = "A part with one value everywhere."
    return {
        "PartSpec": make_union("PartSpec", "A part of a tensor: drawn, constant, or made by a rule.", *kinds),
        "DrawnPartSpec": make_object("DrawnPartSpec", "A drawn part of a tensor.", fields, "shape"),
        "ConstantPartSpec": make_object("ConstantPartSpec", text, constant, "shape", "constant"),
        "ValuesPartSpec": make_object(
            "ValuesPartSpec", "A part whose elements follow from their place.", values, "shape", "values"
        ),
    }
