"""Following: which activation comes after a layer."""

import keras
import numpy as np
import pytest
from keras import layers
from weightinit.keras.activations import Graph, name_activation


def follow(*parts, inputs=(8, 8, 3), first=None):
    """Find what follows the first of some layers."""
    first = first or layers.Conv2D(3, 3, padding="same")
    return Graph(keras.Sequential([keras.Input(inputs), first, *parts])).find_activation(first)


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        ("relu", "relu"),
        ("leaky_relu", "leakyrelu"),
        ("linear", None),
        (None, None),
        (keras.activations.gelu, "gelu"),
        (layers.LeakyReLU(0.1), "leakyrelu"),
        (layers.Activation("selu"), "selu"),
    ],
)
def test_a_layer_s_own_activation(activation, name):
    assert follow(first=layers.Conv2D(3, 3, activation=activation)) == name


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.ReLU(), "relu"),
        (layers.PReLU(), "prelu"),
        (layers.ELU(), "elu"),
        (layers.Activation("tanh"), "tanh"),
        (layers.Softmax(), "softmax"),
        (layers.Activation("linear"), None),
    ],
)
def test_a_layer_that_is_an_activation(layer, name):
    assert follow(layer) == name


@pytest.mark.parametrize(
    "between",
    [
        layers.BatchNormalization(),
        layers.Dropout(0.1),
        layers.MaxPooling2D(),
        layers.GlobalAveragePooling2D(),
        layers.Flatten(),
        layers.ZeroPadding2D(),
        layers.UpSampling2D(),
    ],
)
def test_what_keeps_zero_at_zero_is_passed_through(between):
    assert follow(between, layers.ReLU()) == "relu"


@pytest.mark.parametrize("between", [layers.Conv2D(3, 1), layers.Rescaling(2.0, offset=1.0)])
def test_what_else_comes_between_ends_the_search(between):
    assert follow(between, layers.ReLU()) is None


def test_nothing_follows_the_last_layer():
    assert follow() is None


def test_a_function_of_keras_is_found():
    inputs = keras.Input((4,))
    dense = layers.Dense(3)
    assert Graph(keras.Model(inputs, keras.ops.relu(dense(inputs)))).find_activation(dense) == "relu"


def test_a_residual_branch_comes_to_what_follows_the_sum():
    inputs = keras.Input((4,))
    dense = layers.Dense(4)
    model = keras.Model(inputs, layers.ReLU()(layers.Add()([inputs, dense(inputs)])))
    assert Graph(model).find_activation(dense) == "relu"


def test_paths_that_agree_in_other_words_come_to_one():
    inputs = keras.Input((4,))
    dense = layers.Dense(4)
    hidden = dense(inputs)
    model = keras.Model(inputs, [layers.ReLU()(hidden), layers.Activation("relu")(hidden)])
    assert Graph(model).find_activation(dense) == "relu"


def test_many_paths_are_followed_once():
    inputs = keras.Input((4,))
    dense = layers.Dense(4)
    hidden = dense(inputs)
    for _ in range(40):
        hidden = layers.Add()([layers.Dropout(0.1)(hidden), hidden])
    assert Graph(keras.Model(inputs, layers.ReLU()(hidden))).find_activation(dense) == "relu"


def test_paths_that_disagree_come_to_nothing():
    inputs = keras.Input((4,))
    dense = layers.Dense(4)
    hidden = dense(inputs)
    model = keras.Model(inputs, [layers.ReLU()(hidden), layers.Activation("tanh")(hidden)])
    assert Graph(model).find_activation(dense) is None


def test_a_subclassed_model_shows_what_its_layers_say_themselves():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(3, activation="relu")
            self.second = layers.Dense(3)

        def call(self, inputs):
            return keras.ops.tanh(self.second(self.first(inputs)))

    model = Model()
    model(np.zeros((1, 3), "float32"))
    graph = Graph(model)
    assert (graph.find_activation(model.first), graph.find_activation(model.second)) == ("relu", None)


def test_a_function_of_one_s_own_has_its_own_name():
    def squared_relu(x):
        return keras.ops.square(keras.ops.relu(x))

    assert name_activation(squared_relu) == "squaredrelu"
