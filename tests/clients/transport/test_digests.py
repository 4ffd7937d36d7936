"""Verification: bytes that were altered on the way are not taken."""

import base64
import hashlib

import pytest
from weightinit import DigestMismatch, DigestMissing, OutputFailed, Retry
from weightinit.transport.digests import compute_file_digest, parse_digest

from tests.clients.faults import change, flip_bit, truncate

DIGEST = hashlib.sha256(b"weights").digest()
TEXT = base64.b64encode(DIGEST).decode()


@pytest.mark.parametrize(
    "field",
    [
        f"sha-256=:{TEXT}:",
        f"sha-512=:AAAA:, sha-256=:{TEXT}:",
        f"sha-256=:{TEXT}:,md5=:AAAA:",
        f"sha-256=:{TEXT}:;x=1",
    ],
)
def test_a_digest_is_found_among_others(field):
    assert parse_digest(field) == DIGEST


@pytest.mark.parametrize(
    "field",
    ["", "sha-256", f"sha-256={TEXT}", "sha-256=:AAAA:", "sha-256=:!:", f"x-sha-256=:{TEXT}:", "sha-256=:A:"],
)
def test_what_is_no_digest_is_none(field):
    assert parse_digest(field) is None


def test_bytes_that_match_are_taken(server, tensor, make_client):
    fetched = make_client(server.url, verify=True).weights(tensor.shape, seed=1, name="w")
    assert fetched.tobytes() == tensor.tobytes()
    assert server.requests[0].headers["want-repr-digest"] == "sha-256=10"


def test_nobody_asks_for_a_digest_unless_told_to(small_server, small, make_client):
    make_client(small_server.url).weights(small.shape, seed=1, name="w")
    assert "want-repr-digest" not in small_server.requests[0].headers


def test_a_flipped_bit_is_fetched_again(server, tensor, make_client):
    server.script = [flip_bit(at=5)]
    fetched = make_client(server.url, verify=True).weights(tensor.shape, seed=1, name="w")
    assert fetched.tobytes() == tensor.tobytes()
    assert server.ranges == [None, None]


def test_a_bit_that_is_flipped_every_time_is_an_error(server, tensor, make_client):
    server.script = [flip_bit(at=5)] * 20
    client = make_client(server.url, verify=True, retries=Retry(attempts=2, base=0))
    with pytest.raises(DigestMismatch, match="another SHA-256 than it announced"):
        client.weights(tensor.shape, seed=1, name="w")
    assert len(server.requests) <= 3


def test_a_resumed_download_is_checked_as_a_whole(server, tensor, make_client):
    server.script = [truncate(600_000), flip_bit(at=5)]
    fetched = make_client(server.url, verify=True).weights(tensor.shape, seed=1, name="w")
    assert fetched.tobytes() == tensor.tobytes()
    assert server.ranges == [None, "bytes=600000-", None]


def test_the_digest_is_asked_for_once(server, tensor, make_client):
    """It is of the whole, and costs the service as much as drawing the whole."""
    server.script = [truncate(600_000)]
    make_client(server.url, verify=True).weights(tensor.shape, seed=1, name="w")
    assert ["want-repr-digest" in request.headers for request in server.requests] == [True, False]


@pytest.mark.parametrize("digest", [None, "sha-256=:AAAA:", "sha-512=:AAAA:"])
def test_a_digest_that_is_not_sent_is_an_error(small_server, small, make_client, digest):
    small_server.script = 2 * [change(repr_digest=digest)]
    with pytest.raises(DigestMissing, match="request slices of it, or turn off verify"):
        make_client(small_server.url, verify=True).weights(small.shape, seed=1, name="w")


def test_a_digest_that_a_cache_does_not_have_is_asked_for_past_it(small_server, small, make_client):
    small_server.script = [change(repr_digest=None)]
    fetched = make_client(small_server.url, verify=True).weights(small.shape, seed=1, name="w")
    assert fetched.tobytes() == small.tobytes()
    asked = [request.headers.get("cache-control") for request in small_server.requests]
    assert asked == [None, "no-cache"]


def test_another_tag_has_another_digest(server, tensor, make_client):
    def replace(exchange):
        server.etag, server.body = '"two"', server.body[::-1]
        exchange.request.headers["want-repr-digest"] = "sha-256=10"
        exchange.answer(exchange.make_answer())

    server.script = [truncate(600_000), replace]
    fetched = make_client(server.url, verify=True).weights(tensor.shape, seed=1, name="w")
    assert fetched.tobytes() == tensor.tobytes()[::-1]


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "w").write_bytes(b"weights")
    assert compute_file_digest(tmp_path / "w") == DIGEST


def test_a_file_that_cannot_be_read_has_none(tmp_path):
    with pytest.raises(OutputFailed, match="cannot be read: No such file"):
        compute_file_digest(tmp_path / "missing")
