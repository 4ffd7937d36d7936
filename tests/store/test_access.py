"""Tokens, the audit trail and quotas, in both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from service.core.access import Actor, Secret, Token
from service.store import InvalidTokenError, QuotaError, Store, StoreFullError, TooManyTokensError, access
from service.store.store import MAX_TOKENS, ROW_BYTES
from tests.store.places import make_model, make_name, put_model

ADA = Actor("", "vision", "192.0.2.7", "build-7")


def make_token(team="vision"):
    secret = Secret.make()
    return Token(secret.id, secret.digest, team, frozenset({"publish", "read"}), "ci", datetime.now(UTC))


def limit(store, quota=None, free_space=0):
    """Return the store with limits."""
    return Store(store._database, quota, free_space)


def test_a_token_is_found_as_it_was_put(store):
    token = make_token()
    store.put_token(token)
    assert store.get_token(token.id) == token


def test_an_empty_store_has_no_tokens(store):
    assert not store.has_tokens()
    assert (store.get_token("a" * 12), store.list_tokens(), store.list_audit(None, 0, 10)) == (None, [], [])


def test_a_revoked_token_is_kept_and_no_longer_listed(store):
    kept, gone = make_token(), make_token()
    for token in (kept, gone):
        store.put_token(token)
    first = store.revoke_token(gone.id)
    assert first.revoked is not None
    assert store.revoke_token(gone.id) == first
    assert [token.id for token in store.list_tokens()] == [kept.id]
    assert store.has_tokens()


def test_a_token_that_does_not_exist_is_not_revoked(store):
    assert store.revoke_token("0" * 12) is None


@pytest.mark.parametrize("identity", ["\0", "\ud800", "é" * 12, "A" * 12, ""])
def test_an_id_that_no_token_can_have_is_not_found(store, identity):
    store.put_token(make_token())
    assert store.get_token(identity) is None
    assert store.revoke_token(identity) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda store, actor: store.put_model(*make_model("b"), actor),
        lambda store, actor: store.put_name(make_name("vision/b/1"), make_model("a")[0], "ada", "", actor),
        lambda store, actor: store.retire_name(make_name("vision/a/1"), "ada", "", actor),
        lambda store, actor: store.put_token(make_token(), actor),
        lambda store, actor: store.revoke_token(store.list_tokens()[0].id, actor),
    ],
    ids=["model", "name", "retirement", "token", "revocation"],
)
def test_a_token_that_is_revoked_after_its_request_was_authorized_changes_nothing(store, change):
    store.put_name(make_name("vision/a/1"), put_model(store), "ada", "")
    token = make_token()
    for one in (token, make_token()):
        store.put_token(one)
    store.revoke_token(token.id)
    before = store.list_audit(None, 0, 100)
    with pytest.raises(InvalidTokenError, match=f"{token.id} is revoked or has expired"):
        change(store, Actor(token.id, "vision"))
    assert store.list_audit(None, 0, 100) == before


@pytest.mark.parametrize(("team", "used"), [("vision", ROW_BYTES + 2), ("*", 0), ("", 0)])
def test_a_token_counts_for_the_team_that_makes_it_itself(store, team, used):
    store.put_token(make_token(), Actor(team=team))
    assert store.get_usage("vision") == used


def test_a_change_that_is_seen_has_none_before_it_that_is_not(place, monkeypatch):
    # A reader goes on after the last number that it has seen, so it would miss what appears before that.
    stores = [place.open() for _ in range(2)]
    put_model(stores[0])
    entered, leave = threading.Event(), threading.Event()

    def add(*arguments, add=access.add_audit):
        add(*arguments)
        if not entered.is_set():
            entered.set()
            leave.wait(60)

    monkeypatch.setattr(access, "add_audit", add)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(put_model, stores[0], "first")
        assert entered.wait(60)
        # Of another team, because those of one team wait for what it has used.
        second = threads.submit(stores[1].put_model, *make_model("second"), ADA)
        wait([second], 1)  # it does not end, unless it does not wait for the first
        seen = stores[0].list_audit(None, 0, 10)
        leave.set()
        assert (first.result(), second.result()) == (make_model("first")[0], True)
    assert stores[0].list_audit(None, 0, 10)[: len(seen)] == seen
    for store in stores:
        store.close()


def test_tokens_are_listed_by_team(store):
    for team in ("vision", "audio"):
        store.put_token(make_token(team))
    assert [token.team for token in store.list_tokens("audio")] == ["audio"]


def test_the_number_of_tokens_is_limited(store, monkeypatch):
    assert MAX_TOKENS == 1000
    monkeypatch.setattr("service.store.store.MAX_TOKENS", 2)
    tokens = [make_token() for _ in range(3)]
    for token in tokens[:2]:
        store.put_token(token)
    with pytest.raises(TooManyTokensError, match="There are 2 tokens"):
        store.put_token(tokens[2])
    store.revoke_token(tokens[0].id)
    store.put_token(tokens[2])


def test_each_change_is_in_the_audit_trail_once(store):
    identity, canonical = make_model("a")
    name, token = make_name("vision/a/1"), make_token("audio")
    for _ in range(2):
        store.put_model(identity, canonical, ADA)
        store.put_name(name, identity, "ada", "", ADA)
    for _ in range(2):
        store.retire_name(name, "ada", "", ADA)
    store.put_token(token)
    for _ in range(2):
        store.revoke_token(token.id, ADA)
    told = [(entry.action, entry.subject, entry.team, entry.actor) for entry in store.list_audit(None, 0, 10)]
    assert told == [
        ("publish model", identity, "vision", ADA),
        ("publish name", "vision/a/1", "vision", ADA),
        ("retire name", "vision/a/1", "vision", ADA),
        ("create token", token.id, "audio", Actor()),
        ("revoke token", token.id, "audio", ADA),
    ]
    assert [entry.action for entry in store.list_audit("audio", 0, 1)] == ["create token"]


def test_a_change_that_fails_is_not_in_the_audit_trail(store):
    with pytest.raises(QuotaError):
        limit(store, quota=1).put_model(*make_model("a"), ADA)
    assert store.list_audit(None, 0, 10) == []
    assert store.get_usage("vision") == 0


def test_a_model_counts_for_the_team_of_its_publisher_once(store):
    identity, canonical = make_model("a")
    for actor in (ADA, Actor(team="audio")):
        store.put_model(identity, canonical, actor)
    assert store.get_usage("vision") == len(canonical) + ROW_BYTES
    assert store.get_usage("audio") == 0


def test_a_name_counts_for_its_own_team(store):
    store.put_name(make_name("audio/a/1"), put_model(store), "ada", "é", ADA)
    assert store.get_usage("audio") == len("audio/a/1adaé".encode()) + ROW_BYTES


def test_a_quota_is_reached_exactly(store):
    identity, canonical = make_model("a")
    size = len(canonical) + ROW_BYTES
    with pytest.raises(QuotaError, match=f"vision has used 0 of {size - 1} bytes, and this needs {size}"):
        limit(store, quota=size - 1).put_model(identity, canonical, ADA)
    assert limit(store, quota=size).put_model(identity, canonical, ADA)
    with pytest.raises(QuotaError, match=f"used {size} of {size} bytes"):
        limit(store, quota=size).put_model(*make_model("b"), ADA)


def test_publishers_at_once_do_not_exceed_a_quota(store):
    put_model(store)
    size = len(make_model("0")[1]) + ROW_BYTES
    limited = limit(store, quota=3 * size)

    def publish(number):
        try:
            return limited.put_model(*make_model(str(number)), ADA)
        except QuotaError:
            return False

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(publish, range(9))) == 3
    assert store.get_usage("vision") == 3 * size


def test_publishers_of_one_model_at_once_need_its_bytes_once(store):
    put_model(store)
    for attempt in range(5):
        identity, canonical = make_model(attempt)
        limited = limit(store, quota=store.get_usage("vision") + len(canonical) + ROW_BYTES)
        with ThreadPoolExecutor(4) as threads:
            publish = limited.put_model
            results = [threads.submit(publish, identity, canonical, ADA) for _ in range(12)]
        assert sorted(result.result() for result in results) == [False] * 11 + [True]


def test_makers_of_tokens_at_once_do_not_exceed_their_number(store, monkeypatch):
    monkeypatch.setattr("service.store.store.MAX_TOKENS", 3)
    put_model(store)

    def put(_number):
        try:
            store.put_token(make_token())
        except TooManyTokensError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(put, range(12))) == len(store.list_tokens()) == 3


def test_a_full_disk_is_told_before_anything_is_stored(sqlite_place):
    store = sqlite_place.open()
    put_model(store)
    full = limit(store, free_space=2**60)
    with pytest.raises(StoreFullError, match=rf"keeps {2**60} free"):
        full.put_model(*make_model("b"))
    with pytest.raises(StoreFullError):
        full.put_token(make_token())
    assert full.put_model(*make_model("a")) is False  # stored before
    store.close()


def test_what_an_older_version_stored_is_counted_and_kept(place, monkeypatch):
    from service.store import migrate

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "find_heads", lambda: {"0001"})
        patch.setattr(
            migrate.command, "upgrade", lambda config, _head, up=migrate.command.upgrade: up(config, "0001")
        )
        old = place.open()
        identity, canonical = make_model("a")
        old._schema.prepare(writing=True)
        with old._database.writer.begin() as connection:
            connection.execute(
                text("INSERT INTO models VALUES (:id, :canonical)"), {"id": identity, "canonical": canonical}
            )
            connection.execute(
                text(
                    "INSERT INTO names (team, name, version, model, author, note, published_at) "
                    "VALUES ('vision', 'a', '1', :id, 'ada', '', CURRENT_TIMESTAMP)"
                ),
                {"id": identity},
            )
        old.close()
    store = place.open()
    assert store.get_model(identity) == canonical
    assert store.get_name(make_name("vision/a/1")).model == identity
    assert store.get_usage("") == len(canonical) + ROW_BYTES
    assert store.get_usage("vision") == ROW_BYTES
    store.close()
