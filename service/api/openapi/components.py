"""Components: the schemas that operations share.

Each has a name of its own, because generated clients have a class for each. A default is text in the
description of a field: openapi-typescript makes fields with a `default` required, and others send it.
"""

from typing import Any, get_args

from pydantic import TypeAdapter

from service.api.problems import NameProblem, NameRecord, Problem
from service.api.schemas.names import Publication
from service.api.schemas.recipes import CanonicalModel, RecipeRow
from service.api.schemas.responses import ActivationRow, DecidedModel, PublishedModel, SchemeRow
from service.api.schemas.tokens import (
    AuditRecord,
    CurrentToken,
    NewToken,
    TokenRecord,
    TokenRequest,
)
from service.core import DistributionName, DtypeName, LayerSpec, Mode, Parameters, SchemeName, TensorDtypeName
from service.core.access import Scope
from service.core.activations import Family
from service.core.layer.fans import FrameworkName
from service.core.layer.types import MAX_SEED, CenterName, SparsityAxis
from service.core.models.parsing import FIELDS_WITHOUT_DEFAULT
from service.core.models.specs import NAME_RULES, ConstantSpec, ModelSpec, StackSpec

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"
RESPONSES = {
    "Parameters": Parameters,
    "PublishedModel": PublishedModel,
    "DecidedModel": DecidedModel,
    "NameRecord": NameRecord,
    "CanonicalModel": CanonicalModel,
    "SchemeRow": SchemeRow,
    "RecipeRow": RecipeRow,
    "ActivationRow": ActivationRow,
    "TokenRecord": TokenRecord,
    "NewToken": NewToken,
    "CurrentToken": CurrentToken,
    "AuditRecord": AuditRecord,
    "Problem": Problem,
    "NameProblem": NameProblem,
}
# name → values and description
ENUMS: dict[str, tuple[object, str]] = {
    "Dtype": (DtypeName, "A floating-point format."),
    "TensorDtype": (TensorDtypeName, "The element type of a tensor of a model."),
    "Distribution": (DistributionName, "`normal` is not truncated; `truncated_normal` is, at ±2σ."),
    "Mode": (Mode, "The fan that divides the scale."),
    "FrameworkFans": (FrameworkName, "The framework whose way to count fans is used."),
    "SparsityAxis": (SparsityAxis, "The axis of a unit of a sparse kernel."),
    "KernelCenter": (CenterName, "Which tap of an even kernel is its centre."),
    "Scheme": (SchemeName, "An initialization scheme."),
    "Family": (Family, "A family of activations, which determines the scheme."),
    "AccessScope": (Scope, "What a token allows besides reading."),
}


def refer(name: str) -> Schema:
    """Return a reference to one of the schemas."""
    return {"$ref": REFERENCE.format(model=name)}


def omit(properties: Schema, *names: str) -> Schema:
    """Return properties without those named."""
    return {name: value for name, value in properties.items() if name not in names}


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


def allow_null(title: str, schema: Schema) -> Schema:
    """Make the schema of a field that may be null from that of one that may not."""
    kinds = [omit(schema, "description"), {"type": "null"}]
    return {"title": title, "description": schema["description"], "anyOf": kinds}


def make_union(title: str, description: str, *names: str) -> Schema:
    """Make the schema of a value that one of the named schemas describes."""
    return {"title": title, "description": description, "anyOf": [refer(name) for name in names]}


def make_page(title: str, description: str, field: str, row: str) -> Schema:
    """Make the schema of a response with a list of rows."""
    rows = {"title": field.title(), "type": "array", "items": refer(row)}
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": {field: rows},
        "required": [field],
    }


SEED: Schema = {
    "title": "Seed",
    "description": "0 to 2⁶⁴ - 1, as a number or as decimal text. Use text: many JSON libraries lose the "
    "digits of integers beyond 2⁵³.",
    "anyOf": [
        {"type": "integer", "format": "uint64", "minimum": 0, "maximum": MAX_SEED},
        {"type": "string", "pattern": "^[0-9]{1,20}$"},
    ],
}
RECIPE_CHOICE: Schema = {
    "title": "RecipeChoice",
    "description": "A recipe by its name, and its sizes, such as `layers`.",
    "type": "object",
    "properties": {"name": {"title": "Name", "type": "string"}},
    "required": ["name"],
    "additionalProperties": {"type": "number"},
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
SLICE: Schema = {
    "type": "string",
    "pattern": "^[0-9]*:[0-9]*(,[0-9]*:[0-9]*){0,7}$",
    "description": "The slice to draw: start:stop for each axis, half-open as in NumPy, separated by commas. "
    "Both ends and trailing axes are optional. Steps, negative and bare integers are not supported.",
}


def name_parts(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Replace the enumerations in a schema by references to components, and give integers 64 bits.

    Without a format, clients in Go, Java and C# have integers of 32 bits.
    """
    if isinstance(value, list):
        return [name_parts(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "integer":
        return {"format": "int64", **value}
    for name, (values, _) in ENUMS.items():
        if value.get("enum") == [*get_args(values)]:
            return {**omit(value, "enum", "title", "type"), **refer(name)}
    return {key: name_parts(item) for key, item in value.items()}


SPEC: Schema = name_parts(LayerSpec.model_json_schema())
SPEC["properties"]["seed"] = {"anyOf": [refer("Seed"), {"type": "null"}], "default": None}


def describe_defaults(schema: Schema) -> Schema:
    """Return the schema of an object with the defaults of its fields in their descriptions."""
    properties = {}
    for name, value in schema["properties"].items():
        properties[name] = omit(value, "default")
        if default := value.get("default"):
            text = f"{value.get('description', '')} Default: {default}.".strip()
            properties[name]["description"] = text
    return {**schema, "properties": properties}


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
    """Make the schemas of a model, its defaults, and the three kinds of tensors."""
    model, stack, constant = (
        name_parts(kind.model_json_schema()) for kind in (ModelSpec, StackSpec, ConstantSpec)
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
    for kind in (stack, constant):
        del kind["properties"]["dtype"]["default"]
    drawn = {name: omit(schema, "default") for name, schema in omit(SPEC["properties"], "seed").items()}
    drawn |= ROLE
    tensor = drawn | {"name": {**drawn["name"], **NAME_RULES}}
    constant_part = omit(constant["properties"], "dtype") | {"name": drawn["name"], "shape": stacked}
    common = make_object("ModelDefaults", "Fields for tensors that do not set them.", defaults)
    kinds = ("DrawnSpec", "ConstantSpec", "StackSpec")
    return {
        "ModelSpec": describe_defaults(model),
        "ModelDefaults": describe_defaults(common),
        "TensorSpec": make_union("TensorSpec", "A tensor: drawn, constant, or made of parts.", *kinds),
        "DrawnSpec": make_object("DrawnSpec", "A drawn tensor.", tensor, "name", "shape"),
        "ConstantSpec": constant,
        "StackSpec": stack,
        **make_part_schemas(omit(drawn, "dtype"), constant_part),
    }


def make_part_schemas(drawn: Schema, constant: Schema) -> dict[str, Schema]:
    """Make the schemas of a part of a tensor from the fields of its two kinds."""
    rows = {
        "type": "string",
        "pattern": "^[0-9]*:[0-9]*(,:){0,7}$",
        "description": "The rows to take from the drawn tensor, such as `0:128`.",
    }
    copy = {
        "title": "Copy",
        "type": "boolean",
        "description": "Whether the part repeats the draws of another part of its name on purpose.",
    }
    fields = {**drawn, "slice": allow_null("Slice", rows), "copy": copy}
    kinds = ("DrawnPartSpec", "ConstantPartSpec")
    text = "A part with one value everywhere."
    return {
        "PartSpec": make_union("PartSpec", "A part of a tensor: drawn or constant.", *kinds),
        "DrawnPartSpec": make_object("DrawnPartSpec", "A drawn part of a tensor.", fields, "shape"),
        "ConstantPartSpec": make_object("ConstantPartSpec", text, constant, "shape", "constant"),
    }


def make_response_schemas() -> dict[str, Schema]:
    """Make the schemas of responses and of the objects in them."""
    schemas = {
        name: {**TypeAdapter(kind).json_schema(ref_template=REFERENCE), "title": name}
        for name, kind in RESPONSES.items()
    }
    inner = [schema.pop("$defs", {}) for schema in schemas.values()]
    pages = {
        "SchemeTable": make_page("SchemeTable", "The initialization schemes.", "schemes", "SchemeRow"),
        "ActivationTable": make_page("ActivationTable", "The activations.", "activations", "ActivationRow"),
        "RecipeTable": make_page("RecipeTable", "The recipes.", "recipes", "RecipeRow"),
        "NamePage": make_page("NamePage", "A page of names.", "names", "NameRecord"),
        "TokenList": make_page("TokenList", "Tokens that are not revoked.", "tokens", "TokenRecord"),
        "AuditPage": make_page("AuditPage", "A page of the audit trail.", "changes", "AuditRecord"),
    }
    schemas["CanonicalModel"]["properties"] |= {
        "model": refer("ModelSpec"),
        "recipe": {"anyOf": [refer("RecipeChoice"), {"type": "null"}]},
    }
    named = {name: name_parts(value) for group in (schemas, *inner, pages) for name, value in group.items()}
    for problem in ("Problem", "NameProblem"):  # they have no errors, rather than an empty list
        del named[problem]["properties"]["errors"]["default"]
    named["FieldError"]["required"].append("suggestions")
    del named["FieldError"]["properties"]["suggestions"]["default"]
    return named


def make_enum(name: str) -> Schema:
    """Make the schema of an enumeration."""
    values, description = ENUMS[name]
    return {"title": name, "description": description, "type": "string", "enum": [*get_args(values)]}


COMPONENTS: Schema = {
    **make_response_schemas(),
    **make_model_schemas(),
    **{name: make_enum(name) for name in ENUMS},
    "Seed": SEED,
    "RecipeChoice": RECIPE_CHOICE,
    "Publication": describe_defaults(Publication.model_json_schema()),
    "TokenRequest": describe_defaults(name_parts(TokenRequest.model_json_schema())),
    "LayerSpec": describe_defaults(SPEC),
    "WeightsSpec": describe_defaults(make_weights_schema()),
    "Health": {
        "title": "Health",
        "description": "The state of a service that answers.",
        "type": "object",
        "properties": {"status": {"title": "Status", "const": "ok"}},
        "required": ["status"],
    },
}
