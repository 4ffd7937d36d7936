"""What OpenAPI says of /v1/models."""

from service.api.described.pieces import (
    BYTES,
    DECISION,
    FIELDS,
    MODEL,
    RANGE,
    TENSOR,
    WANT_DIGEST,
    describe_body,
    describe_bytes,
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
PUBLISHED: Schema = {JSON: {"schema": refer("PublishedModel")}}
LOCATION = describe_headers({"Location": "The model's URL."})


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


def describe_answers(texts: dict[str, str], *media_types: str) -> Schema:
    """Describe answers with bytes that may be had in ranges."""
    texts = {**BYTES, **MODEL, **texts}
    return {
        "200": describe_bytes("All of it.", texts, *media_types),
        "206": describe_bytes("The range of bytes that was asked for.", {**texts, **RANGE}, *media_types),
        "304": {"description": "The client has these bytes."},
        **describe_errors(404, 406, 412, 416, 422, 503),
    }


ONE = {name: f"{text} Where one spec draws all of the tensor." for name, text in DECISION.items()}
CONDITIONAL = describe_fields({**FIELDS, "Want-Repr-Digest": WANT_DIGEST})
CUT: Schema = {"name": "slice", "in": "query", "required": False, "schema": SLICE}

OPERATIONS: dict[str, Schema] = {
    "post_model": {
        "requestBody": describe_body("ModelSpec", EXAMPLES),
        "responses": {
            "200": {"description": "The model was there already.", "headers": LOCATION, "content": PUBLISHED},
            "201": {"description": "The model is published.", "headers": LOCATION, "content": PUBLISHED},
            **describe_errors(400, 406, 408, 413, 415, 422, 503),
        },
    },
    "get_model": {
        "parameters": [*describe_path(), *CONDITIONAL],
        "responses": describe_answers({}, JSON),
    },
    "get_model_parameters": {
        "parameters": describe_path(),
        "responses": {
            "200": {
                "description": "What was decided for each tensor.",
                "content": {JSON: {"schema": refer("DecidedModel")}},
            },
            **describe_errors(404, 406, 422, 503),
        },
    },
    "get_model_weights": {
        "parameters": [*describe_path(), *CONDITIONAL],
        "responses": describe_answers(
            {"Content-Disposition": "A file name made from the id."}, SAFETENSORS, RAW
        ),
    },
    "get_model_tensor": {
        "parameters": [*describe_path("tensor"), CUT, *CONDITIONAL],
        "responses": describe_answers({**TENSOR, **ONE}, NPY, RAW),
    },
}
