"""Several endpoints are replicas of one service: one goes on where another broke."""

import pytest
from weightinit import Client, ConfigurationError, ConnectionFailed, EndpointsDisagree, Retry, ServerError

from tests.clients.conftest import make_tensor
from tests.clients.faults import FaultServer, hang_up, refuse, run, stall, truncate

HALF = 600_000


@pytest.fixture
def replicas(tensor):
    """Two servers of the same tensor."""
    with run(FaultServer(tensor.tobytes())) as first, run(FaultServer(tensor.tobytes())) as second:
        yield first, second


@pytest.mark.parametrize("fault", [truncate(HALF), stall(HALF)])
def test_another_endpoint_sends_the_rest(replicas, tensor, make_client, fault):
    first, second = replicas
    first.script = [fault]
    client = make_client(first.url, second.url, timeout=0.2)
    assert client.weights(tensor.shape, seed=1, name="w").tobytes() == tensor.tobytes()
    assert (first.ranges, second.ranges) == ([None], [f"bytes={HALF}-"])


@pytest.mark.parametrize("fault", [hang_up, refuse(503), refuse(429), truncate(0)])
def test_another_endpoint_answers_instead(replicas, tensor, make_client, fault):
    first, second = replicas
    first.script = [fault]
    assert (
        make_client(first.url, second.url).weights(tensor.shape, seed=1, name="w").tobytes()
        == tensor.tobytes()
    )
    assert len(second.requests) == 1


def test_an_endpoint_of_another_tag_does_not_send_the_rest(replicas, tensor, make_client):
    first, second = replicas
    first.script, second.etag = [truncate(HALF)], '"two"'
    with pytest.raises(
        EndpointsDisagree, match=r'has "two" for weights .* has "one": they serve different versions'
    ):
        make_client(first.url, second.url).weights(tensor.shape, seed=1, name="w")


def test_an_endpoint_that_sends_a_part_of_another_tag_disagrees(replicas, tensor, make_client):
    first, second = replicas

    def send_part_anyway(exchange):
        exchange.request.headers["if-range"] = exchange.server.etag
        exchange.answer(exchange.make_answer())

    first.script, second.etag, second.script = [truncate(HALF)], '"two"', [send_part_anyway]
    with pytest.raises(EndpointsDisagree):
        make_client(first.url, second.url).weights(tensor.shape, seed=1, name="w")


def test_an_endpoint_that_ignores_the_range_starts_again(replicas, tensor, make_client):
    first, second = replicas

    def ignore_range(exchange):
        del exchange.request.headers["range"]
        exchange.answer(exchange.make_answer())

    first.script, second.script = [truncate(HALF)], [ignore_range]
    assert (
        make_client(first.url, second.url).weights(tensor.shape, seed=1, name="w").tobytes()
        == tensor.tobytes()
    )


def test_the_endpoint_that_answered_is_asked_first_the_next_time(replicas, tensor, make_client):
    first, second = replicas
    first.script = [hang_up]
    client = make_client(first.url, second.url)
    client.weights(tensor.shape, seed=1, name="w")
    client.weights(tensor.shape, seed=2, name="w")
    assert (len(first.requests), len(second.requests)) == (1, 2)


def test_all_endpoints_are_asked_before_waiting(small, make_client, monkeypatch):
    waits = []
    monkeypatch.setattr("weightinit.transport.retry.time.sleep", waits.append)
    with run(FaultServer(small.tobytes())) as first, run(FaultServer(small.tobytes())) as second:
        first.script, second.script = [refuse(503)] * 2, [refuse(503)] * 2
        make_client(first.url, second.url, retries=Retry(base=1)).weights(small.shape, seed=1, name="w")
        assert (len(first.requests), len(second.requests)) == (3, 2)
    assert len(waits) == 2


def test_what_is_refused_is_not_asked_elsewhere(replicas, tensor, make_client):
    first, second = replicas
    first.script = [refuse(401)]
    with pytest.raises(Exception, match="401"):
        make_client(first.url, second.url).weights(tensor.shape, seed=1, name="w")
    assert not second.requests


def test_the_last_failure_is_raised_when_all_endpoints_fail(small, make_client):
    with run(FaultServer(small.tobytes(), script=[refuse(503)])) as first:
        client = make_client(first.url, "http://127.0.0.1:1", retries=Retry(attempts=2, base=0))
        with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:1 cannot"):
            client.weights(small.shape, seed=1, name="w")
        first.script = [refuse(503)]
        client = make_client("http://127.0.0.1:1", first.url, retries=Retry(attempts=2, base=0))
        with pytest.raises(ServerError):
            client.weights(small.shape, seed=1, name="w")


@pytest.mark.parametrize(
    "url",
    [
        "",
        " , ",
        "127.0.0.1:8000",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://host/?a=1",
        "http://h/#x",
        "http://[::1",
    ],
)
def test_what_is_no_url_of_a_service_is_refused_at_once(url):
    with pytest.raises(ConfigurationError, match="URL"):
        Client(url or " ")


def test_a_path_before_ours_is_kept(small_server, small, make_client):
    make_client(small_server.url + "/weights-service/").weights(small.shape, seed=1, name="w")
    assert small_server.requests[0].path == "/weights-service/v1/weights"


def test_a_password_in_a_url_is_sent_and_not_shown(small_server, small, make_client):
    client = make_client(small_server.url.replace("//", "//me:secret@"))
    client.weights(small.shape, seed=1, name="w")
    assert small_server.requests[0].headers["authorization"].startswith("Basic ")
    small_server.script = [refuse(401)]
    with pytest.raises(Exception, match="401") as raised:
        client.weights(small.shape, seed=1, name="w")
    assert "secret" not in str(raised.value) + repr(client)


def test_endpoints_may_be_given_as_text_or_list(tensor, replicas):
    first, second = replicas
    assert repr(Client([first.url, second.url])) == repr(Client(f"{first.url}/, {second.url}"))


def test_the_tensor_fixture_has_no_two_equal_values():
    """Or the tests of misplaced bytes would show nothing."""
    values = make_tensor().view("<u4").ravel().tolist()
    assert len(set(values)) == len(values)
