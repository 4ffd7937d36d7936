"""Responses: headers, JSON bodies and errors."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import httpx

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
    WrongRange,
)
from weightinit.transport.digests import parse_digest
from weightinit.transport.pace import Pace
from weightinit.transport.requests import Query
from weightinit.transport.retry import parse_retry_after
from weightinit.transport.urls import mask

T = TypeVar("T")

PROBLEM = "application/problem+json"
# The maximum bytes of a body that is read whole, since a wrong URL may send any number.
MAX_TEXT_LENGTH = 2**20
# The same for responses about models, whose parameters are many times as long as the model.
MAX_MODEL_BYTES = 2**28
# Problem details of a name have the id of its model.
NAMED: dict[int, type[NameTaken] | type[Retired]] = {409: NameTaken, 410: Retired}


def raise_for_status(response: httpx.Response, label: str) -> None:
    """Raise the error of a 4xx or 5xx response."""
    if response.status_code >= 400:
        _raise(response, read_problem(response), f"{label} from {mask(response.url)}")


def read_text(response: httpx.Response, longest: int = MAX_TEXT_LENGTH) -> bytes:
    """Read a whole body. Raises NotWeightinit if it is too long, Truncated if it ends early."""
    text, pace = bytearray(), Pace(response)
    try:
        for chunk in response.iter_raw():
            pace.check(len(chunk))
            text += chunk
            if len(text) > longest:
                raise NotWeightinit(f"{mask(response.url)} sent over {longest} bytes; check the URL")
    except httpx.HTTPError as error:
        raise Truncated(
            f"{mask(response.url)} closed the connection during the response ({error})"
        ) from error
    return bytes(text)


def read_json_text(response: httpx.Response, longest: int = MAX_TEXT_LENGTH) -> bytes:
    """Read the text of a JSON body, without parsing it. Raises NotWeightinit, Truncated."""
    media_type = read_media_type(response)
    if media_type not in {"application/json", PROBLEM}:
        raise NotWeightinit(
            f"{mask(response.url)} responded with {response.status_code} and "
            f"{media_type or 'no Content-Type'}, not JSON; check the URL"
        )
    return read_text(response, longest)


def parse_json(text: bytes, response: httpx.Response) -> Mapping[str, object]:
    """Parse the text of a response as a JSON object. Raises NotWeightinit."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotWeightinit(f"{mask(response.url)} sent invalid JSON ({error}); check the URL") from error
    if not isinstance(answer, dict):
        raise NotWeightinit(f"{mask(response.url)} sent JSON that is not an object; check the URL")
    return answer


def read_answer(
    response: httpx.Response,
    read: Callable[[Mapping[str, object]], T],
    longest: int = MAX_TEXT_LENGTH,
    digest: str = "",
) -> T:
    """Return what `read` returns for a response's JSON object; it raises ValueError if that is invalid.

    If `digest` is given, the text must have this SHA-256. Raises NotWeightinit, Truncated, DigestMismatch.
    """
    text = read_json_text(response, longest)
    if digest and hashlib.sha256(text).hexdigest() != digest:
        raise DigestMismatch(f"{mask(response.url)} sent a model with another SHA-256 than its id, {digest}")
    try:
        return read(parse_json(text, response))
    except (ValueError, OverflowError) as error:
        raise NotWeightinit(
            f"the response of {mask(response.url)} cannot be read: {error}; check the URL"
        ) from error


def replay(text: bytes, url: httpx.URL | str) -> httpx.Response:
    """Return a response with a JSON text that was read before."""
    return httpx.Response(
        httpx.codes.OK,
        headers={"Content-Type": "application/json"},
        stream=httpx.ByteStream(text),
        request=httpx.Request("GET", url),
    )


def read_media_type(response: httpx.Response) -> str:
    """Return the media type of a body, without its parameters."""
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def read_problem(response: httpx.Response) -> Mapping[str, object]:
    """Return problem details (RFC 9457); empty if the response has none."""
    if read_media_type(response) != PROBLEM:
        return {}
    try:
        return parse_json(read_json_text(response), response)
    except (NotWeightinit, Truncated):
        return {}


def _raise(response: httpx.Response, problem: Mapping[str, object], label: str) -> NoReturn:
    status = response.status_code
    detail = str(problem.get("detail") or problem.get("title") or "")
    message = f"{label}: {status} {detail or response.reason_phrase}".rstrip()
    later = parse_retry_after(response.headers.get("Retry-After", ""))
    if status >= 500:
        raise ServerError(message, status=status, detail=detail, retry_after=later)
    if status == 429:
        raise RateLimited(message, status=status, detail=detail, retry_after=later)
    if status in {401, 403}:
        if status == 401:
            message = _add_advice(message, "set token= or WEIGHTINIT_TOKEN")
        raise Unauthorized(message, status=status, detail=detail)
    if not problem:
        raise NotWeightinit(f"{message}, without problem details; check the URL")
    if status == 422:
        errors = _read_errors(problem)
        rules = "; ".join(error.message for error in errors) or detail
        raise SpecRejected(f"{label}: {rules}", status=status, detail=detail, errors=errors)
    if status in NAMED:
        model = str(problem.get("model", ""))
        if model not in message:
            message = _add_advice(message, f"its model is {model}")
        raise NAMED[status](message, status=status, detail=detail, model=model)
    kind = NotFound if status == 404 else RequestRejected
    raise kind(message, status=status, detail=detail)


def _add_advice(message: str, advice: str) -> str:
    """Add to a message, whose details may be a sentence."""
    return f"{message.removesuffix('.')}; {advice}"


def _read_errors(problem: Mapping[str, object]) -> list[FieldError]:
    listed = problem.get("errors")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    names = ("field", "rule", "received", "message")
    return [FieldError(*(str(row.get(name, "")) for name in names)) for row in rows]


RAW = "application/octet-stream"

# The version of the stream whose bytes this client knows.
STREAM = "1"
NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
STRONG_TAG = re.compile(r'"[!#-~\x80-\xff]*"')
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Head:
    """The headers of a response with bytes: its URL, its range and its representation.

    `size` is the whole representation's, None if unknown; `etag` is a strong one; `lifetime` is for how
    many seconds the response may be cached.
    """

    url: str
    is_partial: bool
    start: int
    size: int | None
    etag: str | None
    digest: bytes | None
    lifetime: float

    @classmethod
    def of(cls, response: httpx.Response, query: Query) -> "Head":
        """Read the headers of a 200 or 206. Raises NotWeightinit, WrongRange."""
        label = query.label
        url = mask(response.url)
        is_partial = response.status_code == httpx.codes.PARTIAL_CONTENT
        if response.status_code != httpx.codes.OK and not is_partial:
            raise NotWeightinit(f"{url} responded with {response.status_code} to {label}; check the URL")
        # Before the media type: a response with several ranges has another type.
        start, size = _read_part(response, url) if is_partial else (0, _read_length(response))
        media_type = read_media_type(response)
        coding = response.headers.get("Content-Encoding", "identity")
        if media_type != RAW or coding.lower() != "identity":
            raise NotWeightinit(
                f"{url} responded with {media_type or 'no Content-Type'} and Content-Encoding {coding}, not "
                f"{RAW} and identity; check the URL"
            )
        _check_expected(response, url, query)
        digest = parse_digest(response.headers.get("Repr-Digest", ""))
        return cls(url, is_partial, start, size, read_tag(response), digest, read_lifetime(response))


def _check_expected(response: httpx.Response, url: str, query: Query) -> None:
    """Check the stream, and what else is known of the bytes beforehand. Raises NotWeightinit."""
    stream = response.headers.get("Weightinit-Stream")
    if stream != STREAM:
        raise NotWeightinit(
            f"{url} sent {query.label} of stream {stream or 'unknown'}; this client is for stream {STREAM}: "
            "check the URL, and install the client that the service has"
        )
    for name, value in query.expected.items():
        if (sent := response.headers.get(name, value)) != value:
            raise NotWeightinit(
                f"{url} sent {name}: {sent} for {query.label}, not {value}; check the URL and its caches"
            )


def read_tag(response: httpx.Response) -> str | None:
    """Return a strong entity tag; a weak one does not identify bytes (RFC 9110, section 8.8.1)."""
    tag = str(response.headers.get("ETag", ""))
    return tag if STRONG_TAG.fullmatch(tag) else None


def may_be_stored(response: httpx.Response) -> bool:
    """Return whether a response may be stored, if only for offline use (RFC 9111)."""
    return "Cache-Control" in response.headers and "no-store" not in _read_directives(response)


def read_lifetime(response: httpx.Response) -> float:
    """Return for how many seconds a response is fresh (RFC 9111, section 4.2)."""
    directives = _read_directives(response)
    ages = [part.partition("=")[2] for part in directives if part.startswith("max-age=")]
    age = response.headers.get("Age", "0")
    if "no-store" in directives or not ages or not NUMBER.fullmatch(ages[0]) or not NUMBER.fullmatch(age):
        return 0.0
    return max(0.0, float(ages[0]) - float(age))


def _read_directives(response: httpx.Response) -> list[str]:
    return str(response.headers.get("Cache-Control", "")).replace(" ", "").lower().split(",")


def _read_length(response: httpx.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if NUMBER.fullmatch(length) else None


def _read_part(response: httpx.Response, url: str) -> tuple[int, int]:
    """Return the start of a range up to the end, and the size of the whole. Raises WrongRange."""
    text = response.headers.get("Content-Range", "no Content-Range")
    found = CONTENT_RANGE.fullmatch(text)
    start, last, size = (int(number) for number in found.groups()) if found else (0, 0, 0)
    length = _read_length(response)
    if not start <= last < size or last != size - 1 or length not in {None, size - start}:
        raise WrongRange(
            f"{url} responded with {text} in {length} bytes; requested was a range up to the end"
        )
    return start, size
