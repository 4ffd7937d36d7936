"""Answers: what a status means, and the service's own words in what we raise."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

import httpx

from weightinit.endpoints import mask
from weightinit.errors import (
    DigestMismatch,
    FieldError,
    NameTaken,
    NotFound,
    NotWeightinit,
    RateLimited,
    RequestRejected,
    Retired,
    ServerError,
    SpecRejected,
    Truncated,
    Unauthorized,
)
from weightinit.retry import parse_retry_after

T = TypeVar("T")

PROBLEM = "application/problem+json"
# More than an answer that is read whole has; a wrong URL may lead to anything.
LONGEST_TEXT = 2**20
# What is said of a name carries the id of its model.
NAMED: dict[int, type[NameTaken] | type[Retired]] = {409: NameTaken, 410: Retired}


def raise_for_status(response: httpx.Response, asked: str) -> None:
    """Raise what a 4xx or 5xx means; return for any other status."""
    if response.status_code >= 400:
        _raise(response, read_problem(response), f"{asked} from {mask(response.url)}")


def read_text(response: httpx.Response, longest: int = LONGEST_TEXT) -> bytes:
    """Read a body that is not long. Raises NotWeightinit where it is, Truncated where it ends early."""
    text = bytearray()
    try:
        for chunk in response.iter_raw():
            text += chunk
            if len(text) > longest:
                raise NotWeightinit(
                    f"{mask(response.url)} sent more than an answer of weightinit; check the URL"
                )
    except httpx.HTTPError as error:
        raise Truncated(f"{mask(response.url)} broke off its answer ({error})") from error
    return bytes(text)


def read_json_text(response: httpx.Response, longest: int = LONGEST_TEXT) -> bytes:
    """Read the text of JSON, which is still to be parsed. Raises NotWeightinit, Truncated."""
    media_type = read_media_type(response)
    if media_type not in {"application/json", PROBLEM}:
        raise NotWeightinit(
            f"{mask(response.url)} answered {response.status_code} with {media_type or 'no Content-Type'} "
            "where weightinit sends JSON; check the URL"
        )
    return read_text(response, longest)


def parse_json(text: bytes, response: httpx.Response) -> Mapping[str, object]:
    """Parse the object that an answer's text is. Raises NotWeightinit."""
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise NotWeightinit(
            f"{mask(response.url)} sent JSON that cannot be read ({error}); check the URL"
        ) from error
    if not isinstance(answer, dict):
        raise NotWeightinit(f"{mask(response.url)} sent JSON that is no object; check the URL")
    return answer


def read_answer(
    response: httpx.Response,
    read: Callable[[Mapping[str, object]], T],
    longest: int = LONGEST_TEXT,
    digest: str = "",
) -> T:
    """Read a JSON object as what it stands for; `read` raises ValueError where it is something else.

    Its text has to have a SHA-256 where one is given. Raises NotWeightinit, Truncated, DigestMismatch.
    """
    text = read_json_text(response, longest)
    if digest and hashlib.sha256(text).hexdigest() != digest:
        raise DigestMismatch(f"{mask(response.url)} sent what has another SHA-256 than its id, {digest}")
    try:
        return read(parse_json(text, response))
    except ValueError as error:
        raise NotWeightinit(
            f"the answer of {mask(response.url)} cannot be read: {error}; check the URL"
        ) from error


def read_media_type(response: httpx.Response) -> str:
    """Read the media type of a body, without its parameters."""
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def read_problem(response: httpx.Response) -> Mapping[str, object]:
    """Read problem details (RFC 9457); nothing where something else was sent."""
    if read_media_type(response) != PROBLEM:
        return {}
    try:
        return parse_json(read_json_text(response), response)
    except (NotWeightinit, Truncated):
        return {}


def _raise(response: httpx.Response, problem: Mapping[str, object], asked: str) -> NoReturn:
    status = response.status_code
    detail = str(problem.get("detail") or problem.get("title") or "")
    said = f"{asked}: {status} {detail or response.reason_phrase}".rstrip()
    later = parse_retry_after(response.headers.get("Retry-After", ""))
    if status >= 500:
        raise ServerError(said, status=status, detail=detail, retry_after=later)
    if status == 429:
        raise RateLimited(said, status=status, detail=detail, retry_after=later)
    if status in {401, 403}:
        advice = "token= or WEIGHTINIT_TOKEN gives one"
        raise Unauthorized(f"{said}; {advice}", status=status, detail=detail)
    if not problem:
        raise NotWeightinit(f"{said}, and not in weightinit's words; check the URL")
    if status == 422:
        errors = _read_errors(problem)
        words = "; ".join(error.message for error in errors) or detail
        raise SpecRejected(f"{asked}: {words}", status=status, detail=detail, errors=errors)
    if status in NAMED:
        model = str(problem.get("model", ""))
        advice = f"; its model is {model}" if model not in said else ""
        raise NAMED[status](said + advice, status=status, detail=detail, model=model)
    kind = NotFound if status == 404 else RequestRejected
    raise kind(said, status=status, detail=detail)


def _read_errors(problem: Mapping[str, object]) -> list[FieldError]:
    listed = problem.get("errors")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    names = ("field", "rule", "received", "message")
    return [FieldError(*(str(row.get(name, "")) for name in names)) for row in rows]
