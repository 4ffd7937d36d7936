"""The document: OpenAPI 3.1, made by FastAPI from the operations."""

from collections.abc import Iterable
from copy import copy
from typing import Any

import orjson
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.routing import BaseRoute

import service
from service.api.openapi.building import Schema
from service.api.openapi.components import COMPONENTS
from service.api.openapi.descriptions import SECURITY_SCHEME, describe_errors

TAGS = ("parameters", "weights", "models", "names", "access", "operations")
BEARER = HTTPBearer(
    description="A token that `python -m service token create` or `POST /v1/tokens` made. Changes need "
    "one unless the service is open for all, and reads if `WEIGHTINIT_READ_ACCESS` is `token`.",
    auto_error=False,
)
DESCRIPTION = """\
Initial weights for neural networks over HTTP. A weight is a pure function of the stream version, the seed, \
the tensor's name, its position and the layer spec: it has the same bytes on every machine, at any time.

Every error is `application/problem+json` (RFC 9457). Every GET also supports HEAD."""


def render_openapi(routes: Iterable[BaseRoute]) -> bytes:
    """Return the document as indented JSON with sorted names and a newline at the end."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(make_document(routes), option=options)


def make_document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the document of routes, made by FastAPI from their operations.

    Leaves out HEAD, which the description of the API mentions once for every GET.
    """
    described = [copy(route) for route in routes]
    for route in described:
        if isinstance(route, APIRoute):
            route.methods = (route.methods or set()) - {"HEAD"}
    made = get_openapi(
        title="weightinit",
        version=service.__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "."}],
        tags=[{"name": name} for name in TAGS],
        routes=described,
    )
    for route in described:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                complete(made["paths"][route.path_format][method.lower()], route.openapi_extra or {})
    components = made.get("components", {})
    schemes = components.get("securitySchemes", {}) | {
        SECURITY_SCHEME: BEARER.model.model_dump(by_alias=True, exclude_none=True)
    }
    return {**made, "components": {**components, "schemas": COMPONENTS, "securitySchemes": schemes}}


def complete(operation: Schema, extra: Schema) -> None:
    """Complete an operation that FastAPI has described.

    Restores the nulls in its examples, which FastAPI removes, and adds that reading may need a token.
    """
    operation["responses"] |= extra.get("responses", {})
    if "operations" not in operation["tags"] and "security" not in operation:
        operation["security"] = [{}, {SECURITY_SCHEME: ["read"]}]
        operation["responses"] |= describe_errors(401)
