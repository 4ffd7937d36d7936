"""POST /v1/models and /v1/canonical: publish a model, or only validate it."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.api import examples
from service.api.access import authorize
from service.api.context import get_context, write_store
from service.api.endpoints.specs import refuse_query
from service.api.http.body import check_content_type, check_values, parse_json, read_body
from service.api.http.media_types import JSON
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.links import CANONICAL, MODELS, link_model
from service.api.openapi import (
    describe_access,
    describe_body,
    describe_errors,
    describe_json,
    describe_links,
    refer,
)
from service.api.router import make_router
from service.api.schemas.recipes import render_canonical
from service.api.schemas.responses import PublishedModel
from service.core.errors import make_spec_error
from service.core.models import Limits, ParsedModel, parse_expanded
from service.settings import Settings
from service.stream import STREAM_VERSION, check_model_work

router = make_router("models")

VALUES = 64  # largest number of JSON values for each tensor

PUBLISHED = refer("PublishedModel")

LOCATION = {"Location": "The model's URL."}

ID = {"id": "$response.body#/id"}

LINKS = describe_links(
    {
        "get_model": ID,
        "get_model_parameters": ID,
        "get_model_weights": ID,
        "get_model_tensor": {**ID, "tensor": "$request.body#/tensors/0/name"},
    }
)


@router.post(
    MODELS,
    openapi_extra={
        **describe_access("publish"),
        "requestBody": describe_body("ModelSpec", examples.MODELS),
        "responses": {
            "200": {
                **describe_json("The model was already published.", PUBLISHED, examples.PUBLISHED, LOCATION),
                "links": LINKS,
            },
            "201": {
                **describe_json("The model is now published.", PUBLISHED, examples.PUBLISHED, LOCATION),
                "links": LINKS,
            },
            **describe_errors(400, 401, 403, 406, 408, 413, 415, 422, 503, 507),
        },
    },
)
async def post_model(request: Request) -> Response:
    """Publish a model: a seed and a list of named tensors.

    Its id is the SHA-256 of its canonical form, so a model has the same id on every service. Returns 201 the
    first time and 200 after that. A model never changes.
    """
    choose_media_type(join_lines(request, "accept"), [JSON])
    refuse_query(request.scope["query_string"])
    actor = await authorize(request, "publish")
    check_content_type(request)
    context = get_context(request)
    body = await read_body(request, context.settings.max_model_bytes)
    model = (await context.parse_workers.run(partial(parse_body, body), context.settings)).model
    is_new = await write_store(context, context.store.put_model, model.id, model.canonical, actor)
    headers = {"Location": link_model(model.id, context.settings.root_path), "Cache-Control": "no-store"}
    return Response(orjson.dumps(PublishedModel.of(model)), 201 if is_new else 200, headers, JSON)


@router.post(
    CANONICAL,
    openapi_extra={
        "requestBody": describe_body("ModelSpec", {**examples.MODELS, **examples.RECIPES}),
        "responses": {
            "200": describe_json(
                "The canonical form.",
                refer("CanonicalModel"),
                {**examples.EXPANDED, **examples.EXPANDED_RECIPES},
            ),
            **describe_errors(400, 406, 408, 413, 415, 422, problem=examples.UNKNOWN_RECIPE),
        },
    },
)
async def post_canonical_model(request: Request) -> Response:
    """Validate a model and return its canonical form, without publishing it.

    The recipe, if the model has one, is written out. The response also has what decided each tensor: its role
    and layer, the pattern of its name that gave the role, and the formula and source of the rule.
    """
    choose_media_type(join_lines(request, "accept"), [JSON])
    refuse_query(request.scope["query_string"])
    check_content_type(request)
    context = get_context(request)
    body = await read_body(request, context.settings.max_model_bytes)
    rendered = await context.parse_workers.run(partial(render_body, body), context.settings)
    return Response(rendered, headers={"Cache-Control": "no-store"}, media_type=JSON)


def render_body(body: bytes, settings: Settings) -> bytes:
    """Return the response to a model that is not published. Raises as parse_body does."""
    return render_canonical(parse_body(body, settings))


def parse_body(body: bytes, settings: Settings) -> ParsedModel:
    """Parse a model and check the service's limits. Raises SpecError, HTTPException 400 or 413."""
    check_values(body, VALUES * settings.max_tensors + VALUES)
    limits = Limits(settings.max_tensors, settings.max_elements, settings.max_rank)
    parsed = parse_expanded(parse_json(body), STREAM_VERSION, limits)
    model = parsed.model
    if len(model.canonical) > settings.max_model_bytes:
        rule = f"must have at most {settings.max_model_bytes} bytes in canonical form"
        raise make_spec_error("tensors", rule, len(model.canonical))
    check_model_work(model)
    return parsed
