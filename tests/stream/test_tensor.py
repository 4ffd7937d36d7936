"""Tensors: every part of one is a part of the whole, in every layout."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core import LayerSpec, SpecError, resolve_parameters
from service.stream import Tensor
from tests.stream.drawing import DISTRIBUTIONS, DTYPES, draw, draw_bytes, make_tensor


@st.composite
def whole_tensors(draw):
    """Specs of at most 20000 elements, dense or convolutional, Keras or PyTorch or neither."""
    layout = draw(
        st.sampled_from(["IO", "OI", "HWIO", "OIHW", "OHWI", "GIO", "DHWIO", "IOO", "HWGO", "BOGI"])
    )
    longest = int(20000 ** (1 / len(layout)))
    shape = draw(st.tuples(*[st.integers(1, longest)] * len(layout)))
    kind = {"distribution": st.sampled_from(DISTRIBUTIONS), "dtype": st.sampled_from(list(DTYPES))}
    return {"shape": shape, "layout": layout, "fan_in": 9, "fan_out": 9} | draw(st.fixed_dictionaries(kind))


def intervals(length):
    return st.tuples(st.integers(0, length), st.integers(0, length)).filter(lambda ends: ends[0] < ends[1])


class TestParts:
    @given(spec=whole_tensors(), data=st.data())
    @settings(deadline=None)
    def test_a_slice_is_the_same_slice_of_the_whole(self, spec, data):
        slices = tuple(slice(*data.draw(intervals(size))) for size in spec["shape"])
        assert draw(slices, **spec).tobytes() == draw(**spec)[slices].tobytes()

    @given(spec=whole_tensors(), data=st.data())
    @settings(deadline=None)
    def test_a_range_is_the_same_range_of_the_whole(self, spec, data):
        tensor = make_tensor(**spec)
        start, stop = data.draw(intervals(tensor.nbytes // tensor.itemsize))
        expected = tensor.read()[start * tensor.itemsize : stop * tensor.itemsize]
        assert draw_bytes(tensor, start, stop - start) == expected

    @given(spec=whole_tensors(), data=st.data())
    @settings(deadline=None)
    def test_a_range_of_a_slice_is_a_range_of_that_slice_of_the_whole(self, spec, data):
        slices = tuple(slice(*data.draw(intervals(size))) for size in spec["shape"])
        tensor = make_tensor(slices, **spec)
        start, stop = data.draw(intervals(tensor.nbytes // tensor.itemsize))
        expected = draw(**spec)[slices].ravel()[start:stop].tobytes()
        assert draw_bytes(tensor, start, stop - start) == expected

    @given(spec=whole_tensors(), data=st.data())
    @settings(deadline=None)
    def test_shards_of_any_axis_even_or_not_make_up_the_whole(self, spec, data):
        whole = draw(**spec)
        axis = data.draw(st.integers(0, whole.ndim - 1))
        length = whole.shape[axis]
        borders = sorted({0, length, *data.draw(st.lists(st.integers(0, length), max_size=9))})
        full = [slice(0, size) for size in whole.shape]
        shards = [
            draw((*full[:axis], slice(start, stop), *full[axis + 1 :]), **spec)
            for start, stop in itertools.pairwise(borders)
        ]
        assert np.concatenate(shards, axis).tobytes() == whole.tobytes()

    @pytest.mark.parametrize("world", [1, 2, 3, 7, 8, 64])
    @pytest.mark.parametrize("layout", ["IO", "OI"])
    def test_flat_shards_do_not_depend_on_the_size_of_the_world(self, layout, world):
        tensor = make_tensor(shape=(300, 217), layout=layout, distribution="truncated_normal")
        count = 300 * 217
        each = -(-count // world)  # as FSDP does: even, and the last one short
        shards = [draw_bytes(tensor, first, min(each, count - first)) for first in range(0, count, each)]
        assert b"".join(shards) == tensor.read()

    @pytest.mark.parametrize("mesh", [(2, 2), (4, 1), (3, 5), (1, 8)])
    def test_a_mesh_of_shards_is_the_whole(self, mesh):
        spec = {"shape": (60, 80), "layout": "IO", "dtype": "bfloat16", "distribution": "normal"}
        rows, columns = (
            np.linspace(0, size, parts + 1).astype(int).tolist()
            for size, parts in zip((60, 80), mesh, strict=True)
        )
        blocks = [
            [draw((slice(*row), slice(*column)), **spec) for column in itertools.pairwise(columns)]
            for row in itertools.pairwise(rows)
        ]
        assert np.block(blocks).tobytes() == draw(**spec).tobytes()


class TestLayouts:
    # Keras' shape and layout, PyTorch's, and the axes of the first in the order of the second.
    TWINS = pytest.mark.parametrize(
        ("keras", "torch", "axes", "groups"),
        [
            pytest.param(((784, 300), "keras"), ((300, 784), "torch"), (1, 0), 1, id="dense"),
            pytest.param(((5, 24, 40), "keras"), ((40, 24, 5), "torch"), (2, 1, 0), 1, id="convolution 1D"),
            pytest.param(
                ((3, 5, 24, 40), "keras"), ((40, 24, 3, 5), "torch"), (3, 2, 0, 1), 1, id="convolution 2D"
            ),
            pytest.param(
                ((2, 3, 5, 12, 20), "keras"),
                ((20, 12, 2, 3, 5), "torch"),
                (4, 3, 0, 1, 2),
                1,
                id="convolution 3D",
            ),
            pytest.param(((3, 3, 8, 64), "HWIO"), ((64, 8, 3, 3), "OIHW"), (3, 2, 0, 1), 4, id="4 groups"),
            pytest.param(
                ((3, 3, 64, 32), "HWOI"), ((32, 64, 3, 3), "IOHW"), (3, 2, 0, 1), 1, id="transposed"
            ),
            pytest.param(((8, 30, 50), "BIO"), ((8, 50, 30), "BOI"), (0, 2, 1), 1, id="stacked experts"),
            pytest.param(((48, 3, 48), "IGO"), ((3, 48, 48), "GOI"), (1, 2, 0), 1, id="packed attention"),
        ],
    )

    @TWINS
    @pytest.mark.parametrize("distribution", DISTRIBUTIONS)
    def test_keras_is_the_transpose_of_torch(self, keras, torch, axes, groups, distribution):
        (shape, layout), (torch_shape, torch_layout) = keras, torch
        rest = {"distribution": distribution, "groups": groups, "dtype": "float64"}
        ours = draw(shape=shape, layout=layout, **rest)
        assert np.array_equal(ours.transpose(axes), draw(shape=torch_shape, layout=torch_layout, **rest))

    def test_a_depthwise_kernel_of_keras_is_the_grouped_one_of_torch(self):
        keras = draw(shape=(3, 3, 32, 2), layout="HWGO", dtype="float64")
        torch = draw(shape=(64, 1, 3, 3), layout="OIHW", groups=32, dtype="float64")
        assert np.array_equal(keras.transpose(2, 3, 0, 1).reshape(64, 1, 3, 3), torch)

    def test_an_attention_kernel_by_heads_is_the_dense_one(self):
        heads = draw(shape=(128, 8, 16), layout="IOO", dtype="float64")
        assert np.array_equal(heads.reshape(128, 128), draw(shape=(128, 128), layout="IO", dtype="float64"))


SPEC = {"shape": (64, 48), "layout": "OI", "distribution": "normal", "dtype": "float64"}


class TestIdentity:
    """What makes a tensor another one, and what only scales it."""

    @pytest.mark.parametrize("other", [{"seed": 43}, {"name": "test2"}, {"name": "Test"}, {"name": ""}])
    def test_another_seed_or_name_shares_no_weight(self, other):
        assert not np.intersect1d(draw(**SPEC), draw(**SPEC, **other)).size

    def test_the_same_is_the_same_again(self):
        assert draw(**SPEC).tobytes() == draw(**SPEC).tobytes()

    @pytest.mark.parametrize("distribution", DISTRIBUTIONS)
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_four_times_the_variance_is_twice_the_weights_exactly(self, distribution, dtype):
        spec = SPEC | {"distribution": distribution, "dtype": dtype, "scheme": "variance_scaling"}
        assert np.array_equal(2 * draw(**spec, scale=1.0), draw(**spec, scale=4.0))

    @pytest.mark.parametrize("distribution", DISTRIBUTIONS)
    def test_another_scheme_scales_the_same_draws(self, distribution):
        spec = SPEC | {"distribution": distribution}
        he, glorot = (make_tensor(**spec, scheme=scheme) for scheme in ("he", "glorot"))
        scaled = np.frombuffer(he.read()) * (glorot.factor / he.factor)
        np.testing.assert_allclose(scaled, np.frombuffer(glorot.read()), rtol=4 * 2**-53)

    def test_a_truncated_normal_is_a_squeezed_normal(self):
        normal = draw(**SPEC).ravel()
        truncated = draw(**SPEC | {"distribution": "truncated_normal"}).ravel()
        assert np.array_equal(np.sign(normal), np.sign(truncated))
        assert np.array_equal(np.argsort(normal), np.argsort(truncated))

    def test_another_shape_of_as_many_elements_is_the_same_run(self):
        fans = {"fan_in": 9, "fan_out": 9}
        flat = draw(shape=(3072,), layout="O", **fans)
        assert np.array_equal(flat, draw(shape=(64, 48), layout="OI", **fans).ravel())


class TestFill:
    TENSOR = make_tensor(shape=(10, 10), dtype="float32")

    def test_size_of_a_slice(self):
        tensor = make_tensor((slice(2, 5), slice(0, 7)), shape=(10, 10), dtype="bfloat16")
        assert (tensor.shape, tensor.itemsize, tensor.nbytes) == ((3, 7), 2, 42)
        assert len(tensor.read()) == 42

    @pytest.mark.parametrize("layout", ["OI", "IO"])
    @pytest.mark.parametrize("start", [0, 55, 100])
    def test_nothing_is_drawn_into_nothing(self, layout, start):
        make_tensor(shape=(10, 10), layout=layout).fill(start, np.empty(0, np.uint8))

    @pytest.mark.parametrize(("start", "size"), [(-1, 4), (100, 4), (99, 8), (0, 404), (0, 6)])
    def test_what_does_not_fit_is_refused(self, start, size):
        with pytest.raises(ValueError, match="outside a tensor of 400 bytes"):
            self.TENSOR.fill(start, np.empty(size, np.uint8))

    def test_a_spec_without_a_seed_is_refused(self):
        spec = LayerSpec(shape=(10, 10))
        with pytest.raises(SpecError, match="seed"):
            Tensor.of(spec, resolve_parameters(spec))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("stddev", [0.02, 1.0, 1 / 3, 0.006])
def test_a_given_stddev_draws_the_bytes_of_variance_scaling_of_its_square(distribution, dtype, stddev):
    common = {"shape": (64, 80), "distribution": distribution, "dtype": dtype}
    scaled = make_tensor(**common, scheme="variance_scaling", scale=stddev * stddev, fan_in=1, fan_out=1)
    given_stddev = make_tensor(**common, stddev=stddev)
    assert given_stddev.identity == scaled.identity
    assert given_stddev.read() == scaled.read()


@pytest.mark.parametrize("scheme", ["glorot", "he", "lecun"])
@pytest.mark.parametrize(
    ("distribution", "field"), [("normal", "stddev"), ("truncated_normal", "stddev"), ("uniform", "limit")]
)
def test_the_spread_of_a_scheme_given_back_draws_its_bytes(scheme, distribution, field):
    common = {"shape": (64, 80), "layout": "OI", "distribution": distribution, "dtype": "float64"}
    decided = resolve_parameters(LayerSpec(**common, scheme=scheme))
    again = make_tensor(**common, **{field: getattr(decided, field)})
    assert again.read() == make_tensor(**common, scheme=scheme).read()


def test_a_parent_stddev_draws_the_stddev_that_the_cut_leaves():
    parent = make_tensor(shape=(64, 80), parent_stddev=0.02)
    values = make_tensor(shape=(64, 80), stddev=0.87962566103423978 * 0.02, distribution="truncated_normal")
    assert parent.read() == values.read()
