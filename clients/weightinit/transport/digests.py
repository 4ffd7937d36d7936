"""Digests: the SHA-256 that the service sends (RFC 9530), and that of a file."""

import base64
import binascii
import hashlib
import re
from pathlib import Path

from weightinit.errors import OutputFailed

WANTED = {"Want-Repr-Digest": "sha-256=10"}

# A dictionary of byte sequences (RFC 9651, sections 3.2 and 3.3.5).
SHA_256 = re.compile(r"(?:^|,)[ \t]*sha-256=:([A-Za-z0-9+/=]*):[ \t]*(?:;[^,]*)?(?=,|$)")
SHA_256_SIZE = 32


def parse_digest(field: str) -> bytes | None:
    """Return the SHA-256 in a Repr-Digest header; None if it has none.

    >>> parse_digest("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:").hex()[:8]
    'e3b0c442'
    """
    found = SHA_256.search(field)
    if not found:
        return None
    try:
        digest = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        return None
    return digest if len(digest) == SHA_256_SIZE else None


def compute_file_digest(path: Path) -> bytes:
    """Compute the SHA-256 of a file. Raises OutputFailed if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise OutputFailed(f"{path} cannot be read: {error.strerror or error}") from error
