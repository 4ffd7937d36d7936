"""Fields that contradict each other are refused, in an error that names both."""

import pytest

from service.core import LayerSpec, SpecError, resolve_parameters
from service.core.schemes import SCHEMES

DENSE = {"shape": (784, 300)}
CONV = {"shape": (3, 3, 32, 64)}


def list_errors(**fields):
    with pytest.raises(SpecError) as caught:
        resolve_parameters(LayerSpec.parse(fields))
    return [error.message for error in caught.value.errors]


NOT_COMBINED = [
    ({"scheme": "sparse", "stddev": 0.1, "sparsity": 0.5, "gain": 2}, "gain", "scheme=sparse"),
    ({"scheme": "orthogonal", "distribution": "normal"}, "distribution", "scheme=orthogonal"),
    ({"scheme": "orthogonal", "mode": "fan_in"}, "mode", "scheme=orthogonal"),
    ({"scheme": "identity", "distribution": "uniform"}, "distribution", "scheme=identity"),
    ({"scheme": "zeros", "constant": 1.0}, "constant", "scheme=zeros"),
    ({"scheme": "zeros", "fan_in": 3}, "fan_in", "scheme=zeros"),
    ({"scheme": "he", "mean": 1.0}, "mean", "scheme=he"),
    ({"scheme": "he", "low": 0.0, "high": 1.0}, "low", "scheme=he"),
    ({"scheme": "he", "sparsity": 0.5}, "sparsity", "scheme=he"),
    ({"scheme": "he", "sparsity_axis": "O"}, "sparsity_axis", "scheme=he"),
    ({"scheme": "he", "center": "torch"}, "center", "scheme=he"),
    ({"scheme": "he", "activation_parameter": 0.2}, "activation_parameter", "scheme=he"),
    ({"scheme": "he", "constant": 0.5}, "constant", "scheme=he"),
    ({"scheme": "orthogonal", "stddev": 0.1}, "stddev", "scheme=orthogonal"),
    ({"stddev": 0.1, "gain": 2}, "stddev", "gain=2.0"),
    ({"stddev": 0.1, "fans_as": "torch"}, "stddev", "fans_as=torch"),
    ({"stddev": 0.1, "lower": -1.0}, "lower", "distribution=normal"),
    ({"scheme": "he_uniform", "upper": 1.0}, "upper", "distribution=uniform"),
    ({"low": 0.0, "high": 1.0, "mean": 0.5}, "mean", "low and high"),
    ({"low": 0.0, "high": 1.0, "limit": 0.5}, "limit", "low and high"),
    ({"low": 0.0, "high": 1.0, "distribution": "normal"}, "low", "distribution=normal"),
    (
        {"parent_stddev": 1.0, "low": 0.0, "high": 1.0, "lower": -1.0},
        "lower",
        "low and high",
    ),
    ({"fans_as": "keras", "groups": 2}, "fans_as", "groups=2"),
    ({"fans_as": "keras", "fan_in": 2}, "fans_as", "fan_in=2"),
    ({"scheme": "preserve", "activation": "softmax"}, "activation", "scheme=preserve"),
    (
        {"scheme": "preserve", "activation": "relu", "activation_parameter": 0.2},
        "activation_parameter",
        "activation=relu",
    ),
]


@pytest.mark.parametrize(("fields", "field", "other"), NOT_COMBINED)
def test_two_fields_that_contradict_each_other_are_both_named(fields, field, other):
    messages = list_errors(**DENSE, **fields)
    assert any(message.startswith(f"{field} must not be combined with {other}") for message in messages)


REQUIRED = [
    ({"scheme": "sparse", "stddev": 0.1}, "sparsity"),
    ({"scheme": "sparse", "sparsity": 0.5}, "stddev"),
    ({"scheme": "constant"}, "constant"),
    ({"low": 0.0}, "high"),
    ({"high": 1.0, "stddev": 0.1}, "low"),
    ({"low": 0.0, "high": 1.0, "distribution": "truncated_normal"}, "parent_stddev"),
]


@pytest.mark.parametrize(("fields", "field"), REQUIRED)
def test_a_field_that_another_needs_is_required(fields, field):
    assert any(message.startswith(f"{field} is required: ") for message in list_errors(**DENSE, **fields))


WRONG = [
    ({**DENSE, "parent_stddev": 1.0, "lower": 2.0, "upper": 1.0}, "upper", "must leave lower, 2.0, below"),
    ({**DENSE, "parent_stddev": 1.0, "lower": 5.5, "upper": 9.0}, "upper", "must leave at least 2⁻²⁰"),
    ({**DENSE, "parent_stddev": 1.0, "low": 5.5, "high": 9.0}, "low", "must leave at least 2⁻²⁰"),
    ({**DENSE, "low": 1.0, "high": 0.5}, "low", "must be less than high, 0.5"),
    ({"shape": (300,), "scheme": "orthogonal"}, "shape", "must have at least 2 axes"),
    ({**DENSE, "scheme": "orthogonal", "layout": "BB"}, "layout", "must have an I axis"),
    ({**DENSE, "scheme": "delta_orthogonal"}, "scheme", "requires a D, H or W axis: use orthogonal"),
    ({"shape": (3, 64, 32), "scheme": "delta_orthogonal"}, "shape", "must have at least as many outputs"),
    ({**DENSE, "scheme": "dirac"}, "scheme", "requires a D, H or W axis: use identity"),
    ({**CONV, "scheme": "identity"}, "scheme", "has no space: use dirac"),
    ({**CONV, "scheme": "dirac", "groups": 5}, "groups", "must divide 64"),
    ({**CONV, "scheme": "orthogonal", "groups": 2}, "groups", "must not be combined with scheme=orthogonal"),
    (
        {"shape": (2, 3), "scheme": "sparse", "stddev": 1, "sparsity": 0.9},
        "sparsity",
        "must leave an element",
    ),
    ({**DENSE, "sparsity": 1.0}, "sparsity", "must be less than 1"),
    ({**DENSE, "transposed": True}, "transposed", "requires a D, H or W axis"),
    ({**DENSE, "stride": 2}, "stride", "requires a D, H or W axis"),
    ({**CONV, "stride": [2, 2, 2]}, "stride", "must be one number, or one for each of the 2"),
    ({**CONV, "transposed": True, "groups": 5}, "groups", "must divide 32, the product of the I axes"),
    ({"shape": (3,), "fans_as": "torch"}, "fans_as", "requires a shape of at least 2 axes"),
    (
        {**DENSE, "scheme": "preserve", "activation": "elu", "activation_parameter": [1, 2]},
        "activation_parameter",
        "has at most 1 numbers for elu",
    ),
    (
        {**DENSE, "scheme": "preserve", "activation": "celu", "activation_parameter": -1},
        "activation_parameter",
        "must be at least",
    ),
    ({**DENSE, "constant": 70000.0, "dtype": "float16"}, "constant", "makes weights larger than 65504"),
    ({**DENSE, "stddev": 1.0, "mean": 1e39}, "stddev", "makes weights larger than 3.4"),
    ({**DENSE, "low": 1.0001, "high": 1.0002, "dtype": "float16"}, "low", "leaves no float16"),
    ({**DENSE, "scheme": "orthogonal", "gain": 1e6, "dtype": "float16"}, "gain", "makes weights larger"),
]


@pytest.mark.parametrize(("fields", "field", "rule"), WRONG)
def test_a_value_that_does_not_fit_is_refused(fields, field, rule):
    assert any(message.startswith(f"{field} {rule}") for message in list_errors(**fields))


NEUTRAL = [
    {"gain": 1.0},
    {"mean": 0.0},
    {"stride": 1},
    {"stride": [1, 1]},
    {"transposed": False},
    {"sparsity_axis": "I"},
    {"center": "same"},
]


@pytest.mark.parametrize("fields", NEUTRAL)
def test_a_field_with_no_effect_is_the_same_as_none(fields):
    assert LayerSpec.parse({**CONV, **fields}) == LayerSpec.parse(CONV)


def test_the_default_cut_is_the_same_as_none():
    common = {**DENSE, "parent_stddev": 0.02}
    assert LayerSpec.parse({**common, "lower": -2.0, "upper": 2.0}) == LayerSpec.parse(common)


def test_equal_strides_are_one_stride():
    assert LayerSpec.parse({**CONV, "stride": [2, 2]}) == LayerSpec.parse({**CONV, "stride": 2})


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_alone_is_accepted_or_says_what_it_needs(name):
    needed = {
        "explicit": {"stddev": 0.1},
        "sparse": {"stddev": 0.1, "sparsity": 0.5},
        "constant": {"constant": 1},
    }
    shape = CONV if name in {"delta_orthogonal", "dirac"} else DENSE
    spec = LayerSpec.parse({**shape, "scheme": name, **needed.get(name, {})})
    assert resolve_parameters(spec).scheme == name
