"""Entity tags: computed from what makes the bytes, without drawing any (RFC 9110, section 8.8.3)."""

import hashlib

import orjson

from service.api.representations import Representation
from service.stream import STREAM_VERSION


def compute_etag(representation: Representation) -> str:
    """Compute the strong entity tag of a representation.

    It is a digest of everything the bytes are a function of. Specs that differ in spelling alone share it.
    """
    header = hashlib.sha256(representation.header).hexdigest()
    sources = [source.identity for source in representation.sources]
    identity = orjson.dumps((STREAM_VERSION, representation.media_type, header, sources))
    return f'"{hashlib.sha256(identity).hexdigest()}"'
