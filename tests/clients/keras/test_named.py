"""Keras' named initializers: the same spread as their namesakes', and weights of the service's."""

import keras
import numpy as np
import pytest
import weightinit.keras
from weightinit import SpecRejected

from tests.clients.drawing import draw

NAMES = {
    "GlorotUniform": ("glorot", "uniform"),
    "GlorotNormal": ("glorot", "truncated_normal"),
    "HeUniform": ("he", "uniform"),
    "HeNormal": ("he", "truncated_normal"),
    "LecunUniform": ("lecun", "uniform"),
    "LecunNormal": ("lecun", "truncated_normal"),
    "VarianceScaling": ("variance_scaling", "truncated_normal"),
}


def make(name, client, **said):
    return getattr(weightinit.keras, name)(seed=42, name="k", client=client, **said)


@pytest.mark.parametrize("name", NAMES)
def test_the_spread_is_that_of_its_namesake(client, name):
    ours = keras.ops.convert_to_numpy(make(name, client)((300, 200)))
    theirs = keras.ops.convert_to_numpy(getattr(keras.initializers, name)(seed=1)((300, 200)))
    assert ours.std() == pytest.approx(theirs.std(), rel=1e-2)
    assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)


@pytest.mark.parametrize(("name", "scheme", "distribution"), [(name, *row) for name, row in NAMES.items()])
def test_the_weights_are_those_of_scheme_and_distribution(client, name, scheme, distribution):
    expected = draw(5, 7, name="k", scheme=scheme, distribution=distribution)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(make(name, client)((5, 7))), expected)


def test_a_normal_that_is_not_cut_can_be_asked_for(client):
    made = make("HeNormal", client, distribution="normal")
    expected = draw(5, 7, name="k", scheme="he", distribution="normal")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(made((5, 7))), expected)


def test_a_negative_slope_makes_he_leaky(client):
    made = make("HeUniform", client, negative_slope=0.2)
    expected = draw(5, 7, name="k", scheme="he", negative_slope=0.2)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(made((5, 7))), expected)


@pytest.mark.parametrize(("said", "meant"), [("untruncated_normal", "normal"), ("uniform", "uniform")])
def test_variance_scaling_takes_keras_arguments(client, said, meant):
    made = weightinit.keras.VarianceScaling(0.1, "fan_out", said, seed=42, name="k", client=client)
    expected = draw(5, 7, name="k", scheme="variance_scaling", scale=0.1, mode="fan_out", distribution=meant)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(made((5, 7))), expected)


def test_a_normal_that_may_be_either_is_refused():
    with pytest.raises(
        SpecRejected, match="distribution must be one of uniform, truncated_normal, untruncated_normal"
    ):
        weightinit.keras.VarianceScaling(distribution="normal", seed=42, name="k")
