"""Digests of representations, for clients that request one (RFC 9530)."""

import base64
import hashlib
import re
from collections import OrderedDict

from service.api.content.representation import Representation
from service.api.http.ranges import Span
from service.api.metrics import RUNNING_DIGESTS
from service.api.work.single_flight import SingleFlight
from service.api.work.workers import Workers

ALGORITHMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
REMEMBERED = 1024

# Dictionaries (RFC 9651, sections 3 and 4.2). Quantifiers are possessive, so parsing takes linear time.
KEY = r"[a-z*][a-z0-9_.*-]*+"
BARE = (
    r"(?:-?[0-9]{1,12}\.[0-9]{1,3}|@?-?[0-9]{1,15}|%?\"(?:[ !#-\[\]-~]|\\[\"\\])*+\"|\?[01]"
    r"|:[A-Za-z0-9+/=]*+:|[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*+)"
)
PARAMETERS = rf"(?:; *+{KEY}(?:={BARE})?+)*+"
INNER_LIST = rf"\( *+(?:{BARE}{PARAMETERS}(?: ++{BARE}{PARAMETERS})*+)?+ *+\)"
MEMBER = re.compile(rf"({KEY})(?:=(?:({BARE})|{INNER_LIST}))?+{PARAMETERS}")
SEPARATOR = re.compile(r"[ \t]*+,[ \t]*+")
PREFERENCE = re.compile(r"10|[0-9]")
MAX_MEMBERS = 1024  # as many as every implementation supports


def choose_algorithm(want: str | None) -> str | None:
    """Choose the known algorithm that Want-Repr-Digest prefers, or None (RFC 9530, section 4).

    >>> choose_algorithm("md5=10, sha-256=3, sha-512=1"), choose_algorithm("sha-256=0")
    ('sha-256', None)
    """
    if want is None:
        return None
    members = parse_dictionary(want).items()
    weights = {
        name: int(value) for name, value in members if name in ALGORITHMS and PREFERENCE.fullmatch(value)
    }
    best = max(weights, key=lambda name: weights[name], default=None)
    return best if best and weights[best] else None


def parse_dictionary(field: str) -> dict[str, str]:
    """Parse a dictionary to its keys and the texts of their values, without parameters.

    A field that is invalid, or has more than MAX_MEMBERS, is ignored as a whole (RFC 9651, section 4.2).

    >>> parse_dictionary("sha-256=1;a=b, md5"), parse_dictionary("sha-256=1,")
    ({'sha-256': '1', 'md5': ''}, {})
    """
    field = field.strip(" ")
    if field.count(",") >= MAX_MEMBERS:
        return {}
    members: dict[str, str] = {}
    position = 0
    while member := MEMBER.match(field, position):
        members[member[1]] = member[2] or ""
        if member.end() == len(field):
            return members
        separator = SEPARATOR.match(field, member.end())
        if not separator:
            return {}
        position = separator.end()
    return {}


def format_repr_digest(algorithm: str, digest: bytes) -> str:
    """Format a Repr-Digest header.

    >>> format_repr_digest("sha-256", bytes(3))
    'sha-256=:AAAA:'
    """
    return f"{algorithm}=:{base64.b64encode(digest).decode()}:"


class Digests:
    """Computes the digests of representations, and remembers the latest REMEMBERED by entity tag.

    Equal digests that are requested at once are computed once.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._known: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._running: SingleFlight[bytes] = SingleFlight()

    def find(self, algorithm: str, etag: str) -> bytes | None:
        """Return a digest that is remembered, or None."""
        digest = self._known.get((algorithm, etag))
        if digest is not None:
            self._known.move_to_end((algorithm, etag))
        return digest

    async def compute(self, algorithm: str, etag: str, representation: Representation) -> bytes:
        """Return the digest of a representation. Draws and hashes it chunk by chunk, in constant memory."""
        if known := self.find(algorithm, etag):
            return known
        key = (algorithm, etag)
        digest = await self._running.run(key, lambda: self._hash(algorithm, representation))
        self._known[key] = digest
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return digest

    async def _hash(self, algorithm: str, representation: Representation) -> bytes:
        state = ALGORITHMS[algorithm]()

        def add(span: Span) -> None:
            state.update(representation.draw(span))

        with RUNNING_DIGESTS.track_inprogress():
            for span in representation.split(Span(0, representation.length)):
                await self._workers.run(add, span)
        return state.digest()
