"""GET and POST /v1/parameters: what is decided for a layer, and why."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.api.context import get_context
from service.api.endpoints.specs import refuse_query, resolve_within_limits
from service.api.http.body import read_json
from service.api.http.media_types import JSON
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.http.query import decode_query
from service.api.links import PARAMETERS, link_parameters
from service.api.openapi import SCHEMAS, Schema, describe_body, describe_errors, make_query_parameters, refer
from service.api.router import make_router
from service.core import LayerSpec, Parameters

router = make_router("parameters")

CACHING = "public, max-age=3600"

LAYER: Schema = {"shape": [784, 300], "activation": "relu"}

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

DECIDED = {"description": "What was decided.", "content": {JSON: {"schema": refer("Parameters")}}}


@router.get(
    PARAMETERS,
    openapi_extra={
        "parameters": make_query_parameters(SCHEMAS["LayerSpec"], LAYER),
        "responses": {"200": DECIDED, **describe_errors(406, 422)},
    },
)
async def get_parameters(request: Request) -> Response:
    """Decide scheme, fans, variance and limit for a layer.

    The answer says how the variance came about, why this scheme, and where it was published. `limit` is
    √(3 · variance), whatever the distribution.
    """
    choose_media_type(join_lines(request, "accept"), [JSON])
    spec = LayerSpec.parse_query(decode_query(request.scope["query_string"]))
    return respond(resolve_within_limits(spec, get_context(request).settings), {})


@router.post(
    PARAMETERS,
    openapi_extra={
        "requestBody": describe_body("LayerSpec", EXAMPLES),
        "responses": {"200": DECIDED, **describe_errors(400, 406, 408, 413, 415, 422)},
    },
)
async def post_parameters(request: Request) -> Response:
    """Decide for a layer spec in JSON, as GET does for a query. `Content-Location` names that GET."""
    choose_media_type(join_lines(request, "accept"), [JSON])
    refuse_query(request.scope["query_string"])
    settings = get_context(request).settings
    spec = LayerSpec.parse(await read_json(request, settings.max_body_bytes))
    parameters = resolve_within_limits(spec, settings)
    return respond(parameters, {"Content-Location": link_parameters(spec, settings.root_path)})


def respond(parameters: Parameters, headers: dict[str, str]) -> Response:
    """Answer with what was decided."""
    return Response(orjson.dumps(parameters), headers={"Cache-Control": CACHING, **headers}, media_type=JSON)
