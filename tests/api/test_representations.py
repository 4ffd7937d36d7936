import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api import representations
from service.api.ranges import Span
from service.api.representations import NPY, RAW, Representation
from service.core import LayerSpec, decide
from service.stream import Tensor


def represent(media_type, **values):
    spec = LayerSpec.parse({"shape": [37, 23], "seed": 1, **values})
    return Representation.of(Tensor.of(spec, decide(spec)), media_type)


@pytest.mark.parametrize("media_type", [NPY, RAW])
def test_the_whole_is_the_header_and_the_elements(media_type):
    whole = represent(media_type)
    data = bytes(whole.draw(Span(0, whole.length)))
    assert data == whole.header + whole.tensor.read()
    assert bool(whole.header) is (media_type == NPY)


@given(st.data(), st.sampled_from([NPY, RAW]), st.sampled_from(["float16", "float32", "float64"]))
def test_any_span_is_the_same_cut_of_the_whole(data, media_type, dtype):
    whole = represent(media_type, dtype=dtype)
    start = data.draw(st.integers(0, whole.length - 1))
    stop = data.draw(st.integers(start + 1, whole.length))
    assert whole.draw(Span(start, stop)) == whole.draw(Span(0, whole.length))[start:stop]


@given(st.data(), st.sampled_from([NPY, RAW]), st.sampled_from([8, 64, 256]))
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
    whole = represent(RAW)
    first, second = (np.frombuffer(whole.draw(Span(0, 64)), np.uint8) for _ in range(2))
    assert not np.shares_memory(first, second)
