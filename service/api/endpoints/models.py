"""GET /v1/models/…: published models, their parameters and their weights."""

from functools import partial
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api import examples
from service.api.content.representation import MEDIA_TYPES, SUFFIXES, Content, Representation
from service.api.context import get_context, read_store
from service.api.endpoints.specs import parse_slice_query, refuse_query
from service.api.endpoints.weights import describe_parameters, describe_shape
from service.api.http.disposition import format_disposition
from service.api.http.media_types import JSON, NPY, OCTET_STREAM, SAFETENSORS
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.http.query import RULE, decode_text
from service.api.links import MODEL as MODEL_PATH
from service.api.model_cache import Published
from service.api.openapi import (
    BYTES,
    DECISION,
    FIELDS,
    MODEL,
    RANGE,
    SLICE,
    TENSOR,
    WANT_DIGEST,
    Schema,
    describe_bytes,
    describe_errors,
    describe_fields,
    describe_json,
    refer,
)
from service.api.router import make_router
from service.api.sending.respond import find_peer, respond_get
from service.core.errors import make_spec_error
from service.core.models import Drawn, Model, ModelTensor
from service.core.models.names import MODEL_ID
from service.core.slices import Slices, compute_shape, format_slices
from service.core.spelling import find_nearest_names
from service.stream import slice_tensor

router = make_router("models")

MAX_NAMES_COMPARED = 200  # largest number of tensors for which suggestions are computed


class PathParameter(NamedTuple):
    """A parameter of a path: its description, the rules of its schema, and an example."""

    text: str
    rules: Schema
    example: str


PATH = {
    "id": PathParameter(
        "The SHA-256 of the model's canonical form.",
        {"pattern": f"^{MODEL_ID.pattern}$"},
        examples.DIGITS.id,
    ),
    "tensor": PathParameter(
        "The tensor's name. Slashes need no escaping.", {"minLength": 1}, "hidden/kernel"
    ),
}


def describe_path(*names: str) -> list[Schema]:
    """Describe the path parameters: a model's id, and those named."""
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH[name].text,
            "schema": {"type": "string", **PATH[name].rules},
            "example": PATH[name].example,
        }
        for name in ("id", *names)
    ]


def describe_responses(texts: dict[str, str], *media_types: str, json: Schema | None = None) -> Schema:
    """Describe the responses of a GET that supports ranges. `json` is the schema of JSON, and an example."""
    texts = {**BYTES, **MODEL, **texts}
    whole = describe_bytes("The whole content.", texts, *media_types)
    return {
        "200": whole if json is None else describe_json("The whole content.", **json, headers=texts),
        "206": describe_bytes("The requested range of bytes.", {**texts, **RANGE}, *media_types),
        "304": {"description": "The client has the current content."},
        **describe_errors(404, 406, 412, 416, 422, 429, 503),
    }


PARAMETERS_CACHING = {"Cache-Control": "One hour: reasons may change with a release."}

ONE = {name: f"{text} Only if the tensor has one part, which is drawn." for name, text in DECISION.items()}

CONDITIONAL = describe_fields({**FIELDS, "Want-Repr-Digest": WANT_DIGEST})

SLICE_PARAMETER: Schema = {"name": "slice", "in": "query", "required": False, "schema": SLICE}


@router.get(
    MODEL_PATH,
    openapi_extra={
        "parameters": [*describe_path(), *CONDITIONAL],
        "responses": describe_responses(
            {}, JSON, json={"schema": refer("ModelSpec"), "bodies": {"digits": examples.CANONICAL}}
        ),
    },
)
async def get_model(request: Request) -> Response:
    """Get the canonical form of a model.

    It is JSON as in RFC 8785, and its SHA-256 is the id. It can be published again.
    """
    choose_media_type(join_lines(request, "accept"), [JSON])
    refuse_query(request.scope["query_string"])
    published = await find_model(request)
    whole = Representation(JSON, published.canonical, ())
    return await respond_get(request, Content.of(whole, published.headers))


@router.get(
    MODEL_PATH + "/parameters",
    openapi_extra={
        "parameters": [*describe_path(), *CONDITIONAL],
        "responses": describe_responses(
            PARAMETERS_CACHING,
            JSON,
            json={"schema": refer("DecidedModel"), "bodies": {"digits": examples.DECIDED}},
        ),
    },
)
async def get_model_parameters(request: Request) -> Response:
    """Get the parameters of each part of each tensor of a model, as `/v1/parameters` returns them."""
    choose_media_type(join_lines(request, "accept"), [JSON])
    refuse_query(request.scope["query_string"])
    published = await find_model(request)
    models, key = get_context(request).models, (published.id, JSON)
    content = await models.find_content(key, published.parts, published.make_parameters, find_peer(request))
    return await respond_get(request, content)


@router.get(
    MODEL_PATH + "/weights",
    openapi_extra={
        "parameters": [*describe_path(), *CONDITIONAL],
        "responses": describe_responses(
            {"Content-Disposition": "A file name made from the id."}, SAFETENSORS, OCTET_STREAM
        ),
    },
)
async def get_model_weights(request: Request) -> Response:
    """Get all weights of a model, as one safetensors file.

    The bytes never change. They can be cached, resumed and requested in ranges, like those of `/v1/weights`.
    """
    media_type = choose_media_type(join_lines(request, "accept"), (SAFETENSORS, OCTET_STREAM))
    refuse_query(request.scope["query_string"])
    published = await find_model(request)
    models, key = get_context(request).models, (published.id, media_type)
    make = partial(published.make_file, media_type)
    return await respond_get(
        request, await models.find_content(key, published.parts, make, find_peer(request))
    )


@router.get(
    MODEL_PATH + "/weights/{tensor:path}",
    openapi_extra={
        "parameters": [*describe_path("tensor"), SLICE_PARAMETER, *CONDITIONAL],
        "responses": describe_responses({**TENSOR, **ONE}, NPY, OCTET_STREAM),
    },
)
async def get_model_tensor(request: Request) -> Response:
    """Get one tensor of a model: for a drawn one, the bytes that `/v1/weights` returns for its spec."""
    media_type = choose_media_type(join_lines(request, "accept"), MEDIA_TYPES)
    published = await find_model(request)
    tensor = find_tensor(published.model, read_tensor_name(request))
    slices = parse_slice_query(request.scope["query_string"], tensor.shape)
    key = (published.id, media_type, tensor.name, format_slices(slices, tensor.shape))
    parts = len(tensor.find_parts(slices)) if slices else 1
    make = partial(make_tensor_content, published, tensor, slices, media_type)
    models = get_context(request).models
    return await respond_get(request, await models.find_content(key, parts, make, find_peer(request)))


async def find_model(request: Request) -> Published:
    """Return the model whose id is in the path. Raises HTTPException, StoreUnavailableError."""
    context, model_id = get_context(request), request.path_params["id"]
    if MODEL_ID.fullmatch(model_id):
        load = partial(read_store, context, context.store.get_model, model_id)
        if published := await context.models.find(model_id, load, find_peer(request)):
            return published
    raise HTTPException(404, "No model with this id is published on this service.")


def read_tensor_name(request: Request) -> str:
    """Return the tensor's name in the path. Raises SpecError if it is not valid UTF-8.

    The server has already replaced invalid bytes in the decoded path, so check the raw path.
    """
    name: str = request.path_params["tensor"]
    try:
        decode_text(request.scope["raw_path"])
    except ValueError:
        raise make_spec_error("tensor", RULE, name) from None
    return name


def find_tensor(model: Model, name: str) -> ModelTensor:
    """Return the tensor of a model with a name. Raises HTTPException 404."""
    if tensor := model.by_name.get(name):
        return tensor
    near = find_nearest_names(name, model.by_name) if len(model.tensors) <= MAX_NAMES_COMPARED else ()
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise HTTPException(404, f"The model has no tensor with this name.{hint}")


def make_tensor_content(
    published: Published, tensor: ModelTensor, slices: Slices, media_type: str
) -> Content:
    """Make the content of a slice of a tensor, with its parameters in headers if it is one drawn part."""
    shape = compute_shape(slices)
    whole = Representation.of_sources(slice_tensor(tensor, slices), shape, tensor.dtype, media_type)
    headers = {
        "Content-Disposition": format_disposition(tensor.name, SUFFIXES[media_type]),
        **published.headers,
        "Weightinit-Dtype": tensor.dtype,
        **describe_shape(shape),
    }
    if len(tensor.parts) == 1 and isinstance(part := tensor.parts[0], Drawn):
        headers |= describe_parameters(part.parameters)
    return Content.of(whole, headers)
