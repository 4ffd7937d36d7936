"""Token cache: tokens that were looked up recently, so that reads need no store."""

from collections.abc import Awaitable, Callable
from time import monotonic

from service.core.access import Token
from service.store import StoreUnavailableError

FRESH = 5.0  # seconds in which a revoked token can still read
STALE = 300.0  # seconds in which a token can still read while the store is unavailable
MAX_TOKENS = 1024


class TokenCache:
    """Keeps tokens for a few seconds, and for minutes while the store is unavailable.

    Unknown ids are not kept, so that a new token is valid at once. If the cache is full, the token that was
    loaded first leaves it. `clock` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._tokens: dict[str, tuple[float, Token]] = {}

    async def find(self, identity: str, load: Callable[[], Awaitable[Token | None]]) -> Token | None:
        """Return a token from the cache, or else load it; None if it does not exist.

        The caller checks its secret and its expiry. Raises StoreUnavailableError.
        """
        loaded, known = self._tokens.get(identity, (0.0, None))
        age = self._clock() - loaded
        if known and age < FRESH:
            return known
        try:
            token = await load()
        except StoreUnavailableError:
            if known and age < STALE:
                return known
            raise
        if token:
            return self.keep(token)
        self._tokens.pop(identity, None)
        return None

    def keep(self, token: Token) -> Token:
        """Keep a token that was loaded or changed, and return the one that is kept.

        One that is revoked stays, because a load that began before the revocation may end after it.
        """
        _, known = self._tokens.pop(token.id, (0.0, token))
        kept = known if known.revoked else token
        if len(self._tokens) >= MAX_TOKENS:
            self._tokens.pop(next(iter(self._tokens)))  # the one loaded first
        self._tokens[token.id] = (self._clock(), kept)
        return kept
