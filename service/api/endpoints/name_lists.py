"""GET /v1/names: list names of models."""

from starlette.requests import Request
from starlette.responses import Response

from service.api import examples
from service.api.access import limit_prefix
from service.api.context import get_context, read_store
from service.api.endpoints.names import HEADERS, TAGS, describe_name_errors, render, respond
from service.api.http.media_types import JSON
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.http.query import decode_query
from service.api.links import NAMES, link_names
from service.api.openapi import (
    NEXT_PAGE,
    describe_errors,
    describe_fields,
    describe_json,
    make_query_parameters,
    refer,
)
from service.api.problems import NameRecord
from service.api.router import make_router
from service.api.schemas.names import Listing
from service.core.models.names import ModelName

router = make_router("names")


@router.get(
    NAMES,
    openapi_extra={
        "parameters": [
            *make_query_parameters("Listing", {"prefix": "vision/", "limit": 20}),
            *describe_fields(TAGS),
        ],
        "responses": {
            "200": describe_json(
                "A page of names.",
                refer("NamePage"),
                {"start": {"names": [examples.ENTRY]}},
                {**HEADERS, **NEXT_PAGE},
            ),
            "304": {"description": "The client has the current content."},
            **describe_errors(406, 412, 422),
            **describe_name_errors(503),
        },
    },
)
async def list_names(request: Request) -> Response:
    """List names, including retired ones, sorted by team, name and version, each by code points.

    If there are more, `Link` has the URL of the next page (`rel="next"`).
    """
    context = get_context(request)
    choose_media_type(join_lines(request, "accept"), [JSON])
    query = Listing.parse_query(decode_query(request.scope["query_string"]))
    after = ModelName.parse(query.after) if query.after else None
    prefix = limit_prefix(request, query.prefix)
    found = await read_store(context, context.store.list_names, prefix, after, query.limit + 1)
    page, headers = found[: query.limit], {}
    if len(found) > query.limit:
        following = link_names(prefix, query.limit, page[-1].name, context.settings.root_path)
        headers["Link"] = f'<{following}>; rel="next"'
    return respond(request, render({"names": [NameRecord.of(entry) for entry in page]}), headers)
