"""Spreads that a spec gives itself: σ of the values, σ before the cut, the limit of a uniform."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import LayerSpec, SpecError, resolve_parameters
from service.core.layer.spread import SPREADS, Spread, merge_defaults


def resolve(shape=(784, 300), **fields):
    return resolve_parameters(LayerSpec.parse({"shape": shape, **fields}))


def list_errors(**fields):
    with pytest.raises(SpecError) as caught:
        resolve(**fields)
    return [error.message for error in caught.value.errors]


@given(st.floats(1e-30, 1e30))
def test_stddev_is_the_standard_deviation_to_the_last_bit(stddev):
    assert resolve(stddev=stddev, dtype="float64").stddev == stddev


@given(st.floats(1e-30, 1e30))
def test_limit_is_the_limit_to_the_last_bit(limit):
    assert resolve(limit=limit, dtype="float64").limit == limit


@given(st.floats(1e-30, 1e30))
def test_stddev_spreads_as_variance_scaling_of_its_square_does(stddev):
    scaled = resolve(scheme="variance_scaling", scale=stddev * stddev, fan_in=1, fan_out=1, dtype="float64")
    given_stddev = resolve(stddev=stddev, dtype="float64")
    assert (scaled.variance, scaled.stddev, scaled.limit) == (
        given_stddev.variance,
        given_stddev.stddev,
        given_stddev.limit,
    )


@pytest.mark.parametrize("scheme", ["glorot", "he", "lecun"])
@pytest.mark.parametrize("shape", [(784, 300), (3, 3, 64, 128), (7, 11)])
def test_the_limit_of_a_scheme_given_back_has_its_variance(scheme, shape):
    decided = resolve(shape, scheme=scheme, distribution="uniform")
    again = resolve(shape, limit=decided.limit)
    assert (again.limit, again.variance) == (decided.limit, pytest.approx(decided.variance, rel=1e-15))


def test_the_variance_of_a_limit_is_that_of_a_uniform_distribution():
    assert resolve(limit=0.3).variance == pytest.approx(0.3**2 / 3, rel=1e-15)


def test_parent_stddev_is_what_jax_calls_stddev():
    import jax

    drawn = jax.nn.initializers.truncated_normal(stddev=0.02)(jax.random.key(1), (1000, 1000))
    # The deviation of a sample of n has a standard error of σ · √((κ - 1) / 4n), here with κ = 2.37.
    expected = pytest.approx(resolve(parent_stddev=0.02).stddev, rel=5 * math.sqrt(1.37 / 4e6))
    assert float(drawn.std()) == expected


def test_the_cut_is_at_twice_the_parent_stddev():
    decided = resolve(parent_stddev=0.02)
    assert 2 / 0.87962566103423978 * decided.stddev == pytest.approx(0.04, rel=1e-15)


@pytest.mark.parametrize(
    ("fields", "distribution"),
    [
        ({"stddev": 0.02}, "normal"),
        ({"stddev": 0.02, "distribution": "truncated_normal"}, "truncated_normal"),
        ({"stddev": 0.02, "distribution": "uniform"}, "uniform"),
        ({"parent_stddev": 0.02}, "truncated_normal"),
        ({"limit": 0.05}, "uniform"),
    ],
)
def test_a_given_spread_has_a_distribution_of_its_own(fields, distribution):
    assert resolve(**fields).distribution == distribution


@pytest.mark.parametrize(
    ("fields", "formula"),
    [
        ({"stddev": 0.02}, "σ² = stddev² = 0.02²"),
        ({"limit": 0.05}, "σ² = limit² / 3 = 0.05² / 3"),
        (
            {"parent_stddev": 1},
            "σ² = (0.8796256610342398 · parent_stddev)² = (0.8796256610342398 · 1)²",
        ),
    ],
)
def test_the_formula_shows_what_was_given(fields, formula):
    assert resolve(**fields).formula == formula


@pytest.mark.parametrize("name", SPREADS)
def test_a_given_spread_implies_scheme_explicit(name):
    decided = resolve(**{name: 0.02})
    assert (decided.scheme, decided.mode, decided.scale) == ("explicit", None, None)
    assert decided == resolve(scheme="Explicit", **{name: 0.02})


@pytest.mark.parametrize("name", SPREADS)
def test_with_the_scheme_said_or_implied_a_spec_is_the_same(name):
    implied, said = (
        LayerSpec.parse({"shape": (3, 3), name: 0.5, **scheme}) for scheme in ({}, {"scheme": "explicit"})
    )
    assert implied == said


def test_the_activation_has_no_part_in_a_given_spread():
    assert resolve(stddev=0.02, activation="relu").variance == 0.02 * 0.02


def test_a_given_spread_needs_no_fans():
    decided = resolve((300,), stddev=0.02)
    assert (decided.layout, decided.fan_in, decided.fan_out, decided.fan_avg) == ("O", None, None, None)


def test_fans_that_the_layout_has_are_told():
    decided = resolve((784, 300), stddev=0.02)
    assert (decided.fan_in, decided.fan_out, decided.fan_avg) == (784, 300, 542)


@pytest.mark.parametrize("layout", ["BBB", "HWD", "OOO"])
def test_a_given_spread_takes_any_layout(layout):
    assert resolve((2, 3, 4), layout=layout, stddev=0.02).layout == layout


OR = "both determine σ"
EXPLICIT = "it implies scheme explicit"
CUT = "it requires truncated_normal"


@pytest.mark.parametrize(
    ("fields", "conflicts"),
    [
        ({"stddev": 0.02, "limit": 0.05}, [f"limit=0.05: {OR}"]),
        ({"stddev": 0.02, "parent_stddev": 0.03}, [f"parent_stddev=0.03: {OR}"]),
        ({"parent_stddev": 0.02, "limit": 0.05}, [f"limit=0.05: {OR}"]),
        ({"stddev": 0.02, "scale": 2}, [f"scale=2.0: {OR}"]),
        ({"limit": 0.02, "mode": "fan_avg"}, [f"mode=fan_avg: {OR}"]),
        ({"stddev": 0.02, "fan_in": 1, "fan_out": 2}, [f"fan_in=1: {OR}", f"fan_out=2: {OR}"]),
        ({"stddev": 0.02, "negative_slope": 0.1}, [f"negative_slope=0.1: {OR}"]),
        ({"stddev": 0.02, "scheme": "HeNormal"}, [f"scheme=he_normal: {EXPLICIT}"]),
        ({"limit": 0.02, "scheme": "variance_scaling"}, [f"scheme=variance_scaling: {EXPLICIT}"]),
        ({"limit": 0.02, "distribution": "normal"}, ["distribution=normal: it requires uniform"]),
        ({"parent_stddev": 0.02, "distribution": "normal"}, [f"distribution=normal: {CUT}"]),
    ],
)
def test_what_a_given_spread_cannot_be_combined_with_is_named_with_both_values(fields, conflicts):
    name = next(iter(fields))
    assert list_errors(**fields) == [
        f"{name} must not be combined with {conflict}; received 0.02" for conflict in conflicts
    ]


def test_scheme_explicit_takes_a_spread():
    (message,) = list_errors(scheme="explicit")
    rule = "explicit requires one of stddev, parent_stddev, limit, or low and high"
    assert message == f'scheme {rule}; received "explicit"'


@pytest.mark.parametrize(("name", "value"), [("stddev", 1e30), ("parent_stddev", 1e30), ("limit", 1e30)])
def test_a_spread_beyond_the_dtype_is_refused_by_its_field(name, value):
    (message,) = list_errors(dtype="float16", **{name: value})
    assert message.startswith(f"{name} makes weights larger than 65504, the largest float16")


@pytest.mark.parametrize("name", SPREADS)
def test_a_spread_that_the_dtype_rounds_to_zero_is_refused_by_its_field(name):
    (message,) = list_errors(dtype="float16", **{name: 1e-9})
    assert message.startswith(f"{name} makes σ smaller than")


@pytest.mark.parametrize("name", SPREADS)
@pytest.mark.parametrize("value", [1e-150, 1e150])
def test_the_ends_of_the_range_are_served_in_float64(name, value):
    decided = resolve(dtype="float64", **{name: value})
    assert 0 < decided.variance < math.inf


@pytest.mark.parametrize(
    ("defaults", "fields", "merged"),
    [
        ({"stddev": 0.02}, {"scheme": "he"}, {"scheme": "he"}),
        ({"scheme": "he", "mode": "fan_out"}, {"stddev": 0.02}, {"stddev": 0.02}),
        ({"stddev": 0.02}, {"limit": 0.05}, {"limit": 0.05}),
        ({"stddev": 0.02}, {"activation": "relu"}, {"stddev": 0.02, "activation": "relu"}),
        ({"stddev": 0.02}, {"stddev": None}, {"stddev": None}),
        (
            {"distribution": "truncated_normal"},
            {"stddev": 1},
            {"distribution": "truncated_normal", "stddev": 1},
        ),
        ({"scheme": "he", "layout": "torch"}, {"layout": "OI"}, {"scheme": "he", "layout": "OI"}),
    ],
)
def test_a_tensor_s_spread_or_scheme_replaces_that_of_the_defaults(defaults, fields, merged):
    assert merge_defaults(defaults, fields) == merged


def test_a_spread_is_of_one_variance():
    assert Spread.of(3.0, 300) == (0.01, 0.1, pytest.approx(math.sqrt(0.03), rel=1e-15))
