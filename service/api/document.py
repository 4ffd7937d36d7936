"""OpenAPI: the service's description of itself, version 3.1, from its routes, its types and a table."""

import inspect
from typing import Any

import orjson
from starlette.routing import Route

import service
from service.api.endpoints import OPERATIONS
from service.api.openapi import SCHEMAS
from service.api.routes import INTERFACE

Document = dict[str, Any]

DESCRIPTION = """\
Initial weights for neural networks over HTTP. A weight is a pure function of the stream version, the seed, \
the tensor's name, its position and the layer spec: the same bytes on every machine, today and in five years.

Every error is `application/problem+json` (RFC 9457). Every GET answers HEAD as well."""


def render_openapi() -> bytes:
    """Write the document with its names sorted, indented, and a newline at its end."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(make_document(), option=options)


def make_document() -> Document:
    """Make the OpenAPI document."""
    paths: Document = {}
    for route in INTERFACE:
        paths.setdefault(route.path_format, {}).update(describe_route(route))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "weightinit",
            "version": service.__version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "."}],
        "tags": [{"name": name} for name in ("parameters", "weights", "models", "names", "operations")],
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }


def describe_route(route: Route) -> Document:
    """Describe an operation by its method: what its endpoint says of itself, then the table's row."""
    methods = (route.methods or set()) - {"HEAD"}
    summary, _, description = (inspect.getdoc(route.endpoint) or "").partition("\n")
    name = route.endpoint.__name__
    operation = {
        "operationId": name,
        "tags": [route.endpoint.__module__.rpartition(".")[2].replace("health", "operations")],
        "summary": summary.removesuffix("."),
        "description": description.strip(),
        **OPERATIONS[name],
    }
    return {method.lower(): {key: value for key, value in operation.items() if value} for method in methods}
