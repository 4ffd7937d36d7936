"""Queries: decode the query of a URL strictly.

A query is percent-encoded UTF-8 (WHATWG URL, section 5.1, application/x-www-form-urlencoded). Anything else
is an error and is not replaced, because a silently changed name would draw other weights.
"""

import re
from urllib.parse import unquote_to_bytes

from service.core import FieldError, SpecError

BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
RULE = "must be percent-encoded UTF-8"
MAX_PARAMETERS = 100  # more than any request has; a head has room for 20,000, which take long to decode

Pairs = list[tuple[str, str]]


def decode_query(query: bytes) -> Pairs:
    """Decode a raw query to name and value pairs. Raises SpecError.

    >>> decode_query(b"shape=784,300&name=a%20b+c")
    [('shape', '784,300'), ('name', 'a b c')]
    """
    if query.count(b"&") >= MAX_PARAMETERS:
        count = query.count(b"&") + 1
        raise SpecError([FieldError.of("query", f"must have at most {MAX_PARAMETERS} parameters", count)])
    pairs: Pairs = []
    errors: list[FieldError] = []
    for part in query.split(b"&"):
        if not part:
            continue
        name, _, value = part.partition(b"=")
        try:
            pairs.append((decode_text(name.replace(b"+", b" ")), decode_text(value.replace(b"+", b" "))))
        except ValueError:
            field = name.decode("ascii") if re.fullmatch(rb"[a-z_]{1,40}", name) else "query"
            errors.append(FieldError.of(field, RULE, value.decode("utf-8", "backslashreplace")))
    if errors:
        raise SpecError(errors[:16])
    return pairs


def decode_text(text: bytes) -> str:
    """Decode percent-encoded UTF-8 without replacements. Raises ValueError."""
    if b"%" not in text:  # most texts; saves a microsecond per request
        return text.decode()
    if BROKEN_ESCAPE.search(text):
        raise ValueError("a percent sign without two hexadecimal digits")
    return unquote_to_bytes(text).decode()
