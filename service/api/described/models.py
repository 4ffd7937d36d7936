"""What OpenAPI says of /v1/models."""

from service.api.described.pieces import (
    FIELDS,
    WANT_DIGEST,
    describe_body,
    describe_errors,
    describe_fields,
    describe_headers,
)
from service.api.parameters import JSON
from service.api.representations import NPY, RAW
from service.api.safetensors import MEDIA_TYPE as SAFETENSORS
from service.api.schemas import SLICE, Schema, refer

EXAMPLES: Schema = {
    "digits": {
        "summary": "A network for digits, whose biases start at zero",
        "value": {
            "seed": 42,
            "tensors": [
                {"name": "hidden/kernel", "shape": [64, 32], "activation": "relu"},
                {"name": "hidden/bias", "shape": [32], "constant": 0},
                {"name": "out/kernel", "shape": [32, 10]},
                {"name": "out/bias", "shape": [10], "constant": 0},
            ],
        },
    },
    "attention": {
        "summary": "Three projections in one tensor, in bfloat16",
        "value": {
            "seed": "18446744073709551615",
            "defaults": {"dtype": "bfloat16", "layout": "torch"},
            "tensors": [
                {
                    "name": "attention.in_proj_weight",
                    "shape": [384, 128],
                    "parts": [
                        {"name": f"attention.in_proj_weight.{part}", "shape": [128, 128]} for part in "qkv"
                    ],
                }
            ],
        },
    },
}
PUBLISHED: Schema = {
    JSON: {
        "schema": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                **{name: {"type": "integer"} for name in ("stream", "tensors", "elements", "bytes")},
            },
        }
    }
}
PART: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "slice": {"type": ["string", "null"]},
        "constant": {"type": ["number", "null"]},
        "parameters": {"anyOf": [refer("Parameters"), {"type": "null"}]},
    },
}
DECIDED: Schema = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "seed": {"type": "string"},
        "stream": {"type": "integer"},
        "tensors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer"}},
                    "dtype": {"type": "string"},
                    "parts": {"type": "array", "items": PART},
                },
            },
        },
    },
}
LOCATION = {"Location": {"description": "The model's URL.", "schema": {"type": "string"}}}


def describe_path(*names: str) -> list[Schema]:
    """Describe the parameters of a path: a model's id, and what more there is."""
    texts = {
        "id": "The SHA-256 of the model's canonical form.",
        "tensor": "The tensor's name; slashes in it may stand as they are.",
    }
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": texts[name],
            "schema": {"type": "string"},
        }
        for name in ("id", *names)
    ]


def describe_answers(content: Schema) -> Schema:
    """Describe answers with bytes that may be had in ranges."""
    return {
        "200": {"description": "All of it.", "headers": describe_headers(), "content": content},
        "206": {
            "description": "The range of bytes that was asked for.",
            "headers": describe_headers("Content-Range"),
            "content": content,
        },
        "304": {"description": "The client has these bytes."},
        **describe_errors(404, 406, 412, 416, 422, 503),
    }


CONDITIONAL = describe_fields({**FIELDS, "Want-Repr-Digest": WANT_DIGEST})
CUT: Schema = {"name": "slice", "in": "query", "required": False, "schema": SLICE}

OPERATIONS: dict[str, Schema] = {
    "post_model": {
        "requestBody": describe_body("ModelSpec", EXAMPLES),
        "responses": {
            "200": {"description": "The model was there already.", "headers": LOCATION, "content": PUBLISHED},
            "201": {"description": "The model is published.", "headers": LOCATION, "content": PUBLISHED},
            **describe_errors(400, 406, 413, 415, 422, 503),
        },
    },
    "get_model": {
        "parameters": [*describe_path(), *CONDITIONAL],
        "responses": describe_answers({JSON: {"schema": refer("ModelSpec")}}),
    },
    "get_model_parameters": {
        "parameters": describe_path(),
        "responses": {
            "200": {
                "description": "What was decided for each tensor.",
                "content": {JSON: {"schema": DECIDED}},
            },
            **describe_errors(404, 406, 422, 503),
        },
    },
    "get_model_weights": {
        "parameters": [*describe_path(), *CONDITIONAL],
        "responses": describe_answers({SAFETENSORS: {}, RAW: {}}),
    },
    "get_model_tensor": {
        "parameters": [*describe_path("tensor"), CUT, *CONDITIONAL],
        "responses": describe_answers({NPY: {}, RAW: {}}),
    },
}
