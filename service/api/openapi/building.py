"""Building: functions that make schemas, and the enumerations that have a name of their own."""

from typing import Any, get_args

from service.core import DistributionName, DtypeName, Mode, SchemeName, TensorDtypeName
from service.core.access import Scope
from service.core.activations import Family
from service.core.layer.fans import FrameworkName
from service.core.layer.types import CenterName, SparsityAxis
from service.core.models.specs import Divisor, Steps
from service.core.models.values import ValuesName

Schema = dict[str, Any]


REFERENCE = "#/components/schemas/{model}"


# name → values and description
ENUMS: dict[str, tuple[object, str]] = {
    "Dtype": (DtypeName, "A floating-point format."),
    "TensorDtype": (TensorDtypeName, "The element type of a tensor of a model."),
    "Distribution": (DistributionName, "`normal` is not truncated; `truncated_normal` is, at ±2σ."),
    "Mode": (Mode, "The fan that divides the scale."),
    "FrameworkFans": (FrameworkName, "The framework whose way to count fans is used."),
    "SparsityAxis": (SparsityAxis, "The axis of a unit of a sparse kernel."),
    "KernelCenter": (CenterName, "Which tap of an even kernel is the middle one."),
    "ValuesRule": (ValuesName, "A rule that the elements of a tensor follow from their place by."),
    "SinusoidalDivisor": (Divisor, "What divides the exponents of the frequencies."),
    "SinusoidalSteps": (Steps, "The precision of intermediate values."),
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


def describe_defaults(schema: Schema) -> Schema:
    """Return the schema of an object with the defaults of its fields in their descriptions."""
    properties = {}
    for name, value in schema["properties"].items():
        properties[name] = omit(value, "default")
        if default := value.get("default"):
            text = f"{value.get('description', '')} Default: {default}.".strip()
            properties[name]["description"] = text
    return {**schema, "properties": properties}


def make_enum(name: str) -> Schema:
    """Make the schema of an enumeration."""
    values, description = ENUMS[name]
    return {"title": name, "description": description, "type": "string", "enum": [*get_args(values)]}
