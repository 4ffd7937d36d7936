"""GET and POST /v1/weights: the bytes of a tensor, or of a box or a byte range of it."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api.conditions import keeps_range, matches_strongly, matches_weakly
from service.api.connections import while_connected
from service.api.context import Context, get_context
from service.api.digests import choose_algorithm, format_repr_digest
from service.api.etags import compute_etag
from service.api.filenames import format_disposition
from service.api.headers import join_lines
from service.api.links import link_parameters, link_weights
from service.api.negotiation import choose_media_type
from service.api.ranges import RangeError, Span, format_content_range, parse_ranges, resolve_range
from service.api.representations import MEDIA_TYPES, SUFFIXES, Representation
from service.api.responses import BodyResponse
from service.api.specs import WeightsSpec, parse_weights_query, read_weights_body, refuse_query
from service.stream import STREAM_VERSION

CACHING = "public, max-age=31536000, immutable"


async def get_weights(request: Request) -> Response:
    """Draw the weights of a layer.

    The bytes are a function of the URL and never change, so that they may be cached forever, fetched in
    ranges and resumed. `.npy` by default; `Accept: application/octet-stream` leaves its header out. HEAD
    answers without drawing.
    """
    context = get_context(request)
    media_type = choose_media_type(join_lines(request, "accept"), MEDIA_TYPES)
    asked = parse_weights_query(request.scope["query_string"], context.settings)
    whole = Representation.of(asked.make_tensor(), media_type)
    etag = compute_etag(whole)
    headers = make_headers(asked, whole, etag, context.settings.root_path)
    if not_modified := check_conditions(request, etag, headers):
        return not_modified
    span = choose_span(request, etag, whole.length)
    await add_digest(request, context, whole, etag, headers)
    return answer(request, whole, span, headers)


async def post_weights(request: Request) -> Response:
    """Draw the weights of a layer spec in JSON: the bytes of the GET that `Content-Location` names.

    Conditions and ranges are for that GET.
    """
    context = get_context(request)
    media_type = choose_media_type(join_lines(request, "accept"), MEDIA_TYPES)
    refuse_query(request.scope["query_string"])
    asked = await read_weights_body(request, context.settings)
    whole = Representation.of(asked.make_tensor(), media_type)
    etag = compute_etag(whole)
    headers = make_headers(asked, whole, etag, context.settings.root_path)
    headers["Content-Location"] = link_weights(asked.spec, asked.cut, context.settings.root_path)
    await add_digest(request, context, whole, etag, headers)
    return answer(request, whole, None, headers)


def make_headers(asked: WeightsSpec, whole: Representation, etag: str, root_path: str) -> dict[str, str]:
    """Make the headers that tell what the bytes are and how they were decided on."""
    decided = asked.parameters
    return {
        "Content-Type": whole.media_type,
        "ETag": etag,
        "Cache-Control": CACHING,
        "Vary": "Accept",
        "Accept-Ranges": "bytes",
        "Content-Disposition": format_disposition(asked.spec.name, SUFFIXES[whole.media_type]),
        "Link": f'<{link_parameters(asked.spec, root_path)}>; rel="describedby"; type="application/json"',
        "Weightinit-Stream": str(STREAM_VERSION),
        "Weightinit-Shape": ",".join(map(str, whole.tensor.shape)),
        "Weightinit-Dtype": decided.dtype,
        "Weightinit-Layout": decided.layout,
        "Weightinit-Scheme": decided.scheme,
        "Weightinit-Mode": decided.mode,
        "Weightinit-Distribution": decided.distribution,
        "Weightinit-Variance": repr(decided.variance),
        "Weightinit-Limit": repr(decided.limit),
    }


def check_conditions(request: Request, etag: str, headers: dict[str, str]) -> Response | None:
    """Answer 304 if the client has the bytes (RFC 9110, section 13.2.2). Raises HTTPException 412."""
    if_match = join_lines(request, "if-match")
    if if_match is not None and not matches_strongly(if_match, etag):
        raise HTTPException(412, f"The entity tag is {etag}.", {"ETag": etag})
    if_none_match = join_lines(request, "if-none-match")
    if if_none_match is None or not matches_weakly(if_none_match, etag):
        return None
    kept = ("ETag", "Cache-Control", "Vary")
    return Response(status_code=304, headers={name: headers[name] for name in kept})


def choose_span(request: Request, etag: str, length: int) -> Span | None:
    """Choose the one range that a GET asks for, if it may be honoured; else None. Raises UnsatisfiableError.

    Several ranges are answered with the whole, as a server may (RFC 9110, section 14.2).
    """
    fields = request.headers.getlist("range")
    if request.method != "GET" or len(fields) != 1 or not keeps_range(request.headers.get("if-range"), etag):
        return None
    try:
        ranges = parse_ranges(fields[0])
    except RangeError:
        return None
    return resolve_range(ranges[0], length) if len(ranges) == 1 else None


async def add_digest(
    request: Request, context: Context, whole: Representation, etag: str, headers: dict[str, str]
) -> None:
    """Add the digest of the whole where one is wanted and the whole is not beyond the limit."""
    algorithm = choose_algorithm(join_lines(request, "want-repr-digest"))
    if algorithm and whole.length <= context.settings.max_digest_bytes:
        work = context.digests.compute(algorithm, etag, whole)
        headers["Repr-Digest"] = format_repr_digest(algorithm, await while_connected(request.receive, work))


def answer(request: Request, whole: Representation, span: Span | None, headers: dict[str, str]) -> Response:
    """Answer 200 with the whole, or 206 with a span of it. Raises HTTPException 503."""
    status, part = (200, Span(0, whole.length)) if span is None else (206, span)
    headers["Content-Length"] = str(part.length)
    if span is not None:
        headers["Content-Range"] = format_content_range(span, whole.length)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return BodyResponse(status, headers, whole, part, get_context(request))
