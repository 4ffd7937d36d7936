"""/v1/tokens, /v1/token and /v1/audit: create, list and revoke tokens, and see who changed what."""

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api import examples
from service.api.access import authenticate, check_scope, make_actor, require_token
from service.api.context import get_context, read_store, write_store
from service.api.endpoints.specs import refuse_query
from service.api.http.body import read_json
from service.api.http.media_types import JSON
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.http.query import decode_query
from service.api.links import AUDIT, CURRENT, TOKENS, link_audit
from service.api.openapi import (
    NEXT_PAGE,
    Schema,
    describe_access,
    describe_body,
    describe_errors,
    describe_json,
    describe_links,
    make_query_parameters,
    refer,
)
from service.api.router import make_router
from service.api.schemas.tokens import (
    AuditRecord,
    AuditRequest,
    CurrentToken,
    NewToken,
    TokenRecord,
    TokenRequest,
)
from service.core.access import ALL_TEAMS, Secret, Token

router = make_router("access")

HEADERS = {"Cache-Control": "no-store"}

PATH: Schema = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The token's id: 12 hexadecimal digits, which are also part of its text.",
    "schema": {"type": "string"},
    "example": examples.TOKEN["id"],
}


@router.post(
    TOKENS,
    openapi_extra={
        **describe_access("admin"),
        "requestBody": describe_body("TokenRequest", examples.TOKEN_REQUEST),
        "responses": {
            "201": {
                **describe_json("The new token.", refer("NewToken"), {"publisher": examples.NEW_TOKEN}),
                "links": describe_links({"delete_token": {"id": "$response.body#/record/id"}}),
            },
            **describe_errors(400, 401, 403, 406, 408, 409, 413, 415, 422, 503, 507),
        },
    },
)
async def post_token(request: Request) -> Response:
    """Create a token.

    The response is the only one that has its text. The service stores its SHA-256.
    """
    check_request(request)
    context, actor = get_context(request), await require_token(request, "admin")
    wanted = TokenRequest.parse(await read_json(request, context.settings.max_body_bytes))
    if actor.team not in {ALL_TEAMS, wanted.team}:
        detail = f"The token {actor.token} may make tokens for the team {actor.team} only."
        raise HTTPException(403, detail)
    secret = Secret.make()
    token = wanted.make_token(secret)
    await write_store(context, context.store.put_token, token, actor)
    return respond(NewToken(secret.text, TokenRecord.of(token)), 201)


@router.get(
    TOKENS,
    openapi_extra={
        **describe_access("admin"),
        "responses": {
            "200": describe_json(
                "The tokens, by their time of creation.",
                refer("TokenList"),
                {"publisher": {"tokens": [examples.TOKEN]}},
            ),
            **describe_errors(401, 403, 406, 422, 503),
        },
    },
)
async def list_tokens(request: Request) -> Response:
    """List the tokens that are not revoked: of all teams, or of the team of the request's token."""
    check_request(request)
    context, actor = get_context(request), await require_token(request, "admin")
    team = None if actor.team == ALL_TEAMS else actor.team
    found = await read_store(context, context.store.list_tokens, team)
    return respond({"tokens": [TokenRecord.of(token) for token in found]})


@router.get(
    CURRENT,
    openapi_extra={
        **describe_access("read"),
        "responses": {
            "200": describe_json("The token.", refer("CurrentToken"), {"publisher": examples.CURRENT_TOKEN}),
            **describe_errors(401, 406, 422, 503),
        },
    },
)
async def get_current_token(request: Request) -> Response:
    """Get the token of the request, and how many bytes its team has published."""
    check_request(request)
    context, token = get_context(request), await authenticate(request)
    used = await read_store(context, context.store.get_usage, token.team)
    return respond(CurrentToken(TokenRecord.of(token), used, context.settings.max_team_bytes or None))


@router.delete(
    TOKENS + "/{id}",
    openapi_extra={
        **describe_access("admin"),
        "parameters": [PATH],
        "responses": {
            "200": describe_json(
                "The token is revoked.", refer("TokenRecord"), {"publisher": examples.REVOKED_TOKEN}
            ),
            **describe_errors(401, 403, 404, 406, 422, 503),
        },
    },
)
async def delete_token(request: Request) -> Response:
    """Revoke a token.

    Every token may revoke itself. Changes with it are refused at once, reads within 5 seconds. Repeating the
    request changes nothing.
    """
    check_request(request)
    context, identity = get_context(request), request.path_params["id"]
    own = await authenticate(request, "admin")
    if own.id != identity:
        check_scope(own, "admin")
    token = require_found(await read_store(context, context.store.get_token, identity))
    # The token of another team is not told from an unknown one.
    require_found(token if own.covers(token.team) else None)
    actor = make_actor(request, own)
    revoked = require_found(await write_store(context, context.store.revoke_token, identity, actor))
    context.tokens.keep(revoked)  # else it would read for minutes if the store became unavailable now
    return respond(TokenRecord.of(revoked))


@router.get(
    AUDIT,
    openapi_extra={
        **describe_access("admin"),
        "parameters": make_query_parameters("AuditRequest", {"team": "vision", "limit": 20}),
        "responses": {
            "200": describe_json(
                "A page of changes, oldest first.",
                refer("AuditPage"),
                {"publication": {"changes": [examples.CHANGE]}},
                NEXT_PAGE,
            ),
            **describe_errors(401, 403, 406, 422, 503),
        },
    },
)
async def list_audit(request: Request) -> Response:
    """List who published, retired and managed tokens, and when.

    A token of one team sees the changes of that team. If there are more, `Link` has the URL of the next page.
    """
    choose_media_type(join_lines(request, "accept"), [JSON])
    wanted = AuditRequest.parse_query(decode_query(request.scope["query_string"]))
    context, actor = get_context(request), await require_token(request, "admin", wanted.team)
    team = wanted.team if actor.team == ALL_TEAMS else actor.team
    found = await read_store(context, context.store.list_audit, team, wanted.after, wanted.limit + 1)
    page, headers = found[: wanted.limit], {}
    if len(found) > wanted.limit:
        following = link_audit(wanted.team, wanted.limit, page[-1].number, context.settings.root_path)
        headers["Link"] = f'<{following}>; rel="next"'
    return respond({"changes": [AuditRecord.of(entry) for entry in page]}, headers=headers)


def check_request(request: Request) -> None:
    """Check that Accept allows JSON and that there is no query. Raises HTTPException 406, SpecError."""
    choose_media_type(join_lines(request, "accept"), [JSON])
    refuse_query(request.scope["query_string"])


def require_found(token: Token | None) -> Token:
    """Return a token. Raises HTTPException 404 if it is None."""
    if token is None:
        raise HTTPException(404, "The service has no token with this id.")
    return token


def respond(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response that nothing may store."""
    body = orjson.dumps(value, option=orjson.OPT_UTC_Z)
    return Response(body, status, {**HEADERS, **(headers or {})}, JSON)
