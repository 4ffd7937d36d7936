"""Operations: path operations of FastAPI whose endpoints read their own requests.

FastAPI declares the paths, solves dependencies and writes the OpenAPI document. An endpoint takes the request
as it came: declared parameters would be decoded leniently, with broken percent-encodings replaced and the
last of a repeated name taken, and a body would be read before the query is known to be right.
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
    """A path operation, described by the docstring of its endpoint and the rows given as `openapi_extra`.

    The first line of the docstring is the summary, the rest the description. Every GET answers HEAD as well
    (RFC 9110, section 9.3.2), and a path ends where it says: the `$` of Starlette lets a line feed follow.
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
            # FastAPI's own handler would open two exit stacks and solve what is not there.
            self.app = request_response(endpoint)


def make_router(tag: str, dependencies: Sequence[Depends] = ()) -> APIRouter:
    """Make the router of operations with a tag. Dependencies run before each of its endpoints."""
    return APIRouter(route_class=Operation, tags=[tag], dependencies=[*dependencies])
