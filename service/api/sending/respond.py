"""Respond to requests for content: evaluate conditions, ranges and digests."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api.content.digests import choose_algorithm, format_repr_digest
from service.api.content.representation import Content
from service.api.context import get_context
from service.api.http.conditional import keeps_range, matches_strongly, matches_weakly
from service.api.http.negotiation import join_lines
from service.api.http.ranges import RangeError, Span, format_content_range, parse_ranges, resolve_range
from service.api.sending.streaming import BodyResponse, while_connected
from service.api.work.shares import identify_peer


async def respond_get(request: Request, content: Content) -> Response:
    """Respond to GET or HEAD: 200, 206 or 304. Raises HTTPException 412, 429 or 503, UnsatisfiableError."""
    if not_modified := check_conditions(request, content):
        return not_modified
    span = choose_span(request, content)
    return make_response(request, content, span, await make_digest(request, content))


async def respond_post(request: Request, content: Content, location: str) -> Response:
    """Respond to POST with the same content as a GET of `location`. Raises HTTPException 429 or 503."""
    extra = {"Content-Location": location, **await make_digest(request, content)}
    return make_response(request, content, None, extra)


def check_conditions(request: Request, content: Content) -> Response | None:
    """Return 304 if the client has the content (RFC 9110, section 13.2.2). Raises HTTPException 412."""
    if_match = join_lines(request, "if-match")
    if if_match is not None and not matches_strongly(if_match, content.etag):
        raise HTTPException(412, f"The entity tag is {content.etag}.", {"ETag": content.etag})
    if_none_match = join_lines(request, "if-none-match")
    if if_none_match is None or not matches_weakly(if_none_match, content.etag):
        return None
    kept = ("ETag", "Cache-Control", "Vary")
    return Response(status_code=304, headers={name: content.headers[name] for name in kept})


def choose_span(request: Request, content: Content) -> Span | None:
    """Return the range that a GET requests, or None for the whole content. Raises UnsatisfiableError.

    A request for several ranges gets the whole, which RFC 9110 allows (section 14.2).
    """
    fields = request.headers.getlist("range")
    if request.method != "GET" or len(fields) != 1:
        return None
    if not keeps_range(request.headers.get("if-range"), content.etag):
        return None
    try:
        ranges = parse_ranges(fields[0])
    except RangeError:
        return None
    return resolve_range(ranges[0], content.whole.length) if len(ranges) == 1 else None


async def make_digest(request: Request, content: Content) -> dict[str, str]:
    """Make the Repr-Digest header if it is requested and the content is within the limit."""
    algorithm = choose_algorithm(join_lines(request, "want-repr-digest"))
    context = get_context(request)
    if algorithm is None or content.whole.length > context.settings.max_digest_bytes:
        return {}
    digest = context.digests.find(algorithm, content.etag)
    if digest is None:
        peer = find_peer(request)
        context.digest_shares.check(peer)
        with context.digest_shares.hold(peer):
            work = context.digests.compute(algorithm, content.etag, content.whole)
            digest = await while_connected(request.receive, work)
    return {"Repr-Digest": format_repr_digest(algorithm, digest)}


def make_response(request: Request, content: Content, span: Span | None, extra: dict[str, str]) -> Response:
    """Return 200 with the whole content, or 206 with a span of it. Raises HTTPException 429 or 503."""
    status, part = (200, Span(0, content.whole.length)) if span is None else (206, span)
    headers = {**content.headers, **extra, "Content-Length": str(part.length)}
    if span is not None:
        headers["Content-Range"] = format_content_range(span, content.whole.length)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return BodyResponse(status, headers, content.whole, part, get_context(request), find_peer(request))


def find_peer(request: Request) -> str:
    """Return the peer that a request comes from, behind a trusted proxy the one that it names."""
    return identify_peer(request.client.host if request.client else None)
