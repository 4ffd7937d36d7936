import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.core import LayerSpec, SpecError, check_element_count, require_seed, resolve_parameters
from service.core.activations import ACTIVATION_NAMES
from service.core.scheme_names import SCHEME_NAMES

HUGE = 10**5000
NAN, INFINITY = math.nan, math.inf

SCHEMES = (
    "must be one of auto, glorot (xavier), he (kaiming), lecun, variance_scaling, explicit, preserve, "
    "orthogonal, delta_orthogonal, identity (eye), dirac, sparse, constant, zeros, ones, or a name with the "
    "distribution such as he_normal; to set σ itself, use stddev"
)

# values beside a sound shape → field, rule, received
WRONG = [
    ({"shape": []}, "shape", "must have at least 1 axis", "[]"),
    ({"shape": [1] * 9}, "shape", "must have at most 8 axes", "[1, 1, 1, 1, 1, 1, 1, 1, …]"),
    ({"shape": [3, 0]}, "shape[1]", "must be at least 1", "0"),
    ({"shape": [-3, 3]}, "shape[0]", "must be at least 1", "-3"),
    ({"shape": [3.0, 3]}, "shape[0]", "must be an integer", "3.0"),
    ({"shape": [3, 3.5]}, "shape[1]", "must be an integer", "3.5"),
    ({"shape": [True, 3]}, "shape[0]", "must be an integer", "true"),
    ({"shape": ["3", 3]}, "shape[0]", "must be an integer", '"3"'),
    ({"shape": [NAN, 3]}, "shape[0]", "must be an integer", "NaN"),
    ({"shape": [None, 3]}, "shape[0]", "must be an integer", "null"),
    ({"shape": [HUGE]}, "shape[0]", "must be at most 9223372036854775807", "an integer of about 5001 digits"),
    ({"shape": "784,300"}, "shape", "must be a list of integers", '"784,300"'),
    ({"shape": 784}, "shape", "must be a list of integers", "784"),
    ({"shape": {"0": 3}}, "shape", "must be a list of integers", "an object"),
    ({"shape": {3}}, "shape", "must be a list of integers", "a value of type set"),
    ({"shape": [[3, [4, [5]]]]}, "shape[0]", "must be an integer", "[3, [4, […]]]"),
    ({"shape": None}, "shape", "must be a list of integers", "null"),
    ({"layout": None}, "layout", "must be text", "null"),
    ({"groups": 0}, "groups", "must be at least 1", "0"),
    ({"groups": False}, "groups", "must be an integer", "false"),
    ({"fan_in": 0}, "fan_in", "must be at least 1", "0"),
    ({"fan_in": 3.0}, "fan_in", "must be an integer", "3.0"),
    ({"fan_out": HUGE}, "fan_out", "must be at most 9223372036854775807", "an integer of about 5001 digits"),
    ({"activation": "relo"}, "activation", "must name an activation function", '"relo"'),
    ({"activation": 3}, "activation", "must name an activation function", "3"),
    ({"activation": "\ud800"}, "activation", "must name an activation function", '"\\ud800"'),
    ({"scheme": "orthonormal"}, "scheme", SCHEMES, '"orthonormal"'),
    ({"scheme": None}, "scheme", SCHEMES, "null"),
    ({"stddev": 0}, "stddev", "must be at least 1e-150", "0"),
    ({"stddev": -0.02}, "stddev", "must be at least 1e-150", "-0.02"),
    ({"stddev": NAN}, "stddev", "must be a finite number", "NaN"),
    ({"stddev": "0.02"}, "stddev", "must be a finite number", '"0.02"'),
    ({"stddev": True}, "stddev", "must be a finite number", "true"),
    ({"parent_stddev": 0.0}, "parent_stddev", "must be at least 1e-150", "0.0"),
    ({"limit": 1e151}, "limit", "must be at most 1e+150", "1e+151"),
    ({"limit": [0.1]}, "limit", "must be a finite number", "[0.1]"),
    (
        {"mode": "fan_max"},
        "mode",
        "must be one of 'fan_in', 'fan_out', 'fan_avg' or 'fan_geo_avg'",
        '"fan_max"',
    ),
    (
        {"distribution": "cauchy"},
        "distribution",
        "must be one of 'uniform', 'normal' or 'truncated_normal'",
        '"cauchy"',
    ),
    (
        {"dtype": "int8"},
        "dtype",
        "must be one of 'float32', 'float64', 'float16' or 'bfloat16'",
        '"int8"',
    ),
    ({"scale": NAN}, "scale", "must be a finite number", "NaN"),
    ({"scale": INFINITY}, "scale", "must be a finite number", "Infinity"),
    ({"scale": -INFINITY}, "scale", "must be a finite number", "-Infinity"),
    ({"scale": HUGE}, "scale", "must be a finite number", "an integer of about 5001 digits"),
    ({"scale": "2"}, "scale", "must be a finite number", '"2"'),
    ({"scale": True}, "scale", "must be a finite number", "true"),
    ({"scale": 0}, "scale", "must be greater than 0", "0"),
    ({"scale": -1.5}, "scale", "must be greater than 0", "-1.5"),
    ({"negative_slope": NAN}, "negative_slope", "must be a finite number", "NaN"),
    ({"seed": -1}, "seed", "must be at least 0", "-1"),
    ({"seed": "-1"}, "seed", "must be at least 0", "-1"),
    ({"seed": 2**64}, "seed", "must be at most 18446744073709551615", "18446744073709551616"),
    ({"seed": str(2**64)}, "seed", "must be at most 18446744073709551615", "18446744073709551616"),
    ({"seed": 1.0}, "seed", "must be an integer", "1.0"),
    ({"seed": True}, "seed", "must be an integer", "true"),
    ({"seed": "1.0"}, "seed", "must be an integer", '"1.0"'),
    ({"seed": ""}, "seed", "must be an integer", '""'),
    ({"seed": " 1"}, "seed", "must be an integer", '" 1"'),
    ({"seed": "1_0"}, "seed", "must be an integer", '"1_0"'),
    ({"seed": "٤٢"}, "seed", "must be an integer", '"٤٢"'),
    ({"name": None}, "name", "must be text", "null"),
    ({"name": "\ud800"}, "name", "must be valid Unicode, without lone surrogates", '"\\ud800"'),
    ({"name": "é" * 513}, "name", "must be at most 1024 bytes of UTF-8", f'"{"é" * 80}…"'),
    ({"colour": "red"}, "colour", "is not a field of a layer spec", '"red"'),
    ({"a\ud800": 1}, "spec", "must be valid Unicode, without lone surrogates", '"a\\ud800"'),
    ({"a b": 1}, '"a b"', "is not a field of a layer spec", "1"),
]


@pytest.mark.parametrize(("values", "field", "rule", "received"), WRONG)
def test_a_broken_rule_names_field_rule_and_received_value(values, field, rule, received):
    with pytest.raises(SpecError) as caught:
        LayerSpec.parse({"shape": [784, 300]} | values)
    (error,) = caught.value.errors
    assert (error.field, error.rule, error.received) == (field, rule, received)


@pytest.mark.parametrize("values", [[], None, 3, "shape"])
def test_what_is_not_an_object_is_refused(values):
    with pytest.raises(SpecError, match="spec must be an object"):
        LayerSpec.parse(values)


def test_the_shape_is_required():
    with pytest.raises(SpecError, match="shape is required; received nothing"):
        LayerSpec.parse({})


@pytest.mark.parametrize(
    ("values", "nearest"),
    [
        ({"activation": "Leaky_Relo"}, "leaky_relu"),
        ({"scheme": "he_unifrom"}, "he_uniform"),
        ({"mode": "fanin"}, "fan_in"),
        ({"distribution": "untruncated_normal"}, "truncated_normal"),
        ({"dtype": "f64"}, "float64"),
        ({"activaton": "relu"}, "activation"),
        ({"scheme": "trunc_normal"}, "he_truncated_normal"),
        ({"std": 0.02}, "stddev"),
        ({"stdev": 0.02}, "stddev"),
    ],
)
def test_a_wrong_name_gets_the_nearest_one_suggested(values, nearest):
    with pytest.raises(SpecError) as caught:
        LayerSpec.parse({"shape": [784, 300]} | values)
    assert caught.value.errors[0].suggestions[0] == nearest


def test_several_wrong_fields_are_reported_at_once():
    with pytest.raises(SpecError) as caught:
        LayerSpec.parse({"shape": [0, "x"], "seed": True, "dtype": "int8", "colour": 1})
    assert [error.field for error in caught.value.errors] == [
        "shape[0]",
        "shape[1]",
        "dtype",
        "seed",
        "colour",
    ]


def test_only_the_first_few_of_many_errors_are_reported():
    with pytest.raises(SpecError) as caught:
        LayerSpec.parse({f"field{number}": 1 for number in range(10_000)})
    assert len(caught.value.errors) == 16


@pytest.mark.parametrize("seed", [0, 42, 2**53 + 1, 2**64 - 1])
def test_a_seed_may_be_a_number_or_decimal_text(seed):
    by_number = LayerSpec.parse({"shape": [3, 3], "seed": seed})
    assert by_number == LayerSpec.parse({"shape": [3, 3], "seed": str(seed)})


def test_a_name_may_have_1024_bytes():
    assert LayerSpec.parse({"shape": [3, 3], "name": "é" * 512}).name == "é" * 512


def test_a_whole_number_is_a_fine_scale():
    assert LayerSpec.parse({"shape": [3, 3], "scale": 2}).scale == 2.0


def test_null_says_what_leaving_out_says():
    optional = ("fan_in", "fan_out", "activation", "scale", "mode", "negative_slope", "distribution", "seed")
    optional += ("stddev", "parent_stddev", "limit")
    assert LayerSpec.parse({"shape": [3, 3]} | dict.fromkeys(optional)) == LayerSpec(shape=(3, 3))


def test_the_defaults_are_those_of_the_specification():
    assert LayerSpec(shape=(3, 3)).model_dump() == {
        "shape": (3, 3),
        "layout": "keras",
        "groups": 1,
        "transposed": False,
        "stride": None,
        "fan_in": None,
        "fan_out": None,
        "fans_as": None,
        "activation": "none",
        "activation_parameter": None,
        "scheme": "auto",
        "scale": None,
        "mode": None,
        "negative_slope": None,
        "gain": None,
        "distribution": None,
        "stddev": None,
        "parent_stddev": None,
        "limit": None,
        "lower": None,
        "upper": None,
        "low": None,
        "high": None,
        "mean": None,
        "sparsity": None,
        "sparsity_axis": "I",
        "center": "same",
        "constant": None,
        "dtype": "float32",
        "seed": None,
        "name": "",
    }


def test_a_spec_cannot_be_changed():
    spec = LayerSpec(shape=(3, 3))
    with pytest.raises(ValidationError, match="frozen"):
        spec.seed = 3


SPECS = st.fixed_dictionaries(
    {"shape": st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=8)},
    optional={
        "layout": st.sampled_from(["keras", "torch", "OI", "HWIO"]),
        "groups": st.integers(1, 2**63 - 1),
        "fan_in": st.integers(1, 2**63 - 1),
        "fan_out": st.integers(1, 2**63 - 1),
        "activation": st.sampled_from(ACTIVATION_NAMES),
        "scheme": st.sampled_from(SCHEME_NAMES),
        "scale": st.floats(min_value=0, exclude_min=True, allow_infinity=False),
        "mode": st.sampled_from(["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]),
        "negative_slope": st.floats(allow_nan=False, allow_infinity=False),
        "distribution": st.sampled_from(["uniform", "normal", "truncated_normal"]),
        "dtype": st.sampled_from(["float32", "float64", "float16", "bfloat16"]),
        "seed": st.integers(0, 2**64 - 1),
        "name": st.text(max_size=200),
    },
)


@given(SPECS)
def test_a_spec_survives_a_round_trip(values):
    spec = LayerSpec.parse(values)
    assert LayerSpec.parse(spec.model_dump()) == spec


@given(SPECS)
def test_a_spec_survives_a_round_trip_through_json(values):
    import json

    spec = LayerSpec.parse(values)
    assert LayerSpec.parse(json.loads(spec.model_dump_json())) == spec


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda items: st.lists(items, max_size=4) | st.dictionaries(st.text(max_size=4), items, max_size=3),
    max_leaves=8,
)


def parse_to_text(values):
    """The parsed spec, or the reasons why there is none, as text."""
    try:
        return str(LayerSpec.parse(values))
    except SpecError as error:
        return str(error)


@given(st.sampled_from(sorted(LayerSpec.model_fields)), ANYTHING)
def test_any_json_value_is_parsed_or_refused_in_utf_8(field, value):
    assert parse_to_text({"shape": [3, 3], field: value}).encode()


@given(SPECS)
def test_any_spec_is_decided_or_refused_in_utf_8(values):
    try:
        told = resolve_parameters(LayerSpec.parse(values)).formula
    except SpecError as error:
        told = str(error)
    assert told.encode()


def test_elements_up_to_the_limit_are_counted():
    assert check_element_count((1000, 1000), max_elements=10**6) == 10**6


def test_elements_over_the_limit_are_refused():
    with pytest.raises(SpecError, match="shape must have at most 1000000 elements in total, not 1001000"):
        check_element_count((1001, 1000), max_elements=10**6)


def test_a_product_beyond_64_bits_does_not_wrap():
    with pytest.raises(SpecError, match="shape must have at most"):
        check_element_count((2**32, 2**32), max_elements=10**6)


def test_a_seed_is_required_for_weights():
    with pytest.raises(SpecError, match="seed is required for weights; received nothing"):
        require_seed(LayerSpec(shape=(3, 3)))


def test_a_given_seed_is_returned():
    assert require_seed(LayerSpec(shape=(3, 3), seed=0)) == 0
