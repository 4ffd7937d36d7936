"""OpenAPI 3.1: the schemas and descriptions that operations share, and the document."""

from service.api.openapi.building import Schema, refer
from service.api.openapi.descriptions import (
    BYTES,
    DECISION,
    FIELDS,
    LINK,
    LOCATION,
    MODEL,
    NEXT_PAGE,
    RANGE,
    TENSOR,
    WANT_DIGEST,
    WARNING,
    describe_access,
    describe_body,
    describe_bytes,
    describe_errors,
    describe_fields,
    describe_headers,
    describe_json,
    describe_links,
)
from service.api.openapi.document import BEARER, make_document, render_openapi
from service.api.openapi.queries import make_query_parameters
from service.api.openapi.specs import SLICE

__all__ = [
    "BEARER",
    "BYTES",
    "DECISION",
    "FIELDS",
    "LINK",
    "LOCATION",
    "MODEL",
    "NEXT_PAGE",
    "RANGE",
    "SLICE",
    "TENSOR",
    "WANT_DIGEST",
    "WARNING",
    "Schema",
    "describe_access",
    "describe_body",
    "describe_bytes",
    "describe_errors",
    "describe_fields",
    "describe_headers",
    "describe_json",
    "describe_links",
    "make_document",
    "make_query_parameters",
    "refer",
    "render_openapi",
]
