import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.api.token_cache import FRESH, MAX_TOKENS, STALE, TokenCache
from service.core.access import Token
from service.store import StoreUnavailableError


def make_token(identity="a"):
    return Token(identity, b"", "vision", frozenset({"read"}), "", datetime.now(UTC))


class Clock:
    """A clock and a store that a test sets."""

    def __init__(self):
        self.now, self.loads, self.stored = 100.0, 0, make_token()
        self.cache = TokenCache(lambda: self.now)

    async def load(self):
        self.loads += 1
        if isinstance(self.stored, Exception):
            raise self.stored
        return self.stored

    def find(self, identity="a"):
        return asyncio.run(self.cache.find(identity, self.load))


def test_a_token_is_loaded_once_in_a_few_seconds():
    clock = Clock()
    assert clock.find() is clock.find() is clock.stored
    assert clock.loads == 1


def test_a_token_that_is_gone_is_forgotten_in_a_few_seconds():
    clock = Clock()
    clock.find()
    clock.now, clock.stored = clock.now + FRESH, None
    assert clock.find() is None


def test_an_unknown_token_is_looked_up_each_time():
    clock = Clock()
    clock.stored = None
    assert clock.find() is None
    clock.stored = make_token()
    assert clock.find() is clock.stored


def test_a_known_token_is_valid_for_minutes_while_the_store_is_unavailable():
    clock = Clock()
    known = clock.find()
    clock.stored = StoreUnavailableError("")
    clock.now += STALE - 1
    assert clock.find() is known
    clock.now += 1
    with pytest.raises(StoreUnavailableError):
        clock.find()


def test_while_the_store_is_unavailable_a_known_token_is_not_loaded_each_time():
    clock = Clock()
    clock.find()
    clock.stored = StoreUnavailableError("")
    clock.now += FRESH
    for _ in range(3):
        clock.find()
    assert clock.loads == 2
    clock.now += FRESH
    clock.find()
    assert clock.loads == 3


def test_a_token_is_as_old_as_the_start_of_its_load():
    clock = Clock()

    async def load():
        clock.now += FRESH  # the store is slow
        return await clock.load()

    for _ in range(2):
        asyncio.run(clock.cache.find("a", load))
    assert clock.loads == 2


def test_a_load_that_ends_late_does_not_replace_a_later_one():
    clock = Clock()
    revoked = replace(clock.stored, revoked=datetime.now(UTC))

    async def load():
        clock.now += 1
        await clock.cache.find("a", load_later)
        return clock.stored

    async def load_later():
        return revoked

    asyncio.run(clock.cache.find("a", load))
    assert clock.find() is revoked


def test_an_unknown_token_is_an_error_while_the_store_is_unavailable():
    clock = Clock()
    clock.stored = StoreUnavailableError("")
    with pytest.raises(StoreUnavailableError):
        clock.find()


def test_a_revoked_token_stays_revoked_while_the_store_is_unavailable_or_was_read_before():
    clock = Clock()
    before = clock.find()
    revoked = replace(before, revoked=datetime.now(UTC))
    clock.cache.keep(revoked)
    clock.now += FRESH
    clock.stored = StoreUnavailableError("")
    assert clock.find() is revoked
    clock.stored = before
    assert clock.find() is revoked


def test_the_cache_is_bounded():
    clock = Clock()
    for number in range(3 * MAX_TOKENS):
        clock.stored = make_token(str(number))
        clock.find(str(number))
    assert len(clock.cache._tokens) == MAX_TOKENS
