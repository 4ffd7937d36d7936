"""How long to wait, and for how long to go on."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weightinit import RateLimited, Retry, ServerError
from weightinit.transport.retry import parse_retry_after

from tests.clients.faults import refuse

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def waits(monkeypatch):
    """The seconds that were waited, without waiting."""
    seconds = []
    monkeypatch.setattr("weightinit.transport.retry.time.sleep", seconds.append)
    return seconds


@given(rounds=st.integers(0, 10_000), draw=st.floats(0, 1))
def test_a_delay_is_never_longer_than_the_longest(rounds, draw):
    assert 0 <= Retry(base=0.1, longest=10).compute_delay(rounds, lambda: draw) <= 10


def test_a_delay_doubles_its_range_each_round():
    assert [Retry(base=1, longest=8).compute_delay(n, lambda: 1) for n in range(5)] == [1, 2, 4, 8, 8]


def test_a_delay_is_drawn_from_all_of_its_range():
    """Full jitter: many clients that fail together do not come back together."""
    assert Retry(base=4).compute_delay(0, lambda: 0.25) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 12:01:30 -0000", None),
        ("٥", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert parse_retry_after(text, NOW) == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(small_server, small, make_client, waits, status):
    small_server.script = [refuse(status, retry_after="7")]
    make_client(small_server.url).weights(small.shape, seed=1, name="w")
    assert waits == [7]


def test_a_retry_after_that_asks_for_too_long_is_not_waited_for(small_server, small, make_client, waits):
    small_server.script = [refuse(429, retry_after="3600")]
    with pytest.raises(RateLimited) as raised:
        make_client(small_server.url).weights(small.shape, seed=1, name="w")
    assert raised.value.retry_after == 3600
    assert raised.value.__notes__ == ["Retry-After of 3600 s is over the limit of 60 s"]
    assert waits == []


def test_retries_say_how_often_to_try_again(small_server, small, make_client, waits):
    small_server.script = [refuse(503)] * 9
    with pytest.raises(ServerError):
        make_client(small_server.url, retries=2).weights(small.shape, seed=1, name="w")
    assert len(small_server.requests) == 3
    assert len(waits) == 2


def test_parameters_are_tried_again_too(small_server, make_client, waits):
    small_server.script = [refuse(503)] * 9
    with pytest.raises(ServerError):
        make_client(small_server.url, retries=1).parameters((2, 2))
    assert len(small_server.requests) == 2
