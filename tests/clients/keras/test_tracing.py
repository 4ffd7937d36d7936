"""Models and layers are traced through their calls."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.clients.keras.following import connect, follow, infer, judge


class Subclassed(keras.Model):
    """A model that shows what follows its layers in its call alone."""

    def __init__(self, function):
        super().__init__()
        self.first, self.second = layers.Dense(3), layers.Dense(3)
        self.function = function

    def call(self, inputs):
        return self.second(self.function(self.first(inputs)))


def build(function):
    model = Subclassed(function)
    model(np.zeros((2, 3), "float32"))
    return model


def test_the_call_of_a_subclassed_model_is_followed():
    model = build(lambda x: ops.maximum(x, 0.0) * 2)
    assert judge(model, model.first) == ("relu", "certain")
    assert judge(model, model.second) == ("none", "certain")


def test_a_call_that_cannot_be_followed_leaves_what_comes_after_unknown():
    def choose(x):
        return x if float(ops.convert_to_numpy(x)[0, 0]) > 1 else ops.relu(x)

    model = build(choose)
    found = infer(model, model.first)
    assert (found.activation, found.certainty) == (None, "unknown")
    assert "Subclassed.call cannot be traced" in found.reason


def test_a_layer_s_own_activation_is_known_where_the_call_cannot_be_followed():
    class Untraceable(Subclassed):
        def build(self, shape):
            self.first.build(shape)
            self.second.build(shape)

        def call(self, inputs):
            return super().call(ops.convert_to_tensor(ops.convert_to_numpy(inputs) + 1))

    model = Untraceable(ops.relu)
    model.first = layers.Dense(3, activation="gelu")
    model.build((2, 3))
    assert judge(model, model.first) == ("gelu", "certain")
    assert judge(model, model.second) == ("none", "unknown")


def test_a_subclass_of_a_layer_with_an_activation_in_its_call():
    class ConvReLU(layers.Conv2D):
        def call(self, inputs):
            return ops.relu(super().call(inputs))

    assert follow(layers.Conv2D(3, 1), first=ConvReLU(3, 3)) == ("relu", "certain")


def test_a_layer_of_the_backend_s_own_functions_is_known_by_its_values():
    class Backend(layers.Layer):
        def call(self, inputs):
            values = inputs + 0
            return ops.convert_to_tensor(np.maximum(ops.convert_to_numpy(values), 0))

        def compute_output_shape(self, shape):
            return shape

    assert follow(Backend(), layers.Conv2D(3, 1)) == ("relu", "certain")


def test_variables_of_one_s_own_scale_and_shift():
    class Affine(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=shape[-1:], initializer="ones")
            self.shift = self.add_weight(shape=shape[-1:], initializer="zeros")

        def call(self, inputs):
            return self.scale * inputs + np.float32(2.0) * (ops.exp(self.shift) * inputs) - self.shift

    assert follow(Affine(), layers.ReLU()) == ("relu", "certain")


def test_lengths_that_a_call_asks_for_are_numbers():
    class Merged(layers.Layer):
        def call(self, inputs):
            batch, length = ops.shape(inputs)[:2]
            return ops.reshape(ops.reshape(inputs, (batch * length, -1)), (batch, length, -1))

    assert follow(Merged(), layers.ReLU(), inputs=(None, 4), first=layers.Dense(3)) == ("relu", "certain")


def test_attention_s_projections_feed_products_of_matrices():
    inputs = keras.Input((5, 8))
    attention = layers.MultiHeadAttention(2, 4)
    model = keras.Model(inputs, ops.relu(attention(inputs, inputs)))
    query = attention._query_dense
    assert judge(model, query) == ("none", "certain")
    assert judge(model, attention._output_dense) == ("relu", "certain")


def test_both_halves_of_a_packed_gated_unit_get_its_scheme():
    def gate(x):
        gates, values = ops.split(x, 2, axis=-1)
        return layers.Dense(4)(ops.silu(gates) * values)

    assert judge(*connect(gate, units=8)) == ("swiglu", "certain")


@pytest.mark.parametrize("split", [layers.Conv2DTranspose(6, 2), layers.Conv2D(6, 1, groups=3)])
def test_a_kernel_that_cannot_be_cut_stays_whole(split):
    def branch(x):
        first, second = ops.split(x, 2, axis=-1)
        return [layers.Conv2D(3, 1)(ops.relu(first)), layers.Conv2D(3, 1)(ops.tanh(second))]

    model, layer = connect(branch, (8, 8, 3), layer=split)
    found = infer(model, layer)
    assert (found.certainty, dict(found.parts)) == ("guessed", {})


def test_the_kernels_packed_in_one_are_told_apart():
    def attend(x):
        query, key, value = ops.split(x, 3, axis=-1)
        return ops.matmul(ops.softmax(ops.matmul(query, ops.transpose(key, (0, 2, 1)))), value)

    found = infer(*connect(attend, (5, 4), units=12))
    assert {name: length for name, (length, _) in found.parts.items()} == {"q": 4, "k": 4, "v": 4}


def test_a_model_is_what_it_was():
    calls = []

    class Counting(Subclassed):
        def call(self, inputs):
            calls.append(1)
            self.count = getattr(self, "count", 0) + 1
            return super().call(inputs)

    model = Counting(ops.relu)
    model(np.zeros((2, 3), "float32"))
    before = dict(vars(model))
    weights, name = model.get_weights(), layers.Dense(1).name
    assert judge(model, model.first) == ("relu", "certain")
    assert len(calls) > 1
    assert vars(model) == before
    assert all(map(np.array_equal, weights, model.get_weights()))
    assert int(layers.Dense(1).name.rpartition("_")[2]) == int(name.rpartition("_")[2]) + 1


def test_threads_do_not_disturb_each_other():
    call = keras.Layer.__call__

    def work(number):
        model, dense = connect(layers.ReLU(), units=number + 1)
        return judge(model, dense)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(16))) == {("relu", "certain")}
    assert keras.Layer.__call__ is call
    assert not hasattr(keras.KerasTensor, "__array_ufunc__")
