import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import LayerSpec, SpecError, resolve_parameters
from service.core.layer.fans import Fans, compute_fans

# in = 32, out = 64, 3×3: what each unit really sums, and what each input really feeds.
PER_UNIT = [
    ("dense", (32, 64), "IO", 1, (32, 64)),
    ("dense, torch", (64, 32), "OI", 1, (32, 64)),
    ("convolution", (3, 3, 32, 64), "HWIO", 1, (288, 576)),
    ("convolution, torch", (64, 32, 3, 3), "OIHW", 1, (288, 576)),
    ("4 groups", (3, 3, 8, 64), "HWIO", 4, (72, 144)),
    ("4 groups, torch", (64, 8, 3, 3), "OIHW", 4, (72, 144)),
    ("depthwise, twice", (3, 3, 32, 2), "HWGO", 1, (9, 18)),
    ("depthwise, twice, torch", (64, 1, 3, 3), "OIHW", 32, (9, 18)),
    ("transposed convolution, Keras", (3, 3, 64, 32), "HWOI", 1, (288, 576)),
    ("transposed convolution, torch", (32, 64, 3, 3), "IOHW", 1, (288, 576)),
    ("attention by heads", (128, 8, 16), "IOO", 1, (128, 128)),
    ("attention output", (8, 16, 128), "IIO", 1, (128, 128)),
    ("packed attention", (3, 128, 128), "GIO", 1, (128, 128)),
    ("stacked experts", (16, 32, 64), "BIO", 1, (32, 64)),
    ("volume", (2, 3, 5, 32, 64), "DHWIO", 1, (960, 1920)),
]


@pytest.mark.parametrize(
    ("shape", "letters", "groups", "fans"), [row[1:] for row in PER_UNIT], ids=[row[0] for row in PER_UNIT]
)
def test_fans_are_true_per_unit(shape, letters, groups, fans):
    assert compute_fans(shape, letters, groups) == fans


@pytest.mark.parametrize(
    ("given_fans", "fans"),
    [
        ({"fan_in": 7}, (7, 64)),
        ({"fan_out": 7}, (32, 7)),
        ({"fan_in": 7, "fan_out": 9}, (7, 9)),
    ],
)
def test_given_fans_replace_derived_ones(given_fans, fans):
    assert compute_fans((32, 64), "IO", **given_fans) == fans


def test_rank_1_takes_both_fans_as_given():
    decided = resolve_parameters(LayerSpec(shape=(300,), fan_in=784, fan_out=300))
    assert (decided.layout, decided.fan_in, decided.fan_out) == ("O", 784, 300)


@pytest.mark.parametrize("given_fans", [{}, {"fan_in": 784}, {"fan_out": 300}])
def test_rank_1_without_both_fans_is_refused(given_fans):
    with pytest.raises(SpecError, match=r"shape of rank 1 .* set both fan_in and fan_out"):
        resolve_parameters(LayerSpec(shape=(300,), **given_fans))


def test_groups_that_do_not_divide_the_outputs_are_refused():
    with pytest.raises(SpecError, match="groups must divide 64, the product of the O axes; received 5"):
        compute_fans((3, 3, 8, 64), "HWIO", groups=5)


@pytest.mark.parametrize("letters", ["II", "OO", "HW", "GH", "HI", "OW"])
def test_letters_without_inputs_or_outputs_are_refused(letters):
    with pytest.raises(SpecError, match="layout must have an I axis and an O axis"):
        compute_fans((4, 4), letters)


def test_letters_without_inputs_or_outputs_are_fine_with_both_fans():
    assert compute_fans((4, 4), "HW", fan_in=16, fan_out=16) == (16, 16)


def test_fan_avg_of_an_odd_sum_is_a_half():
    assert Fans(2, 3).fan_avg == 2.5


def test_fan_avg_stays_exact_beyond_float():
    assert Fans(2**60 + 1, 2**60 + 1).fan_avg == 2**60 + 1


def test_fan_geo_avg_is_the_geometric_mean():
    assert Fans(8, 18).select("fan_geo_avg") == 12


def test_the_largest_shape_keeps_exact_fans():
    length = 2**63 - 1
    decided = resolve_parameters(LayerSpec(shape=(length,) * 8, layout="IIIIOOOO", dtype="float64"))
    assert decided.fan_in == length**4


AXES = st.lists(st.tuples(st.sampled_from("IODHWBG"), st.integers(1, 50)), max_size=6)


@given(AXES, st.randoms(use_true_random=False))
def test_the_order_of_axes_does_not_change_fans(axes, random):
    axes = [("I", 3), ("O", 5), *axes]
    shuffled = random.sample(axes, len(axes))
    letters, shape = zip(*axes, strict=True)
    moved_letters, moved_shape = zip(*shuffled, strict=True)
    assert compute_fans(shape, "".join(letters)) == compute_fans(moved_shape, "".join(moved_letters))


@given(AXES, st.integers(1, 12))
def test_stacking_kernels_does_not_change_fans(axes, copies):
    letters = "IO" + "".join(letter for letter, _ in axes)
    shape = (3, 5, *(length for _, length in axes))
    assert compute_fans((copies, *shape), "G" + letters) == compute_fans(shape, letters)


@given(AXES)
def test_fans_agree_with_jax_for_single_kernels(axes):
    from jax._src.nn.initializers import _compute_fans

    axes = [("I", 3), ("O", 5), *axes]
    places = {
        letters_of_kind: [place for place, (letter, _) in enumerate(axes) if letter in letters_of_kind]
        for letters_of_kind in ("I", "O", "BG")
    }
    shape = tuple(length for _, length in axes)
    expected = _compute_fans(shape, places["I"], places["O"], places["BG"])
    computed = compute_fans(shape, "".join(letter for letter, _ in axes))
    assert tuple(computed) == pytest.approx(expected, rel=1e-12)
    assert math.prod(shape) % computed.fan_in == 0
