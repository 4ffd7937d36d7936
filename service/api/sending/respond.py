"""Answering: the conditions, the range and the digest that a request for an offer comes with."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api.content.digests import choose_algorithm, format_repr_digest
from service.api.content.offer import Offer
from service.api.context import get_context
from service.api.http.conditional import keeps_range, matches_strongly, matches_weakly
from service.api.http.negotiation import join_lines
from service.api.http.ranges import RangeError, Span, format_content_range, parse_ranges, resolve_range
from service.api.sending.streaming import BodyResponse, while_connected


async def answer_get(request: Request, offer: Offer) -> Response:
    """Answer GET or HEAD: 200, 206 or 304. Raises HTTPException 412 or 503, UnsatisfiableError."""
    if not_modified := check_conditions(request, offer):
        return not_modified
    span = choose_span(request, offer)
    return answer(request, offer, span, await make_digest(request, offer))


async def answer_post(request: Request, offer: Offer, location: str) -> Response:
    """Answer POST with the whole that the GET at a location has. Raises HTTPException 503."""
    extra = {"Content-Location": location, **await make_digest(request, offer)}
    return answer(request, offer, None, extra)


def check_conditions(request: Request, offer: Offer) -> Response | None:
    """Answer 304 if the client has the bytes (RFC 9110, section 13.2.2). Raises HTTPException 412."""
    if_match = join_lines(request, "if-match")
    if if_match is not None and not matches_strongly(if_match, offer.etag):
        raise HTTPException(412, f"The entity tag is {offer.etag}.", {"ETag": offer.etag})
    if_none_match = join_lines(request, "if-none-match")
    if if_none_match is None or not matches_weakly(if_none_match, offer.etag):
        return None
    kept = ("ETag", "Cache-Control", "Vary")
    return Response(status_code=304, headers={name: offer.headers[name] for name in kept})


def choose_span(request: Request, offer: Offer) -> Span | None:
    """Choose the one range that a GET asks for, if it may be honoured; else None. Raises UnsatisfiableError.

    Several ranges are answered with the whole, as a server may (RFC 9110, section 14.2).
    """
    fields = request.headers.getlist("range")
    if request.method != "GET" or len(fields) != 1:
        return None
    if not keeps_range(request.headers.get("if-range"), offer.etag):
        return None
    try:
        ranges = parse_ranges(fields[0])
    except RangeError:
        return None
    return resolve_range(ranges[0], offer.whole.length) if len(ranges) == 1 else None


async def make_digest(request: Request, offer: Offer) -> dict[str, str]:
    """Make the header with the digest of the whole, where one is wanted and the whole is within the limit."""
    algorithm = choose_algorithm(join_lines(request, "want-repr-digest"))
    context = get_context(request)
    if algorithm is None or offer.whole.length > context.settings.max_digest_bytes:
        return {}
    work = context.digests.compute(algorithm, offer.etag, offer.whole)
    return {"Repr-Digest": format_repr_digest(algorithm, await while_connected(request.receive, work))}


def answer(request: Request, offer: Offer, span: Span | None, extra: dict[str, str]) -> Response:
    """Answer 200 with the whole, or 206 with a span of it. Raises HTTPException 503."""
    status, part = (200, Span(0, offer.whole.length)) if span is None else (206, span)
    headers = {**offer.headers, **extra, "Content-Length": str(part.length)}
    if span is not None:
        headers["Content-Range"] = format_content_range(span, offer.whole.length)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return BodyResponse(status, headers, offer.whole, part, get_context(request))
