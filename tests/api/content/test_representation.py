import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.content import representation as representations
from service.api.content.representation import NPY, OCTET_STREAM, Representation
from service.api.http.ranges import Span
from service.core import LayerSpec, resolve_parameters
from service.stream import Tensor
from service.stream.tensor import ConstantTensor


def make_tensor(**values):
    spec = LayerSpec.parse({"shape": [37, 23], "seed": 1, **values})
    return Tensor.of(spec, resolve_parameters(spec))


def represent(media_type, **values):
    return Representation.of(make_tensor(**values), media_type)


def represent_several():
    """Represent tensors of every itemsize, the largest first, with odd lengths and a constant among them."""
    sources = (
        make_tensor(dtype="float64"),
        ConstantTensor((3,), "float64", 1.5),
        *(make_tensor(shape=[1, size], dtype="float32", name=str(size)) for size in (1, 2, 3, 1000)),
        ConstantTensor((5,), "bfloat16", 1.0),
        make_tensor(dtype="bfloat16"),
    )
    return Representation("some/type", bytes(range(16)), sources)


@pytest.mark.parametrize("media_type", [NPY, OCTET_STREAM])
def test_the_whole_is_the_header_and_the_elements(media_type):
    whole = represent(media_type)
    data = bytes(whole.draw(Span(0, whole.length)))
    assert data == whole.header + make_tensor().read()
    assert bool(whole.header) is (media_type == NPY)


def test_several_sources_follow_one_another():
    whole = represent_several()
    data = bytes(whole.draw(Span(0, whole.length)))
    expected = [np.empty(source.nbytes, np.uint8) for source in whole.sources]
    for source, out in zip(whole.sources, expected, strict=True):
        source.fill(0, out)
    assert data == whole.header + b"".join(out.tobytes() for out in expected)


@given(st.data())
def test_any_span_of_several_sources_is_the_same_cut_of_the_whole(data):
    whole = represent_several()
    start = data.draw(st.integers(0, whole.length - 1))
    stop = data.draw(st.integers(start + 1, whole.length))
    assert whole.draw(Span(start, stop)) == whole.draw(Span(0, whole.length))[start:stop]


@given(st.data(), st.sampled_from([NPY, OCTET_STREAM]), st.sampled_from(["float16", "float32", "float64"]))
def test_any_span_is_the_same_cut_of_the_whole(data, media_type, dtype):
    whole = represent(media_type, dtype=dtype)
    start = data.draw(st.integers(0, whole.length - 1))
    stop = data.draw(st.integers(start + 1, whole.length))
    assert whole.draw(Span(start, stop)) == whole.draw(Span(0, whole.length))[start:stop]


@given(st.data(), st.sampled_from([NPY, OCTET_STREAM]), st.sampled_from([8, 64, 256]))
def test_a_span_is_split_where_chunks_of_the_tensor_end(data, media_type, chunk):
    whole = represent(media_type)
    start = data.draw(st.integers(0, whole.length - 1))
    stop = data.draw(st.integers(start + 1, whole.length))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(representations, "CHUNK", chunk)
        parts = list(whole.split(Span(start, stop)))
    assert [parts[0].start, *(part.stop for part in parts)] == [*(part.start for part in parts), stop]
    assert parts[0].start == start
    assert all((part.stop - len(whole.header)) % chunk == 0 for part in parts[:-1])
    assert all(part.length <= chunk + len(whole.header) for part in parts)


def test_each_draw_has_a_buffer_of_its_own():
    whole = represent(OCTET_STREAM)
    first, second = (np.frombuffer(whole.draw(Span(0, 64)), np.uint8) for _ in range(2))
    assert not np.shares_memory(first, second)
