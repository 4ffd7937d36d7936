"""Operations: path operations of FastAPI whose endpoints read their own requests.

FastAPI declares the paths, solves dependencies and writes the OpenAPI document. Endpoints take the raw
request. With declared parameters FastAPI would replace invalid percent-encodings, take the last of a repeated
name, and read the body before the query is validated.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from fastapi.params import Depends
from fastapi.routing import APIRoute, APIRouter
from starlette.responses import Response
from starlette.routing import request_response


class Operation(APIRoute):
    """A path operation, described by the docstring of its endpoint and by `openapi_extra`.

    The first line of the docstring is the summary, the rest the description. Every GET also supports HEAD
    (RFC 9110, section 9.3.2). Unlike Starlette's `$`, the end of a path does not match a line feed.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - APIRoute's
        summary, _, description = (inspect.getdoc(endpoint) or "").partition("\n")
        # A summary is plain text, a description CommonMark (OpenAPI 3.1.1, section 4.8.10.1).
        options |= {
            "summary": summary.removesuffix(".").replace("`", ""),
            "description": description.strip() or " ",
        }
        options |= {"response_class": Response, "operation_id": endpoint.__name__}
        super().__init__(path, endpoint, **options)
        self.description = self.description.strip()
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")
        if self.methods and "GET" in self.methods:
            self.methods.add("HEAD")
        if not self.dependant.dependencies:
            # FastAPI's own handler would open two exit stacks and solve no dependencies.
            self.app = request_response(endpoint)


def make_router(tag: str, dependencies: Sequence[Depends] = ()) -> APIRouter:
    """Make a router for operations with a tag. Dependencies run before each endpoint."""
    return APIRouter(route_class=Operation, tags=[tag], dependencies=[*dependencies])
