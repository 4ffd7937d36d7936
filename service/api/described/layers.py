"""What OpenAPI says of /v1/parameters and /v1/weights."""

from service.api.described.pieces import (
    BYTES,
    DECISION,
    FIELDS,
    LINK,
    LOCATION,
    RANGE,
    TENSOR,
    WANT_DIGEST,
    describe_body,
    describe_bytes,
    describe_errors,
    describe_fields,
)
from service.api.parameters import JSON
from service.api.representations import MEDIA_TYPES
from service.api.schemas import SCHEMAS, Schema, make_query_parameters, refer

LAYER: Schema = {"shape": [784, 300], "activation": "relu"}
DENSE: Schema = {**LAYER, "seed": 42, "name": "hidden1/kernel"}

EXAMPLES: Schema = {
    "dense": {"summary": "A dense layer before a ReLU", "value": LAYER},
    "convolution": {
        "summary": "A grouped 3 × 3 convolution in PyTorch's layout, before a leaky ReLU",
        "value": {
            "shape": [64, 8, 3, 3],
            "layout": "torch",
            "groups": 4,
            "activation": "leaky_relu",
            "negative_slope": 0.01,
        },
    },
    "keras": {
        "summary": "VarianceScaling(scale=2, mode=fan_avg, distribution=uniform) of Keras",
        "value": {"shape": [784, 300], "scheme": "he_uniform", "mode": "fan_avg"},
    },
}
WEIGHTS_EXAMPLES: Schema = {
    "dense": {"summary": "A dense layer before a ReLU", "value": DENSE},
    "shard": {"summary": "The first 128 rows of the same", "value": {**DENSE, "slice": "0:128,:"}},
    "large_seed": {
        "summary": "A seed beyond 2⁵³, as text",
        "value": {
            **DENSE,
            "seed": "18446744073709551615",
            "distribution": "truncated_normal",
            "dtype": "bfloat16",
        },
    },
}

DECIDED = {"description": "What was decided.", "content": {JSON: {"schema": refer("Parameters")}}}
# endpoint → what its operation has beside summary and description
HEADERS = {**BYTES, **TENSOR, **DECISION, **LINK}

OPERATIONS: dict[str, Schema] = {
    "get_parameters": {
        "parameters": make_query_parameters(SCHEMAS["LayerSpec"], LAYER),
        "responses": {"200": DECIDED, **describe_errors(406, 422)},
    },
    "post_parameters": {
        "requestBody": describe_body("LayerSpec", EXAMPLES),
        "responses": {"200": DECIDED, **describe_errors(400, 406, 408, 413, 415, 422)},
    },
    "get_weights": {
        "parameters": [
            *make_query_parameters(SCHEMAS["WeightsSpec"], {**DENSE, "slice": "0:128,:"}),
            *describe_fields({**FIELDS, "Want-Repr-Digest": WANT_DIGEST}),
        ],
        "responses": {
            "200": describe_bytes("The tensor.", HEADERS, *MEDIA_TYPES),
            "206": describe_bytes(
                "The range of bytes that was asked for.", {**HEADERS, **RANGE}, *MEDIA_TYPES
            ),
            "304": {"description": "The client has these bytes."},
            **describe_errors(406, 412, 416, 422, 503),
        },
    },
    "post_weights": {
        "parameters": describe_fields({"Want-Repr-Digest": WANT_DIGEST}),
        "requestBody": describe_body("WeightsSpec", WEIGHTS_EXAMPLES),
        "responses": {
            "200": describe_bytes("The tensor.", {**HEADERS, **LOCATION}, *MEDIA_TYPES),
            **describe_errors(400, 406, 408, 413, 415, 422, 503),
        },
    },
}
