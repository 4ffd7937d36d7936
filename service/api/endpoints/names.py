"""GET, PUT and DELETE /v1/names/{team}/{name}/{version}: look up, publish and retire a name of a model."""

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api import examples
from service.api.access import authorize, check_reader
from service.api.context import Context, get_context, read_store, write_store
from service.api.endpoints.specs import refuse_query
from service.api.http.body import read_json
from service.api.http.conditional import compute_etag, matches_strongly, matches_weakly
from service.api.http.media_types import JSON, PROBLEM_JSON
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.http.query import decode_query
from service.api.links import NAME
from service.api.openapi import (
    Schema,
    describe_access,
    describe_body,
    describe_errors,
    describe_fields,
    describe_json,
    describe_links,
    make_query_parameters,
    refer,
)
from service.api.problems import NameRecord, NameRetiredError
from service.api.router import make_router
from service.api.schemas.names import Publication, Reason
from service.core.errors import make_spec_error
from service.core.models.names import SEGMENT, SEGMENT_RULE, ModelName
from service.store import NameEntry, UnknownModelError

router = make_router("names")

NOT_STORED = {"Cache-Control": "no-store"}

TAGS = {
    "If-Match": "Entity tags, or `*` for any. If none is current, the response is 412.",
    "If-None-Match": "Entity tags that the client has. If one is current, the response is 304.",
}

CONDITIONS = {
    "If-Match": "Entity tags, or `*` for any: 412 unless the name is published with one of them.",
    "If-None-Match": "Entity tags, or `*` for any: 412 if the name is published with one of them.",
}

HEADERS = {"ETag": "Strong.", "Cache-Control": "`no-cache`: revalidate each time."}

# status → when it is returned
ERRORS = {
    404: "No model is published under this name.",
    409: "The name stands for another model, whose id is in `model`, or is retired (see `retired`).",
    410: "The name is retired. `model` has the id of its model; `retired` has who, why and when.",
    503: "The storage is unavailable. See `Retry-After`.",
}


def describe_path() -> list[Schema]:
    """Describe the segments of a name in a path."""
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": SEGMENT_RULE,
            "schema": {"type": "string", "pattern": f"^{SEGMENT.pattern}$"},
            "example": example,
        }
        for name, example in examples.NAME._asdict().items()
    ]


def describe_name_errors(*statuses: int) -> Schema:
    """Describe the problems that are specific to names."""
    known = {410: {"example": examples.RETIRED_PROBLEM}}
    return {
        str(status): {
            "description": ERRORS[status],
            "content": {
                PROBLEM_JSON: {
                    "schema": refer("NameProblem" if status in {409, 410} else "Problem"),
                    **known.get(status, {}),
                }
            },
        }
        for status in statuses
    }


ENTRY = refer("NameRecord")
EXAMPLES = {"start": examples.ENTRY}
SEGMENTS = {name: f"$request.path.{name}" for name in examples.NAME._fields}
MODEL_LINKS = describe_links(
    {name: {"id": "$response.body#/model"} for name in ("get_model", "get_model_weights")}
)
LINKS = {
    **describe_links(
        dict.fromkeys(("get_name", "delete_name", "get_named_parameters", "get_named_weights"), SEGMENTS)
    ),
    **MODEL_LINKS,
}


@router.put(
    NAME,
    openapi_extra={
        **describe_access("publish"),
        "parameters": [*describe_path(), *describe_fields(CONDITIONS)],
        "requestBody": describe_body(
            "Publication",
            {"start": {"summary": "A name for published initial weights", "value": examples.PUBLICATION}},
        ),
        "responses": {
            "200": {
                **describe_json("The name already stands for this model.", ENTRY, EXAMPLES),
                "links": LINKS,
            },
            "201": {
                **describe_json("The name stands for this model from now on.", ENTRY, EXAMPLES),
                "links": LINKS,
            },
            **describe_errors(400, 401, 403, 406, 408, 412, 413, 415, 422, 507),
            **describe_name_errors(409, 503),
            "404": {
                **describe_errors(404)["404"],
                "description": "The path has more segments: an encoded slash separates them too.",
            },
        },
    },
)
async def put_name(request: Request) -> Response:
    """Publish a model under a name.

    The name stands for the model forever. Repeating the request changes nothing and returns 200. If the name
    stands for another model or is retired, the response is 409, with the id of its model.
    """
    context, name = get_context(request), read_name(request)
    refuse_query(request.scope["query_string"])
    actor = await authorize(request, "publish", name.team)
    if "content-range" in request.headers:
        raise HTTPException(400, "A name has no parts: Content-Range must not be sent.")  # RFC 9110, 14.5
    publication = Publication.parse(await read_json(request, context.settings.max_body_bytes))
    await check_conditions(request, context, name)
    try:
        entry, new = await write_store(
            context,
            context.store.put_name,
            name,
            publication.model,
            publication.author,
            publication.note,
            actor,
        )
    except UnknownModelError:
        raise make_spec_error("model", "must be the id of a published model", publication.model) from None
    return Response(render(NameRecord.of(entry)), 201 if new else 200, NOT_STORED, JSON)


@router.get(
    NAME,
    openapi_extra={
        "parameters": [*describe_path(), *describe_fields(TAGS)],
        "responses": {
            "200": {
                **describe_json(
                    "The name, its model, and who published it, why and when.", ENTRY, EXAMPLES, HEADERS
                ),
                "links": MODEL_LINKS,
            },
            "304": {"description": "The client has the current content."},
            **describe_errors(406, 412, 422),
            **describe_name_errors(404, 410, 503),
        },
    },
)
async def get_name(request: Request) -> Response:
    """Get the model that a name stands for.

    If the name is retired, the response is 410, with the id of the model and who retired it, why and when.
    """
    context, name = get_context(request), read_name(request)
    refuse_query(request.scope["query_string"])
    entry = await find_entry(context, name)
    return respond(request, render(NameRecord.of(entry)), {})


@router.delete(
    NAME,
    openapi_extra={
        **describe_access("retire"),
        "parameters": [
            *describe_path(),
            *make_query_parameters("Reason", examples.RETIREMENT),
            *describe_fields(CONDITIONS),
        ],
        "responses": {
            "200": {
                **describe_json("The name is retired.", ENTRY, {"start": examples.RETIRED}),
                "links": MODEL_LINKS,
            },
            **describe_errors(401, 403, 406, 412, 422),
            **describe_name_errors(404, 503),
        },
    },
)
async def delete_name(request: Request) -> Response:
    """Retire a name.

    Requests for it then return 410, and it can never be published again. Repeating the request changes
    nothing.
    """
    context, name = get_context(request), read_name(request)
    reason = Reason.parse_query(decode_query(request.scope["query_string"]))
    actor = await authorize(request, "retire", name.team)
    await check_conditions(request, context, name)
    found = await write_store(context, context.store.retire_name, name, reason.author, reason.note, actor)
    return Response(render(NameRecord.of(require_entry(name, found))), 200, NOT_STORED, JSON)


def read_name(request: Request) -> ModelName:
    """Check that Accept allows JSON, and return the name in the path. Raises SpecError, HTTPException 406.

    Raises HTTPException 403 if the request may not read names of the team.
    """
    choose_media_type(join_lines(request, "accept"), [JSON])
    name = ModelName.of(**request.path_params)
    check_reader(request, name.team)
    return name


async def check_conditions(request: Request, context: Context, name: ModelName) -> None:
    """Check the conditions of a write (RFC 9110, section 13.2.2). Raises HTTPException 412."""
    if_match, if_none_match = (join_lines(request, field) for field in ("if-match", "if-none-match"))
    if if_match is None and if_none_match is None:
        return
    entry = await read_store(context, context.store.get_name, name)
    if request.method == "DELETE":
        require_entry(name, entry)  # conditions do not matter where the response is 404 (section 13.2.1)
    etag = None if entry is None else compute_etag(render(NameRecord.of(entry)))
    if if_match is not None and not (etag and matches_strongly(if_match, etag)):
        raise HTTPException(412, f"The entity tag is {etag}." if etag else "The name is not published.")
    if if_none_match is not None and etag and matches_weakly(if_none_match, etag):
        raise HTTPException(412, "The name is published, with this entity tag.")


async def find_entry(context: Context, name: ModelName) -> NameEntry:
    """Return the entry of a name that is not retired. Raises HTTPException 404, NameRetiredError."""
    entry = require_entry(name, await read_store(context, context.store.get_name, name))
    if entry.retired:
        raise NameRetiredError(entry)
    return entry


def require_entry(name: ModelName, found: NameEntry | None) -> NameEntry:
    """Return the entry of a name. Raises HTTPException 404 if it is None."""
    if found is None:
        raise HTTPException(404, f"No model is published under the name {name}.")
    return found


def render(value: NameRecord | dict[str, list[NameRecord]]) -> bytes:
    """Write entries as JSON, with times as in RFC 3339."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def respond(request: Request, body: bytes, headers: dict[str, str]) -> Response:
    """Return 200 with a body to revalidate, or 304 (RFC 9110, section 13.2.2). Raises HTTPException 412."""
    etag = compute_etag(body)
    headers |= {"ETag": etag, "Cache-Control": "no-cache"}
    if (if_match := join_lines(request, "if-match")) is not None and not matches_strongly(if_match, etag):
        raise HTTPException(412, f"The entity tag is {etag}.", {"ETag": etag})
    if (if_none_match := join_lines(request, "if-none-match")) is not None and matches_weakly(
        if_none_match, etag
    ):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=JSON)
