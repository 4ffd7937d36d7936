"""Problems: every error as application/problem+json (RFC 9457)."""

from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from service.api.http.media_types import PROBLEM_JSON
from service.api.http.ranges import UnsatisfiableError
from service.api.monitoring import REQUEST_ID
from service.api.sending.streaming import ReaderLeftError
from service.core import FieldError, SpecError
from service.store import (
    InvalidTokenError,
    NameEntry,
    NameTakenError,
    QuotaError,
    Retirement,
    StoreFullError,
    StoreUnavailableError,
    TooManyTokensError,
)


@dataclass(frozen=True, slots=True)
class NameRecord:
    """A name, the id of the model that it stands for, who published it, why and when.

    `retired` has who retired the name, why and when, or null if it is not retired.
    """

    name: str
    model: str
    author: str
    note: str
    published: datetime
    retired: Retirement | None

    @classmethod
    def of(cls, entry: NameEntry) -> Self:
        """Make the record of an entry of the store."""
        return cls(str(entry.name), entry.model, entry.author, entry.note, entry.published, entry.retired)


class NameRetiredError(Exception):
    """A name is retired. `entry` is its entry in the store."""

    def __init__(self, entry: NameEntry) -> None:
        self.entry = entry
        super().__init__(entry)

    def __str__(self) -> str:
        note = self.entry.retired.note if self.entry.retired else ""
        return f"{self.entry.name} is retired{note and ': '}{note}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem (RFC 9457). `errors` has an entry for each rule that an invalid request breaks."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NameProblem(Problem):
    """A problem with a name. `model` is the id of its model, `retired` is who retired it, why and when."""

    model: str
    retired: Retirement | None


# Domain error → status, type and title. All others have type about:blank and the status's phrase as title.
DOMAIN: dict[type[Exception], tuple[int, str, str]] = {
    SpecError: (422, "urn:weightinit:invalid-spec", "The request is invalid"),
    NameTakenError: (409, "urn:weightinit:name-taken", "The name is taken"),
    NameRetiredError: (410, "urn:weightinit:name-retired", "The name is retired"),
    InvalidTokenError: (401, "about:blank", "Unauthorized"),
    TooManyTokensError: (409, "urn:weightinit:too-many-tokens", "There are too many tokens"),
    QuotaError: (507, "urn:weightinit:quota-exceeded", "The quota of the team is used up"),
    StoreFullError: (507, "urn:weightinit:storage-full", "The storage is full"),
    StoreUnavailableError: (503, "urn:weightinit:storage-unavailable", "The storage is unavailable"),
}

REALM = 'Bearer realm="weightinit"'
INVALID_TOKEN = {"WWW-Authenticate": f'{REALM}, error="invalid_token"'}  # RFC 6750, section 3.1

# Status of a domain error → headers of its response.
HEADERS = {401: INVALID_TOKEN, 503: {"Retry-After": "2"}}

# The details of statuses that are raised without one.
DETAILS = {
    404: "This path does not exist. /docs lists all paths.",
    405: "This path does not support this method. Allow lists the supported ones.",
    500: "An internal error occurred. This is a defect of the service, not of the request.",
}


def render(problem: Problem) -> bytes:
    """Write a problem as JSON."""
    fields = {name: value for name, value in asdict(problem).items() if name != "errors" or value}
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z)


def respond(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Return the response of a problem."""
    fields = {"Cache-Control": "no-store", **(headers or {})}
    return Response(render(problem), problem.status, fields, PROBLEM_JSON)


def describe(status: int, detail: str = "") -> Problem:
    """Make the problem of an HTTP status."""
    return Problem("about:blank", HTTPStatus(status).phrase, status, detail or DETAILS.get(status, ""))


def describe_domain_error(error: Exception) -> Problem:
    """Make the problem of a domain error. For a name that is taken or retired, it has the name's model."""
    status, kind, title = DOMAIN[type(error)]
    if isinstance(error, NameTakenError | NameRetiredError):
        entry = error.entry
        return NameProblem(kind, title, status, str(error), model=entry.model, retired=entry.retired)
    return Problem(kind, title, status, str(error), error.errors if isinstance(error, SpecError) else ())


async def handle_domain_error(_request: Request, error: Exception) -> Response:
    """Return the response to a domain error: an invalid spec, a taken name, an unavailable store, …."""
    problem = describe_domain_error(error)
    return respond(problem, HEADERS.get(problem.status, {}))


async def handle_http_error(request: Request, error: Exception) -> Response:
    """Return the response of an HTTPException, which the service or the framework raised."""
    if not isinstance(error, HTTPException):
        raise error
    status, headers = error.status_code, dict(error.headers or {})
    if request.method == "OPTIONS" and request.scope["path"] == request.scope.get("root_path", "") + "*":
        return Response(status_code=204, headers={"Allow": ", ".join(list_all_methods(request))})
    if status == 405:
        headers["Allow"] = ", ".join(list_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    phrase = HTTPStatus(status).phrase
    return respond(describe(status, "" if error.detail == phrase else error.detail), headers)


async def handle_unsatisfiable(_request: Request, error: Exception) -> Response:
    """Return 416 for a range without any byte of the content (RFC 9110, section 15.5.17)."""
    if not isinstance(error, UnsatisfiableError):
        raise error
    problem = describe(416, f"The range contains none of the {error.length} bytes.")
    return respond(problem, {"Content-Range": f"bytes */{error.length}"})


async def handle_disconnect(_request: Request, _error: Exception) -> Response:
    """Return a response for a client that disconnected. It is not sent, only counted in the metrics."""
    return Response(status_code=499)


async def handle_defect(_request: Request, _error: Exception) -> Response:
    """Return 500 for an unexpected error. The server logs its traceback."""
    return respond(
        describe(500), {"X-Request-ID": REQUEST_ID.get().decode()}
    )  # sent outside of the middleware


def list_all_methods(request: Request) -> list[str]:
    """Return the methods that any path supports: OPTIONS * is for the service (RFC 9110, section 9.3.7)."""
    routes: list[BaseRoute] = request.app.routes
    known = (getattr(route, "methods", None) or () for route in routes)
    return sorted({"OPTIONS"}.union(*known))


def list_methods(request: Request) -> list[str]:
    """List the methods that all routes of the path support."""
    routes: list[BaseRoute] = request.app.routes
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({"OPTIONS", *(method for route in matching for method in getattr(route, "methods", ()))})


Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

HANDLERS: dict[int | type[Exception], Handler] = {
    SpecError: handle_domain_error,
    StoreUnavailableError: handle_domain_error,
    NameTakenError: handle_domain_error,
    NameRetiredError: handle_domain_error,
    InvalidTokenError: handle_domain_error,
    TooManyTokensError: handle_domain_error,
    QuotaError: handle_domain_error,
    StoreFullError: handle_domain_error,
    HTTPException: handle_http_error,
    UnsatisfiableError: handle_unsatisfiable,
    ClientDisconnect: handle_disconnect,
    ReaderLeftError: handle_disconnect,
    Exception: handle_defect,
}
