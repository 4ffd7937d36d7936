"""Answers: what a status means, and the service's own words in what we raise."""

import json
from collections.abc import Mapping
from typing import NoReturn

import httpx

from weightinit.endpoints import mask
from weightinit.errors import (
    FieldError,
    NotFound,
    NotWeightinit,
    RateLimited,
    RequestRejected,
    ServerError,
    SpecRejected,
    Truncated,
    Unauthorized,
)
from weightinit.retry import parse_retry_after

PROBLEM = "application/problem+json"
# More than any answer that is read whole; a wrong URL may lead to anything.
LONGEST_TEXT = 2**20


def raise_for_status(response: httpx.Response, asked: str) -> None:
    """Raise what a 4xx or 5xx means; return for any other status."""
    if response.status_code >= 400:
        _raise(response, read_problem(response), f"{asked} from {mask(response.url)}")


def read_text(response: httpx.Response) -> bytes:
    """Read a short body. Raises NotWeightinit where it is long, Truncated where it ends early."""
    text = bytearray()
    try:
        for chunk in response.iter_raw():
            text += chunk
            if len(text) > LONGEST_TEXT:
                raise NotWeightinit(
                    f"{mask(response.url)} sent more than an answer of weightinit; check the URL"
                )
    except httpx.HTTPError as error:
        raise Truncated(f"{mask(response.url)} broke off its answer ({error})") from error
    return bytes(text)


def read_json(response: httpx.Response) -> Mapping[str, object]:
    """Read a JSON object. Raises NotWeightinit, Truncated."""
    media_type = read_media_type(response)
    if media_type not in {"application/json", PROBLEM}:
        raise NotWeightinit(
            f"{mask(response.url)} answered {response.status_code} with {media_type or 'no Content-Type'} "
            "where weightinit sends JSON; check the URL"
        )
    try:
        answer = json.loads(read_text(response))
    except ValueError as error:
        raise NotWeightinit(
            f"{mask(response.url)} sent JSON that cannot be read ({error}); check the URL"
        ) from error
    if not isinstance(answer, dict):
        raise NotWeightinit(f"{mask(response.url)} sent JSON that is no object; check the URL")
    return answer


def read_media_type(response: httpx.Response) -> str:
    """Read the media type of a body, without its parameters."""
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def read_problem(response: httpx.Response) -> Mapping[str, object]:
    """Read problem details (RFC 9457); nothing where something else was sent."""
    if read_media_type(response) != PROBLEM:
        return {}
    try:
        return read_json(response)
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
    kind = NotFound if status == 404 else RequestRejected
    raise kind(said, status=status, detail=detail)


def _read_errors(problem: Mapping[str, object]) -> list[FieldError]:
    listed = problem.get("errors")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    names = ("field", "rule", "received", "message")
    return [FieldError(*(str(row.get(name, "")) for name in names)) for row in rows]
