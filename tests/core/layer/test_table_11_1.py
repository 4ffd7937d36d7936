"""Géron, Hands-On Machine Learning with Scikit-Learn, Keras & TensorFlow, Table 11-1.

The 2nd edition says "ReLU and variants"; the 3rd names Leaky ReLU, ELU, GELU, Swish and Mish.
"""

import math

import pytest

from service.core import LayerSpec, resolve_parameters

FAN_IN, FAN_OUT = 784, 300
FAN_AVG = 542  # (784 + 300) / 2

# activation, scheme, and the table's σ² for a normal distribution
TABLE = [
    ("none", "glorot", 1 / FAN_AVG),
    ("tanh", "glorot", 1 / FAN_AVG),
    ("logistic", "glorot", 1 / FAN_AVG),
    ("softmax", "glorot", 1 / FAN_AVG),
    ("relu", "he", 2 / FAN_IN),
    ("leaky_relu", "he", 2 / FAN_IN),
    ("prelu", "he", 2 / FAN_IN),
    ("rrelu", "he", 2 / FAN_IN),
    ("elu", "he", 2 / FAN_IN),
    ("gelu", "he", 2 / FAN_IN),
    ("swish", "he", 2 / FAN_IN),
    ("mish", "he", 2 / FAN_IN),
    ("selu", "lecun", 1 / FAN_IN),
]


@pytest.mark.parametrize(("activation", "scheme", "variance"), TABLE)
def test_auto_chooses_the_scheme_and_variance_of_the_row(activation, scheme, variance):
    decided = resolve_parameters(LayerSpec(shape=(FAN_IN, FAN_OUT), activation=activation))
    assert (decided.scheme, decided.variance) == (scheme, variance)


@pytest.mark.parametrize(("activation", "scheme", "variance"), TABLE)
def test_uniform_limit_is_the_root_of_three_variances(activation, scheme, variance):
    """The book, below the table: r = √(3σ²)."""
    decided = resolve_parameters(
        LayerSpec(shape=(FAN_IN, FAN_OUT), activation=activation, distribution="uniform")
    )
    assert decided.limit == math.sqrt(3 * variance)


def test_he_uniform_on_fan_avg_is_one_spec():
    """The book's VarianceScaling(scale=2., mode="fan_avg", distribution="uniform")."""
    by_name = resolve_parameters(LayerSpec(shape=(784, 300), scheme="he_uniform", mode="fan_avg"))
    by_hand = resolve_parameters(
        LayerSpec(
            shape=(784, 300), scheme="variance_scaling", scale=2.0, mode="fan_avg", distribution="uniform"
        )
    )
    assert by_name.limit == by_hand.limit == math.sqrt(6 / FAN_AVG)


def test_selu_prefers_normal():
    assert resolve_parameters(LayerSpec(shape=(784, 300), activation="selu")).distribution == "normal"


@pytest.mark.parametrize("activation", ["none", "tanh", "relu"])
def test_other_activations_default_to_uniform(activation):
    assert resolve_parameters(LayerSpec(shape=(784, 300), activation=activation)).distribution == "uniform"
