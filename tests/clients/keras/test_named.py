"""Named initializers have the standard deviation of Keras' own, with the service's weights."""

import keras
import numpy as np
import pytest
import weightinit.keras
from weightinit import SpecRejected

from tests.clients.drawing import draw

NAMES = {
    "GlorotUniform": ("glorot", "uniform"),
    "GlorotNormal": ("glorot", "normal"),
    "GlorotTruncatedNormal": ("glorot", "truncated_normal"),
    "HeUniform": ("he", "uniform"),
    "HeNormal": ("he", "normal"),
    "HeTruncatedNormal": ("he", "truncated_normal"),
    "LecunUniform": ("lecun", "uniform"),
    "LecunNormal": ("lecun", "normal"),
    "LecunTruncatedNormal": ("lecun", "truncated_normal"),
    "VarianceScaling": ("variance_scaling", "uniform"),
}
# What draws from the same distribution in Keras, whose Normal is truncated.
SAME_IN_KERAS = {
    "GlorotUniform": keras.initializers.GlorotUniform,
    "GlorotTruncatedNormal": keras.initializers.GlorotNormal,
    "HeUniform": keras.initializers.HeUniform,
    "HeTruncatedNormal": keras.initializers.HeNormal,
    "LecunUniform": keras.initializers.LecunUniform,
    "LecunTruncatedNormal": keras.initializers.LecunNormal,
}


def make(name, client, **said):
    return getattr(weightinit.keras, name)(seed=42, name="k", client=client, **said)


@pytest.mark.parametrize("name", SAME_IN_KERAS)
def test_the_spread_is_that_of_keras_own(client, name):
    ours = keras.ops.convert_to_numpy(make(name, client)((300, 200)))
    theirs = keras.ops.convert_to_numpy(SAME_IN_KERAS[name](seed=1)((300, 200)))
    assert ours.std() == pytest.approx(theirs.std(), rel=1e-2)
    assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)


@pytest.mark.parametrize("name", ["GlorotNormal", "HeNormal", "LecunNormal"])
def test_a_normal_has_the_stddev_of_keras_own_and_is_not_truncated_as_that_is(client, name):
    ours = keras.ops.convert_to_numpy(make(name, client)((300, 200)))
    theirs = keras.ops.convert_to_numpy(getattr(keras.initializers, name)(seed=1)((300, 200)))
    assert ours.std() == pytest.approx(theirs.std(), rel=1e-2)
    assert np.abs(ours).max() > 1.5 * np.abs(theirs).max()


@pytest.mark.parametrize(("name", "scheme", "distribution"), [(name, *row) for name, row in NAMES.items()])
def test_the_weights_are_those_of_scheme_and_distribution(client, name, scheme, distribution):
    expected = draw(5, 7, name="k", scheme=scheme, distribution=distribution)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(make(name, client)((5, 7))), expected)


@pytest.mark.parametrize("distribution", ["normal", "truncated_normal"])
def test_a_normal_takes_either_normal_distribution(client, distribution):
    made = make("HeNormal", client, distribution=distribution)
    expected = draw(5, 7, name="k", scheme="he", distribution=distribution)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(made((5, 7))), expected)


def test_a_negative_slope_makes_he_leaky(client):
    made = make("HeUniform", client, negative_slope=0.2)
    expected = draw(5, 7, name="k", scheme="he", negative_slope=0.2)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(made((5, 7))), expected)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("uniform", "uniform"),
        ("normal", "normal"),
        ("untruncated_normal", "normal"),
        ("truncated_normal", "truncated_normal"),
    ],
)
def test_variance_scaling_takes_keras_arguments(client, said, meant):
    made = weightinit.keras.VarianceScaling(0.1, "fan_out", said, seed=42, name="k", client=client)
    expected = draw(5, 7, name="k", scheme="variance_scaling", scale=0.1, mode="fan_out", distribution=meant)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(made((5, 7))), expected)


def test_an_unknown_distribution_is_refused_at_once():
    known = "uniform, normal, truncated_normal, untruncated_normal"
    with pytest.raises(SpecRejected, match=f"distribution must be one of {known}; received 'orthogonal'"):
        weightinit.keras.VarianceScaling(distribution="orthogonal", seed=42, name="k")
