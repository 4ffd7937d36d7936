"""Token cache: tokens that were looked up recently, so that reads need no store."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import NamedTuple

from service.core.access import Token
from service.store import StoreUnavailableError

FRESH = 5.0  # seconds in which a revoked token can still read
STALE = 300.0  # seconds in which a token can still read while the store is unavailable
MAX_TOKENS = 1024


class Entry(NamedTuple):
    """A token, when its load began, and when the last load that failed ended, or else also when it began."""

    token: Token
    loaded: float
    tried: float


class TokenCache:
    """Keeps tokens for a few seconds, and for minutes while the store is unavailable.

    Unknown ids are not kept, so that a new token is valid at once. If the cache is full, the token that was
    loaded first leaves it. After a load that failed, a token is not loaded again for a few seconds, because
    such a load may take as long. `clock` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._tokens: dict[str, Entry] = {}

    async def find(self, identity: str, load: Callable[[], Awaitable[Token | None]]) -> Token | None:
        """Return a token from the cache, or else load it; None if it does not exist.

        The caller checks its secret and its expiry. Raises StoreUnavailableError.
        """
        start, known = self._clock(), self._tokens.get(identity)
        is_usable = known is not None and start - known.loaded < STALE
        if known and is_usable and start - known.tried < FRESH:
            return known.token
        try:
            token = await load()
        except StoreUnavailableError:
            if known is None or not is_usable:
                raise
            if self._tokens.get(identity) is known:  # no other request has loaded it meanwhile
                self._tokens[identity] = known._replace(tried=self._clock())
            return self._tokens.get(identity, known).token
        return self._put(identity, token, start)

    def keep(self, token: Token) -> None:
        """Keep a token that was changed."""
        self._put(token.id, token, self._clock())

    def _put(self, identity: str, token: Token | None, start: float) -> Token | None:
        """Keep a token whose load began at `start`, and return the one that is kept."""
        known = self._tokens.get(identity)
        if known and known.loaded > start:
            return known.token  # by a load that began later
        if known and known.token.revoked:
            token = known.token  # the load may have begun before the revocation
        self._tokens.pop(identity, None)
        if token:
            if len(self._tokens) >= MAX_TOKENS:
                self._tokens.pop(next(iter(self._tokens)))  # the one loaded first
            self._tokens[identity] = Entry(token, start, start)
        return token
