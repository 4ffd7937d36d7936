"""Named initializers have the standard deviation of Keras' own, with the service's weights."""

import keras
import numpy as np
import pytest
import weightinit.keras
from keras import layers
from keras.src.initializers.random_initializers import compute_fans
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


THEIRS = {
    "GlorotUniform": keras.initializers.GlorotUniform(seed=1),
    "GlorotTruncatedNormal": keras.initializers.GlorotNormal(seed=1),
    "HeUniform": keras.initializers.HeUniform(seed=1),
    "HeTruncatedNormal": keras.initializers.HeNormal(seed=1),
    "LecunUniform": keras.initializers.LecunUniform(seed=1),
    "LecunTruncatedNormal": keras.initializers.LecunNormal(seed=1),
    "VarianceScaling": keras.initializers.VarianceScaling(distribution="uniform", seed=1),
}


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("attribute", ["scale", "mode", "distribution"])
def test_an_initializer_has_the_attributes_of_keras_own(name, attribute):
    assert getattr(make(name, None), attribute) == getattr(THEIRS[name], attribute)


def test_the_attributes_are_those_that_were_given():
    made = make("VarianceScaling", None, scale=0.5, mode="fan_out", distribution="untruncated_normal")
    assert (made.scale, made.mode, made.distribution) == (0.5, "fan_out", "normal")


def test_a_leaky_slope_is_in_the_scale():
    # He et al. 2015, equation 15: 2 / (1 + a²), here 2 / 1.25.
    assert make("HeNormal", None, negative_slope=0.5).scale == pytest.approx(1.6)


@pytest.mark.parametrize("layer", [{"activation": "relu"}, {"stddev": 0.02}])
def test_a_scale_that_only_the_service_knows_is_none(layer):
    made = make("Initializer", None, **layer)
    assert (made.scale, made.mode, made.distribution) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scale": 0.0}, "scale must be positive and finite; received 0.0"),
        ({"scale": float("inf")}, "scale must be positive and finite; received inf"),
        ({"mode": "fan"}, "mode must be one of fan_in, fan_out, fan_avg, fan_geo_avg; received 'fan'"),
        ({"input_axes": 0}, "input_axes must be a list of axes; received 0"),
        ({"output_axes": ["o"]}, "output_axes must be a list of axes; received"),
        ({"seed": -1}, "seed must be an integer from 0 to 18446744073709551615.*; received -1"),
        ({"seed": "0x2a"}, "seed must be an integer from 0 .*; received '0x2a'"),
    ],
)
def test_arguments_are_checked_at_once(given, words):
    with pytest.raises(SpecRejected, match=words):
        weightinit.keras.VarianceScaling(**{"seed": 42, "name": "k", **given})


@pytest.mark.parametrize(
    ("shape", "inputs", "outputs"),
    [
        ((6, 2, 3), [0], [1, 2]),
        ((5, 6, 4), [1], [2]),  # the first axis does not count
        ((6, 4), [0], []),
        ((6, 4), [], [1]),
        ((6,), [], [0]),
        ((6,), [0], [0]),
        ((6, 4), [0], [0, 1]),
    ],
)
def test_the_fans_of_given_axes_are_those_that_keras_counts(client, shape, inputs, outputs):
    made = make("VarianceScaling", client, input_axes=inputs, output_axes=outputs)
    parameters = client.parameters(made.specify(shape, "float32"))
    assert (parameters.fan_in, parameters.fan_out) == compute_fans(shape, inputs, outputs)


def test_an_einsum_layer_may_have_a_vector_as_its_kernel(client):
    layer = layers.EinsumDense("abc,c->abc", (4, 6), kernel_initializer=make("HeNormal", client))
    layer.build((None, 4, 6))
    expected = draw(6, name="k", scheme="he_normal", fan_in=1, fan_out=6)
    np.testing.assert_array_equal(layer.get_weights()[0], expected)


def test_a_clone_has_the_same_arguments():
    made = make("VarianceScaling", None, scale=0.5, input_axes=[0], output_axes=[1])
    assert made.clone().get_config() == made.get_config()
