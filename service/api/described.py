"""What OpenAPI says of each operation beside its endpoint's text: parameters, bodies, answers, examples."""

from service.api import metrics, problems
from service.api.representations import NPY, RAW
from service.api.schemas import SCHEMAS, Schema, make_query_parameters, refer

JSON = "application/json"
LAYER: Schema = {"shape": [784, 300], "activation": "relu"}
TENSOR: Schema = {**LAYER, "seed": 42, "name": "hidden1/kernel"}

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
    "dense": {"summary": "A dense layer before a ReLU", "value": TENSOR},
    "shard": {"summary": "The first 128 rows of the same", "value": {**TENSOR, "slice": "0:128,:"}},
    "large_seed": {
        "summary": "A seed beyond 2⁵³, as text",
        "value": {
            **TENSOR,
            "seed": "18446744073709551615",
            "distribution": "truncated_normal",
            "dtype": "bfloat16",
        },
    },
}

# status → when it is answered
ERRORS = {
    400: "The body is not JSON.",
    406: "Accept leaves none of the media types served.",
    412: "If-Match does not name the entity tag.",
    413: "The body is longer than the limit.",
    415: "The body is not said to be JSON.",
    416: "No byte of the range is there; Content-Range has the length.",
    422: "The layer spec cannot be honoured: `errors` has field, rule and received value of each rule.",
    503: "Too many large bodies are being sent; Retry-After says when to try again.",
}

HEADERS = {
    "ETag": "Strong, and known before a byte is drawn.",
    "Accept-Ranges": "`bytes`.",
    "Cache-Control": "The bytes never change.",
    "Content-Disposition": "A file name made from the tensor's name.",
    "Link": "The parameters that the bytes were drawn with (`describedby`).",
    "Repr-Digest": "The digest of the whole, where Want-Repr-Digest asked for one.",
    "Weightinit-Stream": "The version of the stream.",
    "Weightinit-Shape": "The shape of what is served: of the box, where there is a slice.",
    "Weightinit-Dtype": "The dtype.",
    "Weightinit-Layout": "The letter of each axis.",
    "Weightinit-Scheme": "The scheme that was decided on.",
    "Weightinit-Mode": "The fan that divides the scale.",
    "Weightinit-Distribution": "The distribution.",
    "Weightinit-Variance": "σ².",
    "Weightinit-Limit": "√(3 · σ²): the bound of a uniform distribution.",
}
FIELDS = {
    "Range": "One range of bytes, such as `bytes=-1024`. Several are answered with the whole.",
    "If-Range": "The entity tag for which the range holds; else the whole is sent.",
    "If-Match": "Entity tags of which one must be the current.",
    "If-None-Match": "Entity tags that the client has: 304 where one is the current.",
}
WANT_DIGEST = "`sha-256` or `sha-512` with a preference, such as `sha-256=10` (RFC 9530)."


def describe_fields(fields: dict[str, str]) -> list[Schema]:
    """Describe request headers."""
    return [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in fields.items()
    ]


def describe_headers(*more: str) -> Schema:
    """Describe the headers that come with weights."""
    texts = {
        **HEADERS,
        "Content-Range": "Which bytes these are.",
        "Content-Location": "The GET of the same bytes.",
    }
    return {name: {"description": texts[name], "schema": {"type": "string"}} for name in (*HEADERS, *more)}


def describe_errors(*statuses: int) -> Schema:
    """Describe problems."""
    content = {problems.MEDIA_TYPE: {"schema": refer("Problem")}}
    return {str(status): {"description": ERRORS[status], "content": content} for status in statuses}


def describe_bytes(description: str, *headers: str) -> Schema:
    """Describe an answer that has weights."""
    content: Schema = {NPY: {}, RAW: {}}
    return {"description": description, "headers": describe_headers(*headers), "content": content}


def describe_body(schema: str, examples: Schema) -> Schema:
    """Describe a body in JSON."""
    return {"required": True, "content": {JSON: {"schema": refer(schema), "examples": examples}}}


DECIDED = {"description": "What was decided.", "content": {JSON: {"schema": refer("Parameters")}}}
STATUS: Schema = {JSON: {"schema": {"type": "object", "properties": {"status": {"const": "ok"}}}}}

# endpoint → what its operation has beside summary and description
OPERATIONS: dict[str, Schema] = {
    "get_parameters": {
        "parameters": make_query_parameters(SCHEMAS["LayerSpec"], LAYER),
        "responses": {"200": DECIDED, **describe_errors(406, 422)},
    },
    "post_parameters": {
        "requestBody": describe_body("LayerSpec", EXAMPLES),
        "responses": {"200": DECIDED, **describe_errors(400, 406, 413, 415, 422)},
    },
    "get_weights": {
        "parameters": [
            *make_query_parameters(SCHEMAS["WeightsSpec"], {**TENSOR, "slice": "0:128,:"}),
            *describe_fields({**FIELDS, "Want-Repr-Digest": WANT_DIGEST}),
        ],
        "responses": {
            "200": describe_bytes("The tensor."),
            "206": describe_bytes("The range of bytes that was asked for.", "Content-Range"),
            "304": {"description": "The client has these bytes."},
            **describe_errors(406, 412, 416, 422, 503),
        },
    },
    "post_weights": {
        "parameters": describe_fields({"Want-Repr-Digest": WANT_DIGEST}),
        "requestBody": describe_body("WeightsSpec", WEIGHTS_EXAMPLES),
        "responses": {
            "200": describe_bytes("The tensor.", "Content-Location"),
            **describe_errors(400, 406, 413, 415, 422, 503),
        },
    },
    "get_liveness": {"responses": {"200": {"description": "The process answers.", "content": STATUS}}},
    "get_readiness": {
        "responses": {
            "200": {"description": "The stream draws what it always drew.", "content": STATUS},
            "503": {
                "description": "The self-check has not passed.",
                "content": {problems.MEDIA_TYPE: {"schema": refer("Problem")}},
            },
        }
    },
    "get_metrics": {
        "responses": {
            "200": {
                "description": "The metrics.",
                "content": {metrics.CONTENT_TYPE: {"schema": {"type": "string"}}},
            }
        }
    },
}
