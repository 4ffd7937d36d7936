"""Whatever two replicas do, in whatever order: the right tensor, or an error."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weightinit import Client, Retry, WeightinitError

from tests.clients.conftest import LENGTHS, make_tensor
from tests.clients.faults import (
    FaultServer,
    change,
    flip_bit,
    hang_up,
    refuse,
    reset,
    run,
    send,
    send_chunked,
    serve,
    stall,
    truncate,
)

LONGEST = max(LENGTHS.values())

counts = st.integers(0, LONGEST)
faults = st.one_of(
    st.builds(truncate, counts),
    st.builds(reset, counts),
    st.builds(stall, counts),
    st.builds(refuse, st.sampled_from([200, 206, 416, 429, 500, 503])),
    st.builds(send, st.binary(max_size=40)),
    st.sampled_from([hang_up, serve, send_chunked]),
    st.builds(
        lambda first, last, size: change(content_range=f"bytes {first}-{last}/{size}"), counts, counts, counts
    ),
    st.builds(lambda length: change(content_length=str(length)), counts),
    st.builds(lambda tag: change(etag=tag), st.sampled_from([None, '"two"', 'W/"one"', '"'])),
)


def fetch(first, second, tensor, **said):
    """Fetch a tensor, which is right, or None for an error."""
    retries = Retry(attempts=4, base=0)
    with (
        run(first),
        run(second),
        Client([first.url, second.url], timeout=0.1, retries=retries, **said) as client,
    ):
        try:
            return client.raw(tensor.shape, seed=1, name="w")
        except WeightinitError:
            return None


scripts = st.lists(faults, max_size=5)
slow = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@slow
@given(scripts, scripts, st.sampled_from(list(LENGTHS.values())))
def test_a_tensor_is_right_or_an_error(first, second, length):
    tensor = make_tensor(length)
    servers = (FaultServer(tensor.tobytes(), script=first), FaultServer(tensor.tobytes(), script=second))
    assert fetch(*servers, tensor) in {None, tensor.tobytes()}


@slow
@given(st.lists(st.one_of(faults, st.builds(flip_bit, st.integers(0, 1000))), max_size=5))
def test_a_verified_tensor_is_right_or_an_error_even_where_bits_flip(script):
    tensor = make_tensor()
    servers = (FaultServer(tensor.tobytes(), script=script), FaultServer(tensor.tobytes()))
    assert fetch(*servers, tensor, verify=True) in {None, tensor.tobytes()}
