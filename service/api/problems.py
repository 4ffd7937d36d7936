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
from service.api.sending.streaming import ReaderLeftError
from service.core import FieldError, SpecError
from service.store import NameEntry, NameTakenError, Retirement, StoreUnavailableError


@dataclass(frozen=True, slots=True)
class NameRecord:
    """A name, the id of the model that it stands for, who published it, why, and when.

    `retired` says who took the name out of use, why, and when; null while it is in use.
    """

    name: str
    model: str
    author: str
    note: str
    published: datetime
    retired: Retirement | None

    @classmethod
    def of(cls, entry: NameEntry) -> Self:
        """Write an entry of the store."""
        return cls(str(entry.name), entry.model, entry.author, entry.note, entry.published, entry.retired)


class NameRetiredError(Exception):
    """A name is out of use; `entry` is what it stood for."""

    def __init__(self, entry: NameEntry) -> None:
        self.entry = entry
        super().__init__(entry)

    def __str__(self) -> str:
        note = self.entry.retired.note if self.entry.retired else ""
        return f"{self.entry.name} is retired{note and ': '}{note}"


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong. `errors` has one entry for each rule that what was asked for breaks, else none."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NameProblem(Problem):
    """What went wrong with a name: `model` is what it stands for, `retired` says who retired it, and why."""

    model: str
    retired: Retirement | None


# Domain error → status, type and title. Everything else is about:blank, whose title is the status's phrase.
DOMAIN: dict[type[Exception], tuple[int, str, str]] = {
    SpecError: (422, "urn:weightinit:invalid-spec", "What was asked for cannot be honoured"),
    NameTakenError: (409, "urn:weightinit:name-taken", "The name is taken"),
    NameRetiredError: (410, "urn:weightinit:name-retired", "The name is retired"),
    StoreUnavailableError: (503, "urn:weightinit:storage-unavailable", "The storage cannot answer now"),
}

# The detail of statuses that are raised without one.
DETAILS = {
    404: "Nothing is served at this path. See /docs.",
    405: "This path does not answer that method. Allow lists those it does.",
    500: "The service failed to answer. This is a defect of the service, not of the request.",
}


def render(problem: Problem) -> bytes:
    """Write a problem as JSON."""
    fields = {name: value for name, value in asdict(problem).items() if name != "errors" or value}
    return orjson.dumps(fields, option=orjson.OPT_UTC_Z)


def respond(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Answer with a problem."""
    fields = {"Cache-Control": "no-store", **(headers or {})}
    return Response(render(problem), problem.status, fields, PROBLEM_JSON)


def describe(status: int, detail: str = "") -> Problem:
    """Describe a problem by its status alone."""
    return Problem("about:blank", HTTPStatus(status).phrase, status, detail or DETAILS.get(status, ""))


def describe_domain_error(error: Exception) -> Problem:
    """Describe a domain error: of a name that is taken or retired with what it stands for."""
    status, kind, title = DOMAIN[type(error)]
    if isinstance(error, NameTakenError | NameRetiredError):
        entry = error.entry
        return NameProblem(kind, title, status, str(error), model=entry.model, retired=entry.retired)
    return Problem(kind, title, status, str(error), error.errors if isinstance(error, SpecError) else ())


async def answer_domain_error(_request: Request, error: Exception) -> Response:
    """Answer for a spec that cannot be honoured, a name that is taken or retired, or a store that is away."""
    problem = describe_domain_error(error)
    return respond(problem, {"Retry-After": "2"} if problem.status == 503 else {})


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer for a refusal of ours or of the framework's."""
    if not isinstance(error, HTTPException):
        raise error
    status, headers = error.status_code, dict(error.headers or {})
    if status == 405:
        headers["Allow"] = ", ".join(list_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    phrase = HTTPStatus(status).phrase
    return respond(describe(status, "" if error.detail == phrase else error.detail), headers)


async def answer_unsatisfiable(_request: Request, error: Exception) -> Response:
    """Answer for a range beyond the end (RFC 9110, section 15.5.17)."""
    if not isinstance(error, UnsatisfiableError):
        raise error
    problem = describe(416, f"No byte of the range is among the {error.length} there are.")
    return respond(problem, {"Content-Range": f"bytes */{error.length}"})


async def answer_absent(_request: Request, _error: Exception) -> Response:
    """Answer a client that left; the response is not sent."""
    return Response(status_code=499)


async def answer_defect(_request: Request, _error: Exception) -> Response:
    """Answer for what should not have happened; the server's log has the trace."""
    return respond(describe(500))


def list_methods(request: Request) -> list[str]:
    """List the methods that the path answers, over all of its routes."""
    routes: list[BaseRoute] = request.app.routes
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({"OPTIONS", *(method for route in matching for method in getattr(route, "methods", ()))})


Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

HANDLERS: dict[int | type[Exception], Handler] = {
    SpecError: answer_domain_error,
    StoreUnavailableError: answer_domain_error,
    NameTakenError: answer_domain_error,
    NameRetiredError: answer_domain_error,
    HTTPException: answer_http_error,
    UnsatisfiableError: answer_unsatisfiable,
    ClientDisconnect: answer_absent,
    ReaderLeftError: answer_absent,
    Exception: answer_defect,
}
