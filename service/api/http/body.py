"""Bodies: read a JSON object from a request, strictly and within a limit.

FastAPI's `max_body_size` is fixed when a route is declared. These limits are settings of the running service.
A 413 has the limit in its detail and closes the connection.
"""

import json
from collections import Counter
from collections.abc import Mapping

from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from service.api.http.media_types import JSON
from service.core import FieldError, SpecError

MAX_INTEGER_DIGITS = 4000  # Python converts at most 4300 digits to an integer


async def read_json(request: Request, limit: int) -> Mapping[str, object]:
    """Read a JSON object without repeated names. Raises HTTPException 400, 413 or 415, or SpecError."""
    check_content_type(request)
    return parse_json(await read_body(request, limit))


def check_content_type(request: Request) -> None:
    """Check that the body is JSON in UTF-8, and not compressed. Raises HTTPException 415."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPException(415, "The body must have no Content-Encoding.", {"Accept-Encoding": "identity"})
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = {
        value.strip(' \t"')
        for name, _, value in (parameter.partition("=") for parameter in parameters)
        if name.strip() == "charset"  # others are ignored (RFC 2045, section 1)
    }
    if media_type.strip() != JSON or charsets - {"utf-8"}:
        detail = f"Content-Type must be {JSON}, in UTF-8."
        raise HTTPException(415, detail, {"Accept-Post": JSON})


async def read_body(request: Request, limit: int) -> bytes:
    """Read the body up to the limit. Raises HTTPException 413."""
    check_length(int(request.headers.get("content-length", 0)), limit)
    body = bytearray()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        check_length(len(body), limit)
        more = message.get("more_body", False)
    return bytes(body)


def check_length(length: int, limit: int) -> None:
    """Check that a body is within the limit. Raises HTTPException 413."""
    if length > limit:
        raise HTTPException(413, f"The body must be at most {limit} bytes.", {"Connection": "close"})


def check_values(body: bytes, most: int) -> None:
    """Check the number of values in a JSON body, estimated from its punctuation. Raises HTTPException 413.

    Parsing holds the GIL, so a long body would block all other requests.
    """
    if sum(body.count(mark) for mark in b"[{:,") > most:
        raise HTTPException(413, f"The body must have at most {most} values.")


def parse_json(body: bytes) -> Mapping[str, object]:
    """Parse a JSON object (RFC 8259). NaN and infinity pass; the validation of fields rejects them.

    Raises HTTPException 400 if it is not JSON, and SpecError if it is not an object or repeats a name.

    >>> parse_json(b'{"shape": [784, 300], "seed": 42}')
    {'shape': [784, 300], 'seed': 42}
    """
    value = _parse_plain(body)
    return _parse_strictly(body) if value is None else value


def _parse_plain(body: bytes) -> dict[str, object] | None:
    """Parse a short object that repeats no name. Return None if the strict parser is needed.

    Each name is followed by a colon, so no name is repeated if there are as many names as colons. In a short
    body no integer is too long.
    """
    if len(body) > MAX_INTEGER_DIGITS:
        return None
    try:
        value = from_json(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) and len(value) == body.count(b":") else None


def _parse_strictly(body: bytes) -> dict[str, object]:
    repeated: list[str] = []

    def collect(pairs: list[tuple[str, object]]) -> dict[str, object]:
        values = dict(pairs)
        if len(values) < len(pairs):
            repeated.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        return values

    try:
        value = json.loads(body.decode(), object_pairs_hook=collect, parse_int=_parse_integer)
    except UnicodeDecodeError:
        raise HTTPException(400, "The body is not UTF-8.") from None
    except RecursionError:
        raise HTTPException(400, "The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        detail = f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise HTTPException(400, detail) from None
    if not isinstance(value, dict):
        raise SpecError([FieldError.of("spec", "must be an object", value)])
    if repeated:
        raise SpecError([FieldError.of("spec", "must have each name once", name) for name in repeated[:16]])
    return value


def _parse_integer(text: str) -> int | str:
    return int(text) if len(text) <= MAX_INTEGER_DIGITS else text
