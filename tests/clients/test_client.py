"""The verbs of a client, against a server of known bytes."""

import sys

import numpy as np
import pytest
import weightinit
from weightinit import BufferMismatch, Client, NotWeightinit, Spec, SpecRejected, default_client

from tests.clients.faults import FaultServer, run, truncate

SHAPE = (256, 1024)


def serve_dtype(dtype, count=6):
    """Return a server of 1.0, 2.0, 3.0 … in a dtype."""
    return FaultServer(np.arange(1, count + 1, dtype=np.float32).astype(dtype).tobytes())


def test_weights_are_an_array_of_shape_and_dtype(small_server, small, make_client):
    array = make_client(small_server.url).weights(SHAPE, seed=1, name="w")
    assert isinstance(array, np.ndarray)
    assert (array.shape, array.dtype, array.flags.c_contiguous) == (SHAPE, np.float32, True)
    assert array.tobytes() == small.tobytes()


def test_what_is_asked_is_the_spec(small_server, make_client):
    make_client(small_server.url).weights(SHAPE, seed=42, name="fc 1/é+", activation="relu", slice="0:256")
    (request,) = small_server.requests
    assert (request.method, request.path) == ("GET", "/v1/weights")
    assert request.query == {"shape": "256,1024", "activation": "relu", "seed": "42", "name": "fc 1/é+"}
    assert request.headers["accept"] == "application/octet-stream"
    assert request.headers["user-agent"] == f"weightinit/{weightinit.__version__}"


def test_a_spec_may_be_given_whole(small_server, make_client):
    client = make_client(small_server.url)
    client.weights(Spec(SHAPE, seed=1, name="a"), name="b")
    assert small_server.requests[0].query == {"shape": "256,1024", "seed": "1", "name": "b"}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_each_dtype_is_numpys(make_client, dtype):
    with run(serve_dtype(dtype)) as server:
        array = make_client(server.url).weights((2, 3), seed=1, name="w", dtype=dtype)
    assert array.dtype == np.dtype(dtype)
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("count", [1, 6, 1001])
def test_weights_begin_at_a_cache_line(make_client, count):  # or XLA would copy them
    with run(serve_dtype("float32", count)) as server:
        array = make_client(server.url).weights(count, seed=1, name="w")
    assert array.ctypes.data % 64 == 0


def test_bfloat16_is_ml_dtypes(make_client):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with run(serve_dtype(ml_dtypes.bfloat16)) as server:
        array = make_client(server.url).weights((2, 3), seed=1, name="w", dtype="bfloat16")
    assert array.dtype == ml_dtypes.bfloat16
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_bfloat16_is_its_bits_without_ml_dtypes(make_client, monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with run(FaultServer(bytes.fromhex("803f0040"))) as server:
        array = make_client(server.url).weights((1, 2), seed=1, name="w", dtype="bfloat16")
    assert (array.dtype, array.tolist()) == (np.uint16, [[0x3F80, 0x4000]])


def test_a_slice_is_asked_for_and_has_its_own_shape(make_client):
    with run(serve_dtype("float32", 4)) as server:
        array = make_client(server.url).weights(
            (10, 10), seed=1, name="w", slice=(slice(-2, None), slice(0, 2))
        )
    assert array.tolist() == [[1, 2], [3, 4]]
    assert server.requests[0].query["slice"] == "8:10,0:2"


def test_an_empty_slice_asks_for_nothing(make_client):
    """The shard of a rank that there are no rows for."""
    client = make_client("http://127.0.0.1:1")
    assert client.weights((10, 3), seed=1, name="w", slice=(slice(10, 10),)).shape == (0, 3)
    assert client.raw((10, 3), seed=1, name="w", slice=(slice(10, 10),)) == b""
    client.fetch((10, 3), seed=1, name="w", slice=(slice(10, 10),), out=bytearray())


def test_weights_want_a_seed(make_client):
    with pytest.raises(SpecRejected, match="seed is required for weights"):
        make_client("http://127.0.0.1:1").weights(SHAPE)


# --- destinations ---------------------------------------------------------------------------------


def test_out_is_written_to_and_returned(small_server, small, make_client):
    out = np.empty(SHAPE, np.float32)
    assert make_client(small_server.url).weights(SHAPE, seed=1, name="w", out=out) is out
    assert out.tobytes() == small.tobytes()


@pytest.mark.parametrize(
    "make", [bytearray, lambda size: memoryview(bytearray(size)), lambda size: np.empty(size, np.uint8).data]
)
def test_out_may_be_any_buffer_of_the_size(small_server, small, make_client, make):
    out = make(small.nbytes)
    array = make_client(small_server.url).weights(SHAPE, seed=1, name="w", out=out)
    assert bytes(out) == small.tobytes()
    assert array.shape == SHAPE
    assert np.shares_memory(array, np.frombuffer(out, np.uint8))


def test_out_may_be_an_array_of_bfloat16(make_client):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for out in (np.empty((2, 3), ml_dtypes.bfloat16), np.empty((2, 3), np.uint16)):
        with run(serve_dtype(ml_dtypes.bfloat16)) as server:
            make_client(server.url).weights((2, 3), seed=1, name="w", dtype="bfloat16", out=out)
        assert out.view(ml_dtypes.bfloat16).tolist() == [[1, 2, 3], [4, 5, 6]]


def make_read_only():
    array = np.empty(SHAPE, np.float32)
    array.flags.writeable = False
    return array


ARRAYS = pytest.mark.parametrize(
    ("out", "words"),
    [
        (np.empty((1024, 256), np.float32), r"shape \(256, 1024\); received \(1024, 256\)"),
        (np.empty(SHAPE, np.float64), "dtype float32; received float64"),
        (np.empty(SHAPE, np.int32), "dtype float32; received int32"),
        (np.empty(SHAPE, ">f4"), "dtype float32; received >f4"),
    ],
)
BUFFERS = pytest.mark.parametrize(
    ("out", "words"),
    [
        (np.empty((1024, 256), np.float32).T, "C-contiguous"),
        (np.empty((512, 1024), np.float32)[::2], "C-contiguous"),
        (make_read_only(), "writable"),
        (bytearray(7), "1048576 bytes; received 7"),
        (bytes(1048576), "writable"),
        (memoryview(bytearray(2097152))[::2], "C-contiguous"),
        ([1, 2, 3], "a buffer; received list"),
        (5, "a buffer; received int"),
    ],
)


@ARRAYS
def test_an_array_of_another_shape_or_dtype_is_refused_before_asking(make_client, out, words):
    with pytest.raises(BufferMismatch, match=words):
        make_client("http://127.0.0.1:1").weights(SHAPE, seed=1, name="w", out=out)


@BUFFERS
@pytest.mark.parametrize("verb", ["weights", "fetch"])
def test_a_buffer_that_will_not_do_is_refused_before_asking(make_client, out, words, verb):
    with pytest.raises(BufferMismatch, match=words):
        getattr(make_client("http://127.0.0.1:1"), verb)(SHAPE, seed=1, out=out)


def test_fetch_writes_bytes_to_any_buffer_of_the_size(server, tensor, make_client):
    server.script = [truncate(600_000)]
    for out in (
        bytearray(tensor.nbytes),
        np.empty(tensor.shape, np.int32),
        memoryview(np.empty(tensor.size, "<f4")),
    ):
        make_client(server.url).fetch(tensor.shape, seed=1, name="w", out=out)
        assert bytes(out) == tensor.tobytes()


def test_raw_are_the_bytes(small_server, small, make_client):
    raw = make_client(small_server.url).raw(SHAPE, seed=1, name="w")
    assert (type(raw), raw) == (bytes, small.tobytes())


# --- parameters -----------------------------------------------------------------------------------

ANSWER = {
    "shape": [784, 300],
    "layout": "IO",
    "dtype": "float32",
    "activation": "relu",
    "scheme": "he",
    "mode": "fan_in",
    "distribution": "uniform",
    "fan_in": 784,
    "fan_out": 300,
    "fan_avg": 542,
    "scale": 2.0,
    "variance": 0.002551020408163265,
    "stddev": 0.050507627227610534,
    "limit": 0.08748177652797065,
    "formula": "σ² = 2 / fan_in = 2 / 784",
    "reason": "why",
    "reference": "where",
}


def serve_parameters(**changes):
    import json

    from tests.clients.faults import refuse

    return FaultServer(
        b"",
        script=[refuse(200, json.dumps({**ANSWER, **changes}).encode(), "application/json; charset=utf-8")],
    )


def test_parameters_mirror_the_answer(make_client):
    with run(serve_parameters()) as server:
        decided = make_client(server.url).parameters((784, 300), activation="relu")
    assert {name: getattr(decided, name) for name in ANSWER} == {**ANSWER, "shape": (784, 300)}
    assert isinstance(decided.fan_avg, float)


def test_parameters_of_a_given_spread_have_no_mode_scale_or_fans(make_client):
    absent = dict.fromkeys(("mode", "scale", "fan_in", "fan_out", "fan_avg"))
    with run(serve_parameters(scheme="explicit", **absent)) as server:
        decided = make_client(server.url).parameters(300, stddev=0.02)
    assert {name: getattr(decided, name) for name in absent} == absent
    assert server.requests[0].query == {"shape": "300", "scheme": "explicit", "stddev": "0.02"}


def test_parameters_do_not_depend_on_seed_and_name(make_client):
    with run(serve_parameters()) as server:
        make_client(server.url).parameters(Spec((784, 300), seed=1, name="a"), activation="relu")
    assert server.requests[0].query == {"shape": "784,300", "activation": "relu"}


def test_fields_that_a_newer_service_adds_are_left_alone(make_client):
    with run(serve_parameters(newer=[1, {}])) as server:
        assert make_client(server.url).parameters((784, 300)).scheme == "he"


@pytest.mark.parametrize(
    "changes", [{"scheme": None}, {"fan_in": "784"}, {"fan_in": True}, {"limit": "0.1"}, {"shape": ["784"]}]
)
def test_an_answer_of_other_types_is_not_ours(make_client, changes):
    with (
        run(serve_parameters(**changes)) as server,
        pytest.raises(NotWeightinit, match=f"{next(iter(changes))} is"),
    ):
        make_client(server.url).parameters((784, 300))


def test_parameters_are_frozen(make_client):
    with run(serve_parameters()) as server:
        decided = make_client(server.url).parameters((784, 300))
    with pytest.raises(AttributeError):
        decided.scheme = "lecun"


# --- the module's own functions -------------------------------------------------------------------


@pytest.fixture
def default(small_server, monkeypatch):
    """A default client that the environment sends to the short tensor."""
    monkeypatch.setenv("WEIGHTINIT_URL", small_server.url)
    default_client.cache_clear()
    yield default_client()
    default_client().close()
    default_client.cache_clear()


def test_the_modules_functions_use_the_default_client(default, small_server, small):
    assert weightinit.weights(SHAPE, seed=1, name="w", slice=":").tobytes() == small.tobytes()
    with pytest.raises(NotWeightinit):
        weightinit.parameters(SHAPE)
    assert [request.path for request in small_server.requests] == ["/v1/weights", "/v1/parameters"]


def test_a_clients_text_names_its_service():
    assert repr(Client("http://host:1/")) == "weightinit.Client('http://host:1')"


@pytest.mark.parametrize("verb", ["weights", "raw"])
def test_weights_require_a_name(small_server, make_client, verb):
    with pytest.raises(SpecRejected, match="name is required for weights"):
        getattr(make_client(small_server.url), verb)((5, 7), seed=1)
    assert small_server.requests == []
