"""GET and POST /v1/parameters: the parameters of a layer's weights."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.api import examples
from service.api.content.representation import RELEASE_CACHE_CONTROL
from service.api.context import get_context
from service.api.endpoints.specs import refuse_query, resolve_within_limits
from service.api.http.body import read_json
from service.api.http.media_types import JSON
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.http.query import decode_query
from service.api.links import PARAMETERS, link_parameters
from service.api.openapi import (
    describe_body,
    describe_errors,
    describe_json,
    make_query_parameters,
    refer,
)
from service.api.router import make_router
from service.core import LayerSpec, Parameters
from service.core.layer.propagate import add_propagation

router = make_router("parameters")

DESCRIPTION = "The parameters."
SCHEMA = refer("Parameters")


@router.get(
    PARAMETERS,
    openapi_extra={
        "parameters": make_query_parameters("LayerSpec", examples.LAYER),
        "responses": {
            "200": describe_json(DESCRIPTION, SCHEMA, {"dense": examples.PARAMETERS["dense"]}),
            **describe_errors(406, 422, problem=examples.PROBLEM),
        },
    },
)
async def get_parameters(request: Request) -> Response:
    """Get scheme, fans, variance and limit of a layer's weights.

    The response has the formula of the variance, the reason and source of the scheme, and what becomes of the
    variance of signals and gradients. `limit` is √(3 · variance) for every distribution.
    """
    choose_media_type(join_lines(request, "accept"), [JSON])
    spec = LayerSpec.parse_query(decode_query(request.scope["query_string"]))
    parameters = resolve_within_limits(spec, get_context(request).settings)
    return respond(add_propagation(spec, parameters), {})


@router.post(
    PARAMETERS,
    openapi_extra={
        "requestBody": describe_body("LayerSpec", examples.LAYERS),
        "responses": {
            "200": describe_json(DESCRIPTION, SCHEMA, examples.PARAMETERS),
            **describe_errors(400, 406, 408, 413, 415, 422, problem=examples.PROBLEM),
        },
    },
)
async def post_parameters(request: Request) -> Response:
    """Get the parameters of a layer spec in JSON. `Content-Location` has the URL of the same GET."""
    choose_media_type(join_lines(request, "accept"), [JSON])
    refuse_query(request.scope["query_string"])
    settings = get_context(request).settings
    spec = LayerSpec.parse(await read_json(request, settings.max_body_bytes))
    parameters = add_propagation(spec, resolve_within_limits(spec, settings))
    return respond(parameters, {"Content-Location": link_parameters(spec, settings.root_path)})


def respond(parameters: Parameters, headers: dict[str, str]) -> Response:
    """Return a response with parameters in JSON."""
    return Response(
        orjson.dumps(parameters), headers={"Cache-Control": RELEASE_CACHE_CONTROL, **headers}, media_type=JSON
    )
