"""A download that breaks goes on, or starts again, and is right in the end."""

import numpy as np
import pytest
from weightinit import BrokenTransfer, NotWeightinit, Retry, ServerStalled, Truncated, WrongLength, WrongRange

from tests.clients.faults import change, hang_up, refuse, reset, send_chunked, stall, truncate

HALF = 600_000


def fetch(client, tensor, **spec):
    return client.weights(tensor.shape, seed=1, name="w", **spec)


def same(first, second):
    return first.tobytes() == second.tobytes()


def test_an_unbroken_download_is_one_request(server, tensor, make_client):
    assert same(fetch(make_client(server.url), tensor), tensor)
    assert server.ranges == [None]


def test_a_truncated_download_goes_on_from_where_it_broke(server, tensor, make_client):
    server.script = [truncate(HALF)]
    assert same(fetch(make_client(server.url), tensor), tensor)
    assert server.ranges == [None, f"bytes={HALF}-"]
    assert server.requests[1].headers["if-range"] == '"one"'


def test_it_goes_on_however_often_it_breaks(server, tensor, make_client):
    server.script = [truncate(HALF), truncate(HALF // 2), hang_up, truncate(1), reset(1000)]
    assert same(fetch(make_client(server.url), tensor), tensor)


def test_a_download_that_breaks_before_its_first_byte_starts_again(server, tensor, make_client):
    server.script = [truncate(0)]
    assert same(fetch(make_client(server.url), tensor), tensor)
    assert server.ranges == [None, None]


def test_a_stalled_download_goes_on_on_another_connection(server, tensor, make_client):
    server.script = [stall(HALF)]
    assert same(fetch(make_client(server.url, timeout=0.2), tensor), tensor)
    assert server.ranges == [None, f"bytes={HALF}-"]


def test_a_server_that_stalls_every_time_is_an_error(server, tensor, make_client):
    server.script = [stall(HALF), stall(0), stall(0)]
    with pytest.raises(ServerStalled, match=r"sent nothing for 0\.1 s with \d+ bytes missing"):
        fetch(make_client(server.url, timeout=0.1, retries=Retry(attempts=3, base=0)), tensor)


def test_a_server_that_never_answers_is_an_error(server, tensor, make_client):
    server.script = [lambda exchange: exchange.wait_for_client_to_leave()] * 2
    with pytest.raises(ServerStalled, match="sent nothing"):
        fetch(make_client(server.url, timeout=0.1, retries=Retry(attempts=2, base=0)), tensor)


def test_a_server_that_breaks_every_time_is_an_error(server, tensor, make_client):
    server.script = [truncate(HALF), truncate(0), truncate(0)]
    with pytest.raises(
        Truncated, match=rf"closed the connection with {tensor.nbytes - HALF} bytes missing"
    ) as raised:
        fetch(make_client(server.url, retries=Retry(attempts=3, base=0)), tensor)
    assert raised.value.__notes__ == ["gave up after 3 attempts"]


def test_attempts_that_bring_a_mebibyte_are_not_counted(make_client):
    from tests.clients.conftest import make_tensor
    from tests.clients.faults import FaultServer, run

    tensor = make_tensor(8 * 2**20)
    with run(FaultServer(tensor.tobytes(), script=[truncate(2**20)] * 7)) as server:
        assert same(fetch(make_client(server.url, retries=0), tensor), tensor)
    assert len(server.requests) == 8


def test_a_server_that_ignores_the_range_makes_it_start_again(server, tensor, make_client):
    def ignore_range(exchange):
        del exchange.request.headers["range"]
        exchange.answer(exchange.make_answer())

    server.script = [truncate(HALF), ignore_range]
    assert same(fetch(make_client(server.url), tensor), tensor)


def test_another_tag_midway_makes_it_start_again(server, tensor, make_client):
    """The service was replaced while it sent: If-Range keeps old and new bytes apart."""

    def replace(exchange):
        server.etag, server.body = '"two"', server.body[::-1]
        exchange.answer(exchange.make_answer())

    server.script = [truncate(HALF), replace]
    fetched = fetch(make_client(server.url), tensor)
    assert fetched.tobytes() == tensor.tobytes()[::-1]
    assert server.requests[1].headers["if-range"] == '"one"'


def test_without_a_strong_tag_it_starts_again(server, tensor, make_client):
    server.etag = 'W/"one"'
    server.script = [truncate(HALF)]
    assert same(fetch(make_client(server.url), tensor), tensor)
    assert server.ranges == [None, None]


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-1048575/1048576",
        "bytes 599999-1048575/1048576",
        "bytes 600000-1048574/1048576",
        "bytes 600000-1048575/1048577",
        "bytes 600000-1048575/*",
        "bytes */1048576",
        "items 600000-1048575/1048576",
        "bytes=600000-1048575/1048576",
        "",
        None,
    ],
)
def test_a_part_of_another_range_is_thrown_away(small_server, small, make_client, content_range):
    small_server.script = [truncate(HALF), change(content_range=content_range)]
    assert same(fetch(make_client(small_server.url), small), small)
    assert small_server.ranges == [None, f"bytes={HALF}-", None]


def test_a_server_that_sends_wrong_parts_every_time_is_an_error(small_server, small, make_client):
    wrong = change(content_range="bytes 1-1048575/1048576")
    small_server.script = [truncate(HALF), wrong, truncate(HALF), wrong]
    with pytest.raises(WrongRange, match="responded with bytes 1-1048575/1048576"):
        fetch(make_client(small_server.url, retries=Retry(attempts=4, base=0)), small)


def test_a_part_of_another_tag_is_thrown_away(small_server, small, make_client):
    small_server.script = [truncate(HALF), change(etag='"two"')]
    assert same(fetch(make_client(small_server.url), small), small)
    assert small_server.ranges == [None, f"bytes={HALF}-", None]


def test_a_part_without_a_tag_is_thrown_away(small_server, small, make_client):
    small_server.script = [truncate(HALF), change(etag=None)]
    assert same(fetch(make_client(small_server.url), small), small)


def test_a_part_that_nobody_asked_for_is_thrown_away(small_server, small, make_client):
    def send_part(exchange):
        exchange.request.headers |= {"range": "bytes=1000-", "if-range": '"one"'}
        exchange.answer(exchange.make_answer())

    small_server.script = [send_part]
    assert same(fetch(make_client(small_server.url), small), small)


def test_several_parts_at_once_are_thrown_away(small_server, small, make_client):
    small_server.script = [
        truncate(HALF),
        change(content_range=None, content_type="multipart/byteranges; boundary=x"),
    ]
    assert same(fetch(make_client(small_server.url), small), small)


def test_an_unsatisfiable_range_makes_it_start_again(small_server, small, make_client):
    small_server.script = [truncate(HALF), refuse(416, content_range="bytes */5")]
    assert same(fetch(make_client(small_server.url), small), small)
    assert small_server.ranges == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize("length", [0, 1, 1048575, 1048577])
def test_another_length_is_an_error(small_server, small, make_client, length):
    small_server.body = bytes(length)
    with pytest.raises(
        WrongLength, match=rf"announced {length} bytes for weights w 256×1024, which has 1048576"
    ):
        fetch(make_client(small_server.url), small)


def test_a_length_that_only_shows_in_the_end_will_do(server, tensor, make_client):
    server.script = [send_chunked]
    assert same(fetch(make_client(server.url), tensor), tensor)


def test_more_bytes_than_the_tensor_has_are_an_error(small_server, small, make_client):
    small_server.body += b"more"
    small_server.script = [send_chunked] * 3  # the first brought a mebibyte, and is not counted
    with pytest.raises(BrokenTransfer, match="more bytes than"):
        fetch(make_client(small_server.url, retries=Retry(attempts=2, base=0)), small)


def test_fewer_bytes_than_the_tensor_has_are_an_error(small_server, small, make_client):
    small_server.body, small_server.etag = small_server.body[:-4], None
    small_server.script = [send_chunked] * 2
    with pytest.raises(Truncated, match="with 4 bytes missing"):
        fetch(make_client(small_server.url, retries=Retry(attempts=2, base=0)), small)


@pytest.mark.parametrize("status", [201, 203, 204, 300, 304])
def test_another_status_is_not_ours(small_server, small, make_client, status):
    small_server.script = [refuse(status)]
    with pytest.raises(NotWeightinit, match=rf"responded with {status} to weights w 256×1024; check the URL"):
        fetch(make_client(small_server.url), small)


def test_a_compressed_body_is_not_ours(small_server, small, make_client):
    small_server.script = [change(content_encoding="gzip")]
    with pytest.raises(NotWeightinit, match="Content-Encoding gzip"):
        fetch(make_client(small_server.url), small)


def test_nothing_compressed_is_asked_for(small_server, small, make_client):
    fetch(make_client(small_server.url), small)
    assert small_server.requests[0].headers["accept-encoding"] == "identity"


def test_an_array_given_for_the_result_is_filled_in_the_end(server, tensor, make_client):
    server.script = [truncate(HALF), reset(5000), refuse(503)]
    out = np.zeros_like(tensor)
    assert fetch(make_client(server.url), tensor, out=out) is out
    assert same(out, tensor)
