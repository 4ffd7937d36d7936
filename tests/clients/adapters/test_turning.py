"""A spec with permuted axes draws the same tensor, permuted."""

import itertools
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weightinit import Spec
from weightinit.adapters.matching import find_axis, measure_axes, permute_spec
from weightinit.adapters.rules import ModelRejected

from tests.clients.drawing import draw

SIZES = {"O": 6, "I": 4, "H": 3, "W": 2}
ORDERS = ["".join(order) for order in itertools.permutations("OIHW")]


def draw_spec(spec):
    """Draw what a spec says."""
    said = asdict(spec)
    return draw(*said.pop("shape"), **said)


@given(st.sampled_from(ORDERS), st.sampled_from(ORDERS))
def test_a_kernel_that_is_turned_is_the_kernel_transposed(client, first, second):
    spec = Spec([SIZES[letter] for letter in first], layout=first, groups=2, seed=42, name="k")
    shape = tuple(SIZES[letter] for letter in second)
    turned = permute_spec(spec, client.parameters(spec), second, shape)
    axes = [first.index(letter) for letter in second]
    np.testing.assert_array_equal(draw_spec(turned), draw_spec(spec).transpose(axes))


FIELDS = [
    {"scheme": "orthogonal", "gain": 2.0},
    {"scheme": "delta_orthogonal"},
    {"scheme": "dirac", "groups": 2, "center": "torch"},
    {"scheme": "sparse", "stddev": 0.5, "sparsity": 0.5, "sparsity_axis": "O"},
    {"scheme": "preserve", "activation": "gelu", "stride": (3, 2)},
    {"scheme": "he", "mode": "fan_out", "stride": 5},  # whose fan is not whole
    {"scheme": "he", "transposed": True, "stride": 2, "groups": 2},
    {"stddev": 0.5, "mean": 1.0},
    {"parent_stddev": 0.5, "lower": 0.0},
    {"low": 0.0, "high": 1.0},
    {"fans_as": "torch"},
]


@pytest.mark.parametrize("fields", FIELDS)
@pytest.mark.parametrize("second", ["HWIO", "WIHO", "IOHW"])
def test_a_kernel_of_any_fields_is_turned_to_the_kernel_transposed(client, fields, second):
    spec = Spec([SIZES[letter] for letter in "OIHW"], layout="OIHW", seed=42, name="k", **fields)
    shape = tuple(SIZES[letter] for letter in second)
    turned = permute_spec(spec, client.parameters(spec), second, shape)
    axes = ["OIHW".index(letter) for letter in second]
    np.testing.assert_array_equal(draw_spec(turned), draw_spec(spec).transpose(axes))


def test_a_matrix_of_a_structure_does_not_get_axes_of_other_letters(client):
    spec = Spec((6, 4), layout="OI", scheme="orthogonal", seed=42, name="k")
    with pytest.raises(ModelRejected, match="k has the axes OI, not IOO, for orthogonal"):
        permute_spec(spec, client.parameters(spec), "IOO", (4, 2, 3))


@pytest.mark.parametrize(
    ("letters", "shape", "said", "other", "to", "turn"),
    [
        ("OIHW", (8, 1, 3, 2), {"groups": 4}, "HWGO", (3, 2, 4, 2), (4, 2, 3, 2)),
        ("OI", (6, 4), {}, "IOO", (4, 2, 3), (2, 3, 4)),
        ("OI", (4, 6), {}, "IIO", (2, 3, 4), (4, 2, 3)),
        ("BIO", (2, 3, 4), {}, "OI", (8, 3), None),
    ],
)
@pytest.mark.parametrize("scheme", ["he_normal", "glorot_uniform", "lecun"])
def test_axes_that_stand_for_one_are_taken_together(client, letters, shape, said, other, to, turn, scheme):
    spec = Spec(shape, layout=letters, scheme=scheme, seed=42, name="k", **said)
    turned = draw_spec(permute_spec(spec, client.parameters(spec), other, to))
    if turn is None:
        expected = draw_spec(spec).transpose(0, 2, 1).reshape(to)
    else:
        order = {"HWGO": (2, 3, 0, 1), "IOO": (2, 0, 1), "IIO": (1, 2, 0)}[other]
        expected = draw_spec(spec).reshape(turn).transpose(order)
    np.testing.assert_array_equal(turned, expected)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("OI", (6, 4)), ("IO", (6, 4))),
        (("OIHW", (6, 4, 3, 2)), ("OIHW", (6, 4, 2, 3))),
        (("OIHW", (6, 4, 1, 1)), ("OI", (4, 6))),
        (("BB", (6, 4)), ("OI", (6, 4))),
    ],
)
def test_axes_of_another_meaning_measure_otherwise(first, second):
    assert measure_axes(*first) != measure_axes(*second)


def test_a_field_of_one_position_is_none():
    assert measure_axes("OIHW", (6, 4, 1, 1)) == measure_axes("IO", (4, 6))


@pytest.mark.parametrize(("letters", "letter", "axis"), [("OI", "O", 0), ("OI", "B", 0), ("OO", "O", None)])
def test_an_axis_is_found_where_there_is_one_of_its_kind(letters, letter, axis):
    assert find_axis(letters, letter) == axis
