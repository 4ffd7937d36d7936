"""GET and POST /v1/parameters: what is decided for a layer, and why."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.api.context import get_context
from service.api.endpoints.specs import decide_within_limits, refuse_query
from service.api.http.body import read_json
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.http.query import decode_query
from service.api.links import link_parameters
from service.core import LayerSpec, Parameters

JSON = "application/json"
CACHING = "public, max-age=3600"


async def get_parameters(request: Request) -> Response:
    """Decide scheme, fans, variance and limit for a layer.

    The answer says how the variance came about, why this scheme, and where it was published. `limit` is
    √(3 · variance), whatever the distribution.
    """
    choose_media_type(join_lines(request, "accept"), [JSON])
    spec = LayerSpec.parse_query(decode_query(request.scope["query_string"]))
    return respond(decide_within_limits(spec, get_context(request).settings), {})


async def post_parameters(request: Request) -> Response:
    """Decide for a layer spec in JSON, as GET does for a query. `Content-Location` names that GET."""
    choose_media_type(join_lines(request, "accept"), [JSON])
    refuse_query(request.scope["query_string"])
    settings = get_context(request).settings
    spec = LayerSpec.parse(await read_json(request, settings.max_body_bytes))
    parameters = decide_within_limits(spec, settings)
    return respond(parameters, {"Content-Location": link_parameters(spec, settings.root_path)})


def respond(parameters: Parameters, headers: dict[str, str]) -> Response:
    """Answer with what was decided."""
    return Response(orjson.dumps(parameters), headers={"Cache-Control": CACHING, **headers}, media_type=JSON)
