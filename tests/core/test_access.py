import re
from datetime import UTC, datetime, timedelta

import pytest

from service.core.access import Secret, Token

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def make_token(secret, *scopes, team="vision", **more):
    return Token(secret.id, secret.digest, team, frozenset(scopes), "", NOW, **more)


def test_a_token_is_one_word_of_the_syntax_of_bearer_tokens():
    """RFC 6750, section 2.1: b64token."""
    assert re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", Secret.make().text)


def test_a_token_has_256_random_bits():
    texts = {Secret.make().text.split("_", 2)[2] for _ in range(100)}
    assert len(texts) == 100
    assert {len(text) for text in texts} == {43}  # ⌈256 / 6⌉ characters of base64


def test_a_token_is_parsed_as_it_was_made():
    secret = Secret.make()
    assert Secret.parse(secret.text) == secret


@pytest.mark.parametrize(
    "change", [str.upper, lambda t: t + "\n", lambda t: " " + t, lambda t: t[:-1], lambda _: ""]
)
def test_text_that_is_no_token_is_not_parsed(change):
    assert Secret.parse(change(Secret.make().text)) is None


def test_a_token_matches_its_own_secret_only():
    secret, other = Secret.make(), Secret.make()
    token = make_token(secret, "read")
    assert token.matches(secret)
    assert not token.matches(Secret(secret.id, other.text))


def test_a_token_is_valid_until_it_expires_or_is_revoked():
    token = make_token(Secret.make(), "read", expires=NOW + timedelta(days=1))
    assert token.is_valid(NOW)
    assert not token.is_valid(NOW + timedelta(days=1))
    assert not make_token(Secret.make(), "read", revoked=NOW).is_valid(NOW)


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("read", {"read"}),
        ("publish", {"read", "publish"}),
        ("retire", {"read", "retire"}),
        ("admin", {"read", "publish", "retire", "admin"}),
    ],
)
def test_every_token_reads_and_admin_includes_all(scope, allowed):
    token = make_token(Secret.make(), scope)
    assert {other for other in ("read", "publish", "retire", "admin") if token.allows(other)} == allowed


def test_a_token_covers_its_team_or_all():
    assert make_token(Secret.make(), "read").covers("vision")
    assert not make_token(Secret.make(), "read").covers("audio")
    assert make_token(Secret.make(), "read", team="*").covers("audio")
