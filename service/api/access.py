"""Access: which requests need a bearer token (RFC 6750), and whether a token allows them."""

import re
from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.context import Context, get_context, read_store
from service.api.monitoring import BEARER_ID, REQUEST_ID
from service.api.openapi import BEARER
from service.api.problems import HANDLERS, INVALID_TOKEN, REALM
from service.api.work.shares import find_address
from service.core.access import ALL_TEAMS, Actor, Secret, Token
from service.core.access import Scope as AccessScope
from service.settings import is_loopback
from service.store import StoreUnavailableError

STATE = "weightinit.token"
# Fields that proxies add (RFC 7239; RFC 9110, section 7.6.3; and the customary ones).
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


async def authorize(request: Request, scope: AccessScope, team: str | None = None) -> Actor:
    """Check that a request may change something of a team, and return who makes it.

    A token is not looked at if anyone may write. Raises HTTPException 401 or 403, StoreUnavailableError.
    """
    if await is_open_for_writes(request):
        return make_actor(request)
    return await require_token(request, scope, team)


async def require_token(request: Request, scope: AccessScope, team: str | None = None) -> Actor:
    """Check that a request has a token with a scope, for a team if one is given, and return who makes it.

    Raises HTTPException 401 or 403, StoreUnavailableError.
    """
    token = await authenticate(request, scope)
    check_scope(token, scope)
    if team is not None:
        check_team(token, team)
    return make_actor(request, token)


def make_actor(request: Request, token: Token | None = None) -> Actor:
    """Make the actor of a request, with its token if it needs one."""
    identity, team = (token.id, token.team) if token else ("", "")
    peer = find_address(request.client.host if request.client else None)
    return Actor(identity, team, peer, REQUEST_ID.get().decode())


def check_scope(token: Token, scope: AccessScope) -> None:
    """Check that a token has a scope. Raises HTTPException 403 (RFC 6750, section 3.1)."""
    if not token.allows(scope):
        challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
        detail = f"The token {token.id} has no scope {scope}. It has {', '.join(sorted(token.scopes))}."
        raise HTTPException(403, detail, {"WWW-Authenticate": challenge})


def check_team(token: Token, team: str) -> None:
    """Check that a token is for a team. Raises HTTPException 403."""
    if not token.covers(team):
        raise HTTPException(403, f"The token {token.id} is for the team {token.team}, not for {team}.")


def check_reader(request: Request, team: str) -> None:
    """Check that a request may read the names of a team. Raises HTTPException 403."""
    token: Token | None = request.scope.get(STATE)
    if token is not None:
        check_team(token, team)


def limit_prefix(request: Request, prefix: str) -> str:
    """Return the part of a prefix of names that a request may list. Raises HTTPException 403."""
    token: Token | None = request.scope.get(STATE)
    if token is None or token.team == ALL_TEAMS or prefix.startswith(f"{token.team}/"):
        return prefix
    if not f"{token.team}/".startswith(prefix):
        check_team(token, prefix.split("/", maxsplit=1)[0])
    return f"{token.team}/"


async def is_open_for_writes(request: Request) -> bool:
    """Return whether the sender of a request may write without a token. Raises StoreUnavailableError."""
    context = get_context(request)
    settings = context.settings
    if settings.write_access != "auto":
        return settings.write_access == "open"
    is_local = is_loopback(settings.host) and is_sent_here(request)
    return is_local and not await read_store(context, context.store.has_tokens)


def is_sent_here(request: Request) -> bool:
    """Return whether a request names this machine as its host, and no proxy has forwarded it.

    A web page whose name resolves to this machine (DNS rebinding) sends its own name.
    """
    hosts, headers = request.headers.getlist("host"), request.headers
    name = hosts[0].rpartition(":")[0] if hosts and re.search(r":\d*$", hosts[0]) else "".join(hosts)
    return is_loopback(name or "localhost") and not any(field in headers for field in FORWARDED)


async def authenticate(request: Request, scope: AccessScope = "read") -> Token:
    """Return the valid token of a request. `scope` is what it needs, for the error.

    Raises HTTPException 401 (RFC 6750, section 3.1), StoreUnavailableError.
    """
    credentials = await BEARER(request)
    if credentials is None or len(request.headers.getlist("authorization")) != 1:
        detail = (
            f"This needs a token with the scope {scope}, as `Authorization: Bearer` with the token. "
            "An administrator makes one with `python -m service token create`."
        )
        raise HTTPException(401, detail, {"WWW-Authenticate": REALM})
    context, secret = get_context(request), Secret.parse(credentials.credentials)
    token = await find_token(context, secret.id, scope) if secret else None
    if secret is None or token is None or not token.matches(secret):
        raise make_invalid("The service has no such token.")
    if token.revoked:
        raise make_invalid(f"The token {token.id} is revoked.")
    if not token.is_valid(datetime.now(UTC)):
        raise make_invalid(f"The token {token.id} has expired.")
    request.scope[BEARER_ID] = token.id
    return token


async def find_token(context: Context, identity: str, scope: AccessScope) -> Token | None:
    """Return a token: for a change from the store, to read also from the cache."""

    async def load() -> Token | None:
        return await read_store(context, context.store.get_token, identity)

    return await (context.tokens.find(identity, load) if scope == "read" else load())


def make_invalid(detail: str) -> HTTPException:
    """Make the error of an invalid token."""
    return HTTPException(401, detail, INVALID_TOKEN)


class ReadAccessMiddleware:
    """Require a token for every request below /v1, and keep the responses out of shared caches.

    Endpoints check the teams of names. The paths outside of /v1 have nothing that a team owns.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if its token is valid, and respond with the error otherwise."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not path.startswith("/v1/") or scope["method"] == "OPTIONS":
            await self.app(scope, receive, send)
            return

        async def send_private(message: Message) -> None:
            # A shared cache may store a response to Authorization if it is public (RFC 9111, section 3.5).
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, value.replace(b"public", b"private") if name == b"cache-control" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        request = Request(scope, receive)
        try:
            scope[STATE] = await authenticate(request)
        except (HTTPException, StoreUnavailableError) as error:
            kind = HTTPException if isinstance(error, HTTPException) else StoreUnavailableError
            response = await HANDLERS[kind](request, error)
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send_private)
