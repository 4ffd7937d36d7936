"""GET and POST /v1/weights: the bytes of a tensor, of a slice, or of a byte range."""

from starlette.requests import Request
from starlette.responses import Response

from service.api import examples
from service.api.content.representation import MEDIA_TYPES, SUFFIXES, Content, Representation
from service.api.context import get_context
from service.api.endpoints.specs import WeightsSpec, parse_weights_query, read_weights_body, refuse_query
from service.api.http.disposition import format_disposition
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.links import WEIGHTS, link_parameters, link_weights
from service.api.openapi import (
    BYTES,
    DECISION,
    FIELDS,
    LINK,
    LOCATION,
    RANGE,
    TENSOR,
    WANT_DIGEST,
    WARNING,
    Schema,
    describe_body,
    describe_bytes,
    describe_errors,
    describe_fields,
    make_query_parameters,
)
from service.api.router import make_router
from service.api.sending.respond import respond_get, respond_post
from service.core import Parameters
from service.core.schemes import SCHEMES

router = make_router("weights")

DENSE: Schema = {**examples.LAYER, "seed": 42, "name": "hidden1/kernel"}

WEIGHTS_EXAMPLES: Schema = {
    "dense": {"summary": "A dense layer before a ReLU", "value": DENSE},
    "shard": {"summary": "The first 128 rows of this layer", "value": {**DENSE, "slice": "0:128,:"}},
    "large_seed": {
        "summary": "A seed beyond 2⁵³, as text",
        "value": {
            **DENSE,
            "seed": "18446744073709551615",
            "distribution": "truncated_normal",
            "dtype": "bfloat16",
        },
    },
}

HEADERS = {**BYTES, **TENSOR, **DECISION, **LINK, **WARNING}


@router.get(
    WEIGHTS,
    openapi_extra={
        "parameters": [
            *make_query_parameters("WeightsSpec", {**DENSE, "slice": "0:128,:"}),
            *describe_fields({**FIELDS, "Want-Repr-Digest": WANT_DIGEST}),
        ],
        "responses": {
            "200": describe_bytes("The tensor.", HEADERS, *MEDIA_TYPES),
            "206": describe_bytes("The requested range of bytes.", {**HEADERS, **RANGE}, *MEDIA_TYPES),
            "304": {"description": "The client has the current content."},
            **describe_errors(406, 412, 416, 422, 429, 503, problem=examples.PROBLEM),
        },
    },
)
async def get_weights(request: Request) -> Response:
    """Get the weights of a layer.

    The bytes depend only on the URL and never change, so they can be cached forever, requested in ranges and
    resumed. The default is `.npy`; with `Accept: application/octet-stream` there is no file header. HEAD does
    not draw, unless it requests a digest.
    """
    settings = get_context(request).settings
    media_type = choose_media_type(join_lines(request, "accept"), MEDIA_TYPES)
    requested = parse_weights_query(request.scope["query_string"], settings)
    return await respond_get(request, make_content(requested, media_type, settings.root_path))


@router.post(
    WEIGHTS,
    openapi_extra={
        "parameters": describe_fields({"Want-Repr-Digest": WANT_DIGEST}),
        "requestBody": describe_body("WeightsSpec", WEIGHTS_EXAMPLES),
        "responses": {
            "200": describe_bytes("The tensor.", {**HEADERS, **LOCATION}, *MEDIA_TYPES),
            **describe_errors(400, 406, 408, 413, 415, 422, 429, 503, problem=examples.PROBLEM),
        },
    },
)
async def post_weights(request: Request) -> Response:
    """Get the weights of a layer spec in JSON. `Content-Location` has the URL of the same GET.

    Only that GET supports conditions and ranges.
    """
    settings = get_context(request).settings
    media_type = choose_media_type(join_lines(request, "accept"), MEDIA_TYPES)
    refuse_query(request.scope["query_string"])
    requested = await read_weights_body(request, settings)
    location = link_weights(requested.spec, requested.slice_text, settings.root_path)
    return await respond_post(request, make_content(requested, media_type, settings.root_path), location)


# A spec without a name is valid, because URLs without one have always been served.
NAMELESS = {"Weightinit-Warning": "name is empty: tensors of one seed without a name have the same draws"}


def make_content(requested: WeightsSpec, media_type: str, root_path: str) -> Content:
    """Make the content of requested weights, with headers of their shape and parameters."""
    shape, dtype = requested.shape, requested.parameters.dtype
    whole = Representation.of_sources((requested.make_source(),), shape, dtype, media_type)
    link = f'<{link_parameters(requested.spec, root_path)}>; rel="describedby"; type="application/json"'
    headers = {
        "Content-Disposition": format_disposition(requested.spec.name, SUFFIXES[media_type]),
        "Link": link,
        **describe_shape(shape),
        **describe_parameters(requested.parameters),
        **({} if requested.spec.name or not SCHEMES[requested.parameters.scheme].is_drawn else NAMELESS),
    }
    return Content.of(whole, headers)


def describe_shape(shape: tuple[int, ...]) -> dict[str, str]:
    """Make the header with the shape of the content."""
    return {"Weightinit-Shape": ",".join(map(str, shape))}


def describe_parameters(parameters: Parameters) -> dict[str, str]:
    """Make the headers with the parameters of weights."""
    return {
        "Weightinit-Dtype": parameters.dtype,
        "Weightinit-Layout": parameters.layout,
        "Weightinit-Scheme": parameters.scheme,
        **({"Weightinit-Mode": parameters.mode} if parameters.mode else {}),
        **({"Weightinit-Distribution": parameters.distribution} if parameters.distribution else {}),
        "Weightinit-Variance": repr(parameters.variance),
        "Weightinit-Limit": repr(parameters.limit),
    }
