"""The number of requests, and an initializer that two layers share."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers
from weightinit.keras import GlorotUniform, Initializer, SharedWeights


def test_two_layers_with_one_initializer_are_warned_of(client):
    shared = Initializer(seed=42, name="hidden", client=client)
    layers.Dense(3, kernel_initializer=shared).build((None, 3))
    with pytest.warns(SharedWeights, match="'hidden' creates a second tensor"):
        layers.Dense(3, kernel_initializer=shared).build((None, 3))


def test_attention_with_one_initializer_is_warned_of(client):
    layer = layers.MultiHeadAttention(
        2, 4, kernel_initializer=GlorotUniform(seed=42, name="a", client=client)
    )
    with pytest.warns(SharedWeights, match="'a' creates a second tensor"):
        layer.build((None, 5, 8), (None, 5, 8))


def test_a_third_tensor_is_not_warned_of_again(client):
    shared = Initializer(seed=42, name="hidden", client=client)
    shared((2, 3))
    with pytest.warns(SharedWeights):
        shared((2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shared((2, 3))


def test_one_tensor_for_each_initializer_is_not_warned_of(client):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("a", "b"):
            layers.Dense(3, kernel_initializer=Initializer(seed=42, name=name, client=client)).build(
                (None, 3)
            )


def test_an_einsum_layer_is_one_tensor(service):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.EinsumDense("ab,bc->ac", 3, kernel_initializer=Initializer(seed=42, name="k")).build((None, 3))


class Wrapped(keras.layers.Layer):
    """A layer that builds another while Keras infers its shapes."""

    def __init__(self, made):
        super().__init__()
        self.dense = layers.Dense(3, kernel_initializer=made)

    def call(self, inputs):
        return self.dense(inputs)


def test_a_layer_built_while_shapes_are_inferred_asks_once(counting):
    inputs = keras.Input((4,))
    keras.Model(inputs, Wrapped(Initializer(seed=42, name="k", client=counting))(inputs))
    assert counting.asked == [((4, 3), None)]


def test_it_gets_the_same_weights_as_one_built_before(counting):
    inputs = keras.Input((4,))
    wrapped = Wrapped(Initializer(seed=42, name="k", client=counting))
    keras.Model(inputs, wrapped(inputs))
    plain = layers.Dense(3, kernel_initializer=Initializer(seed=42, name="k", client=counting))
    plain.build((None, 4))
    np.testing.assert_array_equal(wrapped.get_weights()[0], plain.get_weights()[0])


def test_what_was_kept_for_it_is_let_go(counting):
    inputs = keras.Input((4,))
    made = Initializer(seed=42, name="k", client=counting)
    keras.Model(inputs, Wrapped(made)(inputs))
    assert made._kept is None
