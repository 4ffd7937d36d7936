"""Heads: what an answer says about the bytes that follow it."""

import re
from dataclasses import dataclass

import httpx

from weightinit.answers import read_media_type
from weightinit.digests import parse_digest
from weightinit.endpoints import mask
from weightinit.errors import NotWeightinit, WrongRange

RAW = "application/octet-stream"

STRONG_TAG = re.compile(r'"[!#-~\x80-\xff]*"')
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Head:
    """An answer of bytes: whose, which of them, and of which representation.

    `size` is the whole representation's, None where it is not said; `etag` is a strong one; `lifetime` is
    for how many seconds the answer may be kept.
    """

    whom: str
    is_partial: bool
    start: int
    size: int | None
    etag: str | None
    digest: bytes | None
    lifetime: float

    @classmethod
    def of(cls, response: httpx.Response, words: str) -> "Head":
        """Read the head of a 200 or 206. Raises NotWeightinit, WrongRange."""
        whom = mask(response.url)
        is_partial = response.status_code == httpx.codes.PARTIAL_CONTENT
        if response.status_code != httpx.codes.OK and not is_partial:
            raise NotWeightinit(f"{whom} answered {response.status_code} to {words}; check the URL")
        # Before the type: several ranges, which nobody asked for, have a type of their own.
        start, size = _read_part(response, whom) if is_partial else (0, _read_length(response))
        media_type = read_media_type(response)
        coding = response.headers.get("Content-Encoding", "identity")
        if media_type != RAW or coding.lower() != "identity":
            raise NotWeightinit(
                f"{whom} answered with {media_type or 'no Content-Type'}, coded as {coding}, where "
                f"weightinit sends {RAW} as it is; check the URL"
            )
        digest = parse_digest(response.headers.get("Repr-Digest", ""))
        return cls(whom, is_partial, start, size, read_tag(response), digest, read_lifetime(response))


def read_tag(response: httpx.Response) -> str | None:
    """Read a strong entity tag; a weak one does not tell bytes apart (RFC 9110, section 8.8.1)."""
    tag = str(response.headers.get("ETag", ""))
    return tag if STRONG_TAG.fullmatch(tag) else None


def read_lifetime(response: httpx.Response) -> float:
    """Read for how many seconds an answer may be kept (RFC 9111, section 4.2)."""
    directives = response.headers.get("Cache-Control", "").replace(" ", "").lower().split(",")
    ages = [part.partition("=")[2] for part in directives if part.startswith("max-age=")]
    age = response.headers.get("Age", "0")
    if "no-store" in directives or not ages or not ages[0].isdecimal() or not age.isdecimal():
        return 0.0
    return max(0.0, float(ages[0]) - float(age))


def _read_length(response: httpx.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _read_part(response: httpx.Response, whom: str) -> tuple[int, int]:
    """Return where a part starts and the size of the whole. It has to go on to the end."""
    text = response.headers.get("Content-Range", "no Content-Range")
    found = CONTENT_RANGE.fullmatch(text)
    start, last, size = (int(number) for number in found.groups()) if found else (0, 0, 0)
    length = _read_length(response)
    if not start <= last < size or last != size - 1 or length not in {None, size - start}:
        raise WrongRange(f"{whom} answered with {text} in {length} bytes, asked for the rest from a byte on")
    return start, size
