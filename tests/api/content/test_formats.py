from io import BytesIO

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.content.formats import make_npy_header
from service.core import DTYPES


def save(shape, dtype):
    file = BytesIO()
    np.save(file, np.broadcast_to(np.zeros((), dtype), shape).copy())
    return file.getvalue()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.sampled_from(list(DTYPES)))
def test_the_header_is_the_one_that_numpy_writes(shape, dtype):
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    saved = save(tuple(shape), kind)
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    assert make_npy_header(tuple(shape), dtype) == saved[: len(saved) - size]


@pytest.mark.parametrize("shape", [(1,), (2**48,), (2**62, 1, 1), (2**60,) * 8])
def test_the_header_is_a_multiple_of_64_bytes(shape):
    assert len(make_npy_header(shape, "float64")) % 64 == 0


def test_numpy_opens_bfloat16_as_two_bytes_to_be_viewed():
    data = make_npy_header((2,), "bfloat16") + np.array([1.5, -2], ml_dtypes.bfloat16).tobytes()
    assert np.load(BytesIO(data)).view(ml_dtypes.bfloat16).tolist() == [1.5, -2.0]
