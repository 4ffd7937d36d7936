"""GET and POST /v1/weights: the bytes of a tensor, or of a box or a byte range of it."""

from starlette.requests import Request
from starlette.responses import Response

from service.api.answering import answer_get, answer_post
from service.api.context import get_context
from service.api.filenames import format_disposition
from service.api.headers import join_lines
from service.api.links import link_parameters, link_weights
from service.api.negotiation import choose_media_type
from service.api.offers import Offer
from service.api.representations import MEDIA_TYPES, SUFFIXES, Representation
from service.api.specs import WeightsSpec, parse_weights_query, read_weights_body, refuse_query
from service.core import Parameters


async def get_weights(request: Request) -> Response:
    """Draw the weights of a layer.

    The bytes are a function of the URL and never change, so that they may be cached forever, fetched in
    ranges and resumed. `.npy` by default; `Accept: application/octet-stream` leaves its header out. HEAD
    answers without drawing.
    """
    settings = get_context(request).settings
    media_type = choose_media_type(join_lines(request, "accept"), MEDIA_TYPES)
    asked = parse_weights_query(request.scope["query_string"], settings)
    return await answer_get(request, make_offer(asked, media_type, settings.root_path))


async def post_weights(request: Request) -> Response:
    """Draw the weights of a layer spec in JSON: the bytes of the GET that `Content-Location` names.

    Conditions and ranges are for that GET.
    """
    settings = get_context(request).settings
    media_type = choose_media_type(join_lines(request, "accept"), MEDIA_TYPES)
    refuse_query(request.scope["query_string"])
    asked = await read_weights_body(request, settings)
    location = link_weights(asked.spec, asked.cut, settings.root_path)
    return await answer_post(request, make_offer(asked, media_type, settings.root_path), location)


def make_offer(asked: WeightsSpec, media_type: str, root_path: str) -> Offer:
    """Offer the tensor that was asked for, with how it was decided on."""
    tensor = asked.make_tensor()
    whole = Representation.of(tensor, media_type)
    link = f'<{link_parameters(asked.spec, root_path)}>; rel="describedby"; type="application/json"'
    said = {
        "Content-Disposition": format_disposition(asked.spec.name, SUFFIXES[media_type]),
        "Link": link,
        **describe_shape(tensor.shape),
        **describe_decision(asked.parameters),
    }
    return Offer.of(whole, said)


def describe_shape(shape: tuple[int, ...]) -> dict[str, str]:
    """Make the header that tells the shape of what is sent."""
    return {"Weightinit-Shape": ",".join(map(str, shape))}


def describe_decision(decided: Parameters) -> dict[str, str]:
    """Make the headers that tell how weights were decided on."""
    return {
        "Weightinit-Dtype": decided.dtype,
        "Weightinit-Layout": decided.layout,
        "Weightinit-Scheme": decided.scheme,
        "Weightinit-Mode": decided.mode,
        "Weightinit-Distribution": decided.distribution,
        "Weightinit-Variance": repr(decided.variance),
        "Weightinit-Limit": repr(decided.limit),
    }
