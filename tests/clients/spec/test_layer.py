"""A spec says what the service is asked, in its own spelling."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weightinit import Spec, SpecRejected
from weightinit.spec.fields import list_unused, merge_defaults
from weightinit.spec.layer import to_plain

from service.core.layer.spec import LayerSpec
from service.core.layer.spread import merge_defaults as merge_as_the_service
from service.core.scheme_names import SPELLINGS
from service.core.schemes import OPTIONS, SCHEMES


def test_a_spec_that_says_nothing_asks_for_nothing_but_a_shape():
    assert Spec((784, 300)).to_query() == {"shape": "784,300"}


def test_every_field_is_asked_for():
    spec = Spec(
        (3, 3, 32, 64),
        layout="HWIO",
        groups=2,
        fan_in=7,
        fan_out=8,
        activation="leaky_relu",
        scheme="variance_scaling",
        scale=1.5,
        mode="fan_out",
        negative_slope=0.01,
        distribution="normal",
        dtype="float16",
        seed=2**64 - 1,
        name="encoder.0/é",
    )
    assert spec.to_query() == {
        "shape": "3,3,32,64",
        "layout": "HWIO",
        "groups": "2",
        "fan_in": "7",
        "fan_out": "8",
        "activation": "leaky_relu",
        "scheme": "variance_scaling",
        "scale": "1.5",
        "mode": "fan_out",
        "negative_slope": "0.01",
        "distribution": "normal",
        "dtype": "float16",
        "seed": "18446744073709551615",
        "name": "encoder.0/é",
    }


@pytest.mark.parametrize("name", ["stddev", "parent_stddev", "limit"])
def test_a_given_spread_implies_scheme_explicit(name):
    spec = Spec((784, 300), **{name: 0.02})
    assert spec == Spec((784, 300), scheme="explicit", **{name: 0.02})
    assert spec.to_query() == {"shape": "784,300", "scheme": "explicit", name: "0.02"}


NEW = {
    "transposed": (True, "true"),
    "stride": ((2, 1), "2,1"),
    "fans_as": ("torch", "torch"),
    "activation_parameter": ((0.1, 0.3), "0.1,0.3"),
    "gain": (2.0, "2.0"),
    "lower": (-3.0, "-3.0"),
    "upper": (3.0, "3.0"),
    "high": (1.5, "1.5"),
    "mean": (0.5, "0.5"),
    "sparsity": (0.9, "0.9"),
    "sparsity_axis": ("O", "O"),
    "center": ("torch", "torch"),
}


@pytest.mark.parametrize("name", NEW)
def test_a_field_is_written_as_the_service_reads_it(name):
    value, text = NEW[name]
    query = Spec((4, 4), **{name: value}).to_query()
    assert query == {"shape": "4,4", name: text}
    assert LayerSpec.parse_query(query.items()) == LayerSpec.parse({"shape": (4, 4), name: value})


def test_the_fields_of_a_layer_are_those_of_the_service():
    assert {row.name for row in fields(Spec)} == set(LayerSpec.model_fields)


def test_a_field_has_the_service_s_default():
    own = {row.name: row.default for row in fields(Spec)}
    others = {name: row.default for name, row in LayerSpec.model_fields.items()}
    differing = {"shape", "activation", "name"}  # required, or none by another name
    assert {name for name in own if own[name] != others[name]} == differing


@pytest.mark.parametrize(("name", "one"), [("stride", 2), ("activation_parameter", 0.1)])
def test_a_list_of_one_may_be_a_number(name, one):
    assert Spec((4, 4), **{name: one}) == Spec((4, 4), **{name: [one]})


def test_low_and_high_imply_scheme_explicit():
    assert Spec((4, 4), low=0.0, high=1.0).scheme == "explicit"


def test_a_constant_implies_scheme_constant():
    assert Spec((4, 4), constant=0.0).scheme == "constant"


# Fields of a tensor that replace some of a model's defaults, and all defaults that there may be.
DEFAULTS = {
    "layout": "torch",
    "gain": 2.0,
    "mode": "fan_out",
    "distribution": "normal",
    "mean": 0.5,
    "lower": -3.0,
}
DEFAULTS |= {"negative_slope": 0.1, "activation_parameter": 0.1, "fan_in": 3, "scheme": "he", "stddev": 0.02}
REPLACING = [
    *({"scheme": name} for name in [*SPELLINGS, "HeNormal", "Xavier-Uniform_", "nonsense"]),
    *({name: 0.5} for name in ("stddev", "parent_stddev", "limit", "low", "high", "constant")),
    {"stddev": None},
    {"gain": 3.0},
    {"scheme": "sparse", "stddev": 0.1, "sparsity": 0.5},
]


@pytest.mark.parametrize("given", REPLACING)
def test_defaults_are_merged_as_the_service_does(given):
    assert merge_defaults(DEFAULTS, given) == merge_as_the_service(DEFAULTS, given)


@pytest.mark.parametrize("row", SCHEMES.values(), ids=SCHEMES)
def test_a_scheme_has_the_fields_that_the_service_allows(row):
    assert list_unused(row.name) == OPTIONS - row.options


def test_another_scheme_beside_a_given_spread_is_left_to_the_service():
    assert Spec((784, 300), scheme="he", stddev=0.02).scheme == "he"


@pytest.mark.parametrize(
    ("fields", "merged"),
    [
        ({"limit": 0.05}, {"layout": "torch", "limit": 0.05}),
        ({"scheme": "he"}, {"layout": "torch", "scheme": "he"}),
        ({"activation": "relu"}, {"layout": "torch", "stddev": 0.02, "activation": "relu"}),
    ],
)
def test_a_spread_or_scheme_of_a_tensor_replaces_that_of_the_defaults(fields, merged):
    assert merge_defaults({"layout": "torch", "stddev": 0.02}, fields) == merged


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_so_that_it_is_read_back(scale):
    assert float(Spec((2, 2), scale=scale).to_query()["scale"]) == scale


@pytest.mark.parametrize("seed", [42, "42", np.uint64(42), np.int32(42)])
def test_a_seed_is_any_integer(seed):
    assert Spec((2, 2), seed=seed, name="w").to_query()["seed"] == "42"


def test_numpys_numbers_are_numbers():
    query = Spec((2, 2), scale=np.float32(0.5), groups=np.int64(2)).to_query()
    assert (query["scale"], query["groups"]) == ("0.5", "2")


@pytest.mark.parametrize("shape", [(2, 3), [2, 3], np.array([2, 3]), (np.int64(2), 3), iter((2, 3))])
def test_a_shape_is_any_sequence_of_integers(shape):
    assert Spec.of(shape).shape == (2, 3)


def test_a_length_is_a_shape_of_one_axis():
    assert Spec.of(5).shape == (5,)


@pytest.mark.parametrize("shape", [(), (0, 3), (-1,), (2.0, 3), "2,3", (None,), None, (2, (3, 4))])
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises(SpecRejected, match=r"^shape must") as raised:
        Spec.of(shape)
    assert raised.value.errors[0].field == "shape"
    assert raised.value.status is None


@pytest.mark.parametrize(
    ("value", "plain"),
    [(np.uint64(2**64 - 1), 2**64 - 1), (np.float32(0.5), 0.5), (None, None), ("he", "he")],
)
def test_numpys_numbers_become_pythons(value, plain):
    found = to_plain(value)
    assert (type(found), found) == (type(plain), plain)


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("<f4")])
def test_a_dtype_is_a_name_or_numpys(dtype):
    assert Spec((2, 2), dtype=dtype).dtype == "float32"


def test_bfloat16_is_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert Spec((2, 2), dtype=ml_dtypes.bfloat16).dtype == "bfloat16"


@pytest.mark.parametrize("dtype", ["float8", "int32", np.int32, object(), None, 4])
def test_another_dtype_is_refused(dtype):
    with pytest.raises(SpecRejected, match="dtype must be one of float32, float64, float16, bfloat16"):
        Spec((2, 2), dtype=dtype)


def test_text_that_is_no_unicode_is_refused():
    with pytest.raises(SpecRejected, match="name must be valid Unicode"):
        Spec((2, 2), name="\ud800").to_query()


def test_a_spec_may_be_given_with_changes():
    assert Spec.of(Spec((2, 2), seed=1, name="a"), name="b") == Spec((2, 2), seed=1, name="b")


def test_specs_of_one_meaning_are_equal_and_hash_alike():
    assert len({Spec((2, 3)), Spec([2, 3]), Spec((2, 3), dtype=np.float32)}) == 1


def test_an_unknown_keyword_is_a_type_error():
    with pytest.raises(TypeError, match="activasion"):
        Spec.of((2, 2), activasion="relu")


def test_what_is_refused_here_is_a_value_error():
    with pytest.raises(ValueError, match="shape"):
        Spec.of("abc")
