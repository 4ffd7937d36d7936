"""GET /v1/activations, /v1/schemes and /v1/recipes: the tables that decide how weights are initialized."""

from functools import cache

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.api.content.representation import RELEASE_CACHE_CONTROL, Content, Representation
from service.api.endpoints.specs import refuse_query
from service.api.examples import to_json
from service.api.http.media_types import JSON
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.openapi import (
    BYTES,
    FIELDS,
    RANGE,
    Schema,
    describe_bytes,
    describe_errors,
    describe_fields,
    describe_json,
    refer,
)
from service.api.router import make_router
from service.api.schemas.recipes import RecipeRow
from service.api.schemas.responses import ActivationRow, SchemeRow
from service.api.sending.respond import respond_get
from service.core.activations import ACTIVATIONS
from service.core.recipes import RECIPES
from service.core.schemes import SCHEMES

router = make_router("parameters")

TABLES = {
    "activations": tuple(ActivationRow.of(row) for row in ACTIVATIONS.values()),
    "schemes": tuple(SchemeRow.of(row) for row in SCHEMES.values()),
    "recipes": tuple(RecipeRow.of(row) for row in RECIPES.values()),
}

ROWS_SHOWN = 3  # in an example

CACHING = {**BYTES, "Cache-Control": "One hour: reasons and references may change with a release."}


def describe_table(name: str, schema: str) -> Schema:
    """Describe the operation that returns a table."""
    first = to_json({name: TABLES[name][:ROWS_SHOWN]})
    return {
        "parameters": describe_fields(FIELDS),
        "responses": {
            "200": describe_json("The whole table.", refer(schema), {"first_rows": first}, CACHING),
            "206": describe_bytes("The requested range of bytes.", {**CACHING, **RANGE}, JSON),
            "304": {"description": "The client has the current table."},
            **describe_errors(406, 412, 416, 422),
        },
    }


@router.get("/v1/activations", openapi_extra=describe_table("activations", "ActivationTable"))
async def get_activations(request: Request) -> Response:
    """List the supported activations, with the scheme that `scheme=auto` chooses for each.

    Case, underscores and hyphens of a name do not matter.
    """
    return await respond_table(request, "activations")


@router.get("/v1/schemes", openapi_extra=describe_table("schemes", "SchemeTable"))
async def get_schemes(request: Request) -> Response:
    """List the initialization schemes, with names, formula, reason and reference.

    Case, underscores and hyphens of a name do not matter. `auto`, the default, chooses the scheme that
    `/v1/activations` has for the activation.
    """
    return await respond_table(request, "schemes")


@router.get("/v1/recipes", openapi_extra=describe_table("recipes", "RecipeTable"))
async def get_recipes(request: Request) -> Response:
    """List the recipes of whole models, with their sizes, and the formula and source of each rule.

    A formula has the fields of a layer spec. Its numbers are expressions of the recipe's sizes, and of
    `layer`, `rows`, `columns`, `field`, `fan_in`, `fan_out`, `kernel_fan_in` and `hidden` of the tensor.
    """
    return await respond_table(request, "recipes")


async def respond_table(request: Request, name: str) -> Response:
    """Return the response with a table. Raises SpecError, HTTPException 406 or 412, UnsatisfiableError."""
    choose_media_type(join_lines(request, "accept"), [JSON])
    refuse_query(request.scope["query_string"])
    return await respond_get(request, make_content(name))


@cache
def make_content(name: str) -> Content:
    """Make the content of a table."""
    body = orjson.dumps({name: TABLES[name]})
    return Content.of(Representation(JSON, body, ()), {"Cache-Control": RELEASE_CACHE_CONTROL})
