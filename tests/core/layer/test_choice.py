import pytest

from service.core import LayerSpec, SpecError, resolve_parameters
from service.core.schemes import SCHEMES

CARRIED = ["uniform", "normal", "truncated_normal"]


def decide_dense(**fields):
    return resolve_parameters(LayerSpec(shape=(784, 300), **fields))


@pytest.mark.parametrize(
    ("spelling", "scheme"),
    [
        ("glorot", "glorot"),
        ("xavier", "glorot"),
        ("he", "he"),
        ("kaiming", "he"),
        ("lecun", "lecun"),
        ("variance_scaling", "variance_scaling"),
        ("VarianceScaling", "variance_scaling"),
        ("HeNormal", "he"),
        ("xavier_uniform_", "glorot"),
    ],
)
def test_every_spelling_names_its_scheme(spelling, scheme):
    assert decide_dense(scheme=spelling).scheme == scheme


@pytest.mark.parametrize("scheme", ["glorot", "xavier", "he", "kaiming", "lecun"])
@pytest.mark.parametrize("distribution", CARRIED)
def test_a_name_may_carry_the_distribution(scheme, distribution):
    assert decide_dense(scheme=f"{scheme}_{distribution}").distribution == distribution


@pytest.mark.parametrize("scheme", ["glorot", "he", "lecun", "variance_scaling", "auto"])
@pytest.mark.parametrize("distribution", CARRIED)
def test_a_plain_name_takes_any_distribution(scheme, distribution):
    assert decide_dense(scheme=scheme, distribution=distribution).distribution == distribution


@pytest.mark.parametrize(
    ("scheme", "distribution"),
    [
        ("he_uniform", "normal"),
        ("he_uniform", "truncated_normal"),
        ("glorot_normal", "uniform"),
        ("lecun_truncated_normal", "normal"),
    ],
)
def test_a_contradicting_distribution_is_refused_naming_both(scheme, distribution):
    with pytest.raises(SpecError) as caught:
        decide_dense(scheme=scheme, distribution=distribution)
    assert str(caught.value) == (
        f"distribution contradicts scheme {scheme}, whose distribution is {scheme.split('_', 1)[1]}; "
        f'received "{distribution}"'
    )


def test_he_normal_is_plain_and_says_so():
    decided = decide_dense(scheme="he_normal")
    assert decided.distribution == "normal"
    assert "distribution=truncated_normal" in decided.reason


def test_he_normal_with_truncated_normal_is_that_of_keras():
    assert (
        decide_dense(scheme="he_normal", distribution="truncated_normal").distribution == "truncated_normal"
    )


def test_the_reason_of_auto_names_what_the_activation_does():
    assert decide_dense(activation="relu").reason.startswith("ReLU zeroes half of its inputs")


@pytest.mark.parametrize(("scheme", "year"), [("glorot", "2010"), ("he", "2015"), ("lecun", "1998")])
def test_the_reference_is_the_paper(scheme, year):
    assert f"({year})" in decide_dense(scheme=scheme).reference


def test_the_reason_for_selu_cites_its_paper():
    assert "Klambauer et al. 2017" in decide_dense(activation="selu").reason


def test_variance_scaling_defaults_are_those_of_keras():
    from keras.initializers import VarianceScaling

    theirs = VarianceScaling(seed=1).get_config()
    ours = SCHEMES["variance_scaling"]
    assert (ours.scale, ours.mode) == (theirs["scale"], theirs["mode"])


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
@pytest.mark.parametrize("scale", [0.02, 1.0, 3.0])
def test_variance_scaling_divides_any_scale_by_any_fan(mode, scale):
    fans = {"fan_in": 784, "fan_out": 300, "fan_avg": 542, "fan_geo_avg": (784 * 300) ** 0.5}
    decided = decide_dense(scheme="variance_scaling", scale=scale, mode=mode)
    assert decided.variance == pytest.approx(scale / fans[mode], rel=1e-15)


@pytest.mark.parametrize("scheme", ["auto", "glorot", "he_uniform", "lecun"])
def test_a_scale_for_another_scheme_is_refused(scheme):
    with pytest.raises(
        SpecError, match=r"scale is .* use scheme=variance_scaling to set another; received 3\.0"
    ):
        decide_dense(scheme=scheme, scale=3.0)


@pytest.mark.parametrize("scheme", ["glorot", "lecun_normal", "variance_scaling"])
def test_a_negative_slope_for_another_scheme_than_he_is_refused(scheme):
    with pytest.raises(SpecError, match="negative_slope applies to scheme he only, not"):
        decide_dense(scheme=scheme, negative_slope=0.1)


def test_a_negative_slope_for_an_activation_of_another_family_is_refused():
    with pytest.raises(
        SpecError, match="negative_slope applies to scheme he only, and activation tanh uses glorot"
    ):
        decide_dense(activation="tanh", negative_slope=0.1)


def test_several_broken_rules_are_reported_at_once():
    with pytest.raises(SpecError) as caught:
        decide_dense(groups=7, scale=2.0, negative_slope=0.1)
    assert [error.field for error in caught.value.errors] == ["groups", "scale", "negative_slope"]


@pytest.mark.parametrize(
    "fields",
    [
        {"low": 0.0, "high": 1.0, "scale": 2.0},
        {"low": 0.0, "high": 1.0, "mode": "fan_in"},
        {"low": 0.0, "high": 1.0, "gain": 2.0},
        {"low": 0.0, "high": 1.0, "fan_in": 3},
        {"scheme": "orthogonal", "scale": 2.0},
        {"constant": 1.0, "scale": 2.0},
    ],
    ids=str,
)
def test_a_field_that_the_scheme_does_not_use_is_refused(fields):
    with pytest.raises(SpecError, match=f"{[*fields][-1]} must not be combined with scheme="):
        decide_dense(**fields)
