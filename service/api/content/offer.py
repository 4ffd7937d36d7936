"""Offers: a representation with its entity tag and the headers that tell what it is."""

import hashlib
from dataclasses import dataclass
from typing import Self

import orjson

from service.api.content.representation import Representation
from service.stream import STREAM_VERSION


def compute_etag(representation: Representation) -> str:
    """Compute the strong entity tag of a representation.

    It is a digest of everything the bytes are a function of. Specs that differ in spelling alone share it.
    """
    header = hashlib.sha256(representation.header).hexdigest()
    sources = [source.identity for source in representation.sources]
    identity = orjson.dumps((STREAM_VERSION, representation.media_type, header, sources))
    return f'"{hashlib.sha256(identity).hexdigest()}"'


CACHING = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole representation, its entity tag, and the headers that tell what it is."""

    whole: Representation
    etag: str
    headers: dict[str, str]

    @classmethod
    def of(cls, whole: Representation, said: dict[str, str]) -> Self:
        """Offer a representation, with what else there is to say of it."""
        etag = compute_etag(whole)
        headers = {
            "Content-Type": whole.media_type,
            "ETag": etag,
            "Cache-Control": CACHING,
            "Vary": "Accept",
            "Accept-Ranges": "bytes",
            "Weightinit-Stream": str(STREAM_VERSION),
            **said,
        }
        return cls(whole, etag, headers)
