"""Parts whose elements follow from their place, and stacks along any axis."""

import numpy as np
import pytest

from service.core import DTYPES, TENSOR_DTYPES, SpecError
from service.core.models import Limits, Values, parse_model
from service.core.slices import compute_shape
from service.stream import slice_tensor

LIMITS = Limits(tensors=9, elements=10**7, rank=5)


def parse(*tensors, **fields):
    return parse_model({"seed": 42, "tensors": list(tensors), **fields}, 1, LIMITS)


def find_error(*tensors):
    with pytest.raises(SpecError) as caught:
        parse(*tensors)
    (error,) = caught.value.errors
    return error.message


def read(tensor, slices=None):
    """Return a tensor of a model, or a slice of it, as an array."""
    dtype = np.dtype(TENSOR_DTYPES[tensor.dtype].npy)
    shape = tensor.shape if slices is None else compute_shape(slices)
    data = b""
    for source in slice_tensor(tensor, slices):
        out = np.empty(source.nbytes, np.uint8)
        source.bind()(0, out)
        data += out.tobytes()
    return np.frombuffer(data, dtype).reshape(shape)


def make_heads(axis, *, shape=(6, 9), layout="IO", **fields):
    """A tensor whose parts are three equal kernels along an axis."""
    part = list(shape)
    part[axis] //= 3
    parts = [{"name": f"w.{name}", "shape": part, "layout": layout, **fields} for name in "qkv"]
    return {"name": "w", "shape": list(shape), "axis": axis, "parts": parts}


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(6, 9), (300, 9000), (3, 30000)])
def test_parts_along_an_axis_are_the_tensors_of_their_specs(axis, shape):
    (tensor,) = parse(make_heads(axis, shape=shape)).tensors
    alone = [
        read(parse({**part, "layout": "IO"}).tensors[0]) for part in make_heads(axis, shape=shape)["parts"]
    ]
    assert np.array_equal(read(tensor), np.concatenate(alone, axis))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_of_a_stack_is_that_of_the_whole(axis):
    (tensor,) = parse(make_heads(axis, shape=(6, 9, 12), layout="IOO")).tensors
    slices = (slice(1, 5), slice(2, 8), slice(3, 11))
    assert np.array_equal(read(tensor, slices), read(tensor)[slices])


@pytest.mark.parametrize("start", [0, 1, 8, 9, 50])
@pytest.mark.parametrize("count", [1, 3, 40])
def test_any_range_of_a_stack_is_that_of_the_whole(start, count):
    (tensor,) = parse(make_heads(1, shape=(30, 9))).tensors
    (source,) = slice_tensor(tensor)
    out = np.empty(4 * count, np.uint8)
    source.bind()(start, out)
    assert np.array_equal(out.view("<f4"), read(tensor).ravel()[start : start + count])


def test_the_axis_is_in_the_canonical_form_unless_it_is_the_first():
    first, second = (parse(make_heads(axis)).canonical for axis in (0, 1))
    assert (b'"axis"' in first, b'"axis":1' in second) == (False, True)


def test_a_part_takes_a_slice_along_the_axis_of_the_stack():
    whole = {"name": "table", "shape": [4, 10], "layout": "IO"}
    parts = [{"name": "table.p", "shape": [4, 1], "constant": 0}, {**whole, "slice": ":,1:10"}]
    (stacked,) = parse({"name": "table", "shape": [4, 10], "axis": 1, "parts": parts}).tensors
    assert np.array_equal(read(stacked)[:, 1:], read(parse(whole).tensors[0])[:, 1:])


def test_parts_that_take_intervals_of_two_axes_repeat_draws():
    spec = {"name": "x", "shape": [4, 6], "layout": "IO"}
    rows = {"name": "a", "shape": [2, 6], "parts": [{**spec, "slice": "0:2"}]}
    columns = {"name": "b", "shape": [4, 3], "axis": 1, "parts": [{**spec, "slice": ":,0:3"}]}
    assert "must be another than that of" in find_error(rows, columns)


WRONG = [
    ({"axis": 2}, "axis must be less than 2, the axes of shape; received 2"),
    ({"axis": -1}, "axis must be at least 0; received -1"),
    ({"shape": [6, 10]}, "parts must have 10 indices of axis 1 in total; received 9"),
    ({"shape": [7, 9]}, "parts[0].shape must match the tensor on all axes but 1: [7]; received [6, 3]"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_a_stack_that_does_not_fit_is_refused(fields, message):
    assert find_error({**make_heads(1), **fields}) == f'tensors["w"].{message}'


def test_a_part_slices_only_the_axis_of_the_stack():
    part = {"name": "w.q", "shape": [6, 9], "slice": "0:3,0:9"}
    message = find_error({"name": "w", "shape": [6, 9], "axis": 1, "parts": [part]})
    assert "slice must slice axis 1, along which parts are stacked, only" in message


def test_an_arange_of_integers_is_that_of_numpy():
    (tensor,) = parse(
        {"name": "position_ids", "shape": [1, 512], "values": "arange", "dtype": "int64"}
    ).tensors
    assert np.array_equal(read(tensor), np.arange(512)[None])


def test_a_log_arange_is_the_start_of_mamba():
    (tensor,) = parse({"name": "A_log", "shape": [4, 16], "values": "log_arange"}).tensors
    assert read(tensor) == pytest.approx(np.tile(np.log(np.arange(1, 17)), (4, 1)), rel=1e-7)


def test_a_sinusoidal_table_is_that_of_the_transformer():
    """Vaswani et al. (2017), section 3.5."""
    fields = {"values": "sinusoidal", "interleaved": True}
    (tensor,) = parse({"name": "positions", "shape": [50, 8], **fields}).tensors
    angles = np.arange(50)[:, None] / 10000 ** (np.arange(0, 8, 2) / 8)
    expected = np.stack([np.sin(angles), np.cos(angles)], -1).reshape(50, 8)
    assert read(tensor) == pytest.approx(expected, abs=1e-7)


def test_the_softplus_of_the_bias_of_mamba_is_in_its_range():
    fields = {"values": "softplus_inverse_log_uniform"}
    (tensor,) = parse({"name": "dt_proj.bias", "shape": [10000], **fields}).tensors
    softplus = np.log1p(np.exp(read(tensor).astype(np.float64)))
    assert 0.001 * 0.999 < softplus.min() < 0.00101
    assert 0.099 < softplus.max() < 0.1 * 1.001


def test_another_name_draws_another_bias():
    fields = {"shape": [9], "values": "softplus_inverse_log_uniform"}
    first, second = parse({"name": "a", **fields}, {"name": "b", **fields}).tensors
    assert not np.array_equal(read(first), read(second))


def test_values_may_be_a_part():
    parts = [{"shape": [3], "values": "arange"}, {"shape": [2], "constant": 7}]
    (tensor,) = parse({"name": "ids", "shape": [5], "dtype": "int32", "parts": parts}).tensors
    assert isinstance(tensor.parts[0], Values)
    assert read(tensor).tolist() == [0, 1, 2, 7, 7]


def test_options_that_are_the_default_are_not_in_the_canonical_form():
    plain = {"name": "ids", "shape": [5], "values": "arange"}
    assert parse({**plain, "start": 0, "step": 1}).id == parse(plain).id != parse({**plain, "start": 1}).id


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_are_of_any_floating_point_format(dtype):
    fields = {"values": "sinusoidal", "dtype": dtype}
    (tensor,) = parse({"name": "positions", "shape": [5, 8], **fields}).tensors
    assert read(tensor).nbytes == 40 * DTYPES[dtype].itemsize


REFUSED = [
    ({"values": "arrange"}, "values must be one of"),
    ({"values": "arange", "base": 3.0}, "base is not an option of values arange, which has start, step"),
    ({"values": "log_arange", "dtype": "int64"}, "dtype must be a floating-point format"),
    (
        {"values": "arange", "dtype": "int8", "shape": [200]},
        "start makes values up to 199, outside the range",
    ),
    ({"values": "arange", "dtype": "int8", "start": 0.5}, "start must be an integer for int8"),
    ({"values": "sinusoidal", "shape": [8]}, "shape must have positions and channels"),
    ({"values": "sinusoidal", "shape": [9, 8], "grid": [2, 3]}, "grid must have 9 places"),
    (
        {"values": "softplus_inverse_log_uniform", "low": 1.0},
        "low must be at least 1e-300, and less than high",
    ),
    ({"values": "arange", "shape": []}, "shape must have at least 1 axis"),
    ({"values": "arange", "scheme": "he"}, "scheme is not a field of a tensor of values"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_values_that_do_not_exist_are_refused(fields, message):
    assert f'tensors["v"].{message}' in find_error({"name": "v", "shape": [5], **fields})


@pytest.mark.parametrize(("scheme", "value"), [({"scheme": "zeros"}, 0), ({"constant": 0.5}, 0.5)])
def test_a_constant_scheme_has_the_canonical_form_of_a_constant(scheme, value):
    written = {"name": "b", "shape": [5], "layout": "O"}
    assert parse(
        {**written, **scheme} if "scheme" in scheme else {"name": "b", "shape": [5], **scheme}
    ).id == (parse({"name": "b", "shape": [5], "constant": value}).id)
