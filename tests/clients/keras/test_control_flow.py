"""Functions that an operation of Keras calls are followed, as far as one call shows."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.clients.keras.following import connect, infer, judge


class Calling(layers.Layer):
    """A layer of a function, that has a kernel of its own, so that its values alone do not tell."""

    def __init__(self, function, inner=None):
        super().__init__()
        self.function = function
        self.inner = inner or layers.Dense(4)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, inputs):
        return self.function(inputs)

    def compute_output_shape(self, shape):
        return shape


def scan(x):
    return ops.scan(lambda carry, one: (carry + 1, ops.relu(one)), ops.zeros(()), x)[1]


FUNCTIONS = [
    lambda x: ops.map(ops.relu, x),
    lambda x: ops.vectorized_map(ops.relu, x),
    lambda x: ops.cond(ops.max(x) > 0, lambda: ops.relu(x), lambda: ops.relu(2 * x)),
    lambda x: ops.switch(ops.cast(ops.max(x), "int32"), [ops.relu, lambda one: ops.relu(2 * one)], x),
    scan,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_a_function_that_is_called_does_follows(function):
    assert judge(*connect(Calling(function), (5, 4))) == ("relu", "certain")


@pytest.mark.parametrize("call", [ops.map, ops.vectorized_map])
def test_a_kernel_inside_of_a_function_is_found(call):
    inner = layers.Dense(4)
    model, dense = connect(Calling(lambda x: call(lambda one: ops.tanh(inner(one)), x), inner), (5, 4))
    assert judge(model, inner) == ("tanh", "certain")
    assert judge(model, dense) == ("none", "certain")


def test_branches_that_differ_are_a_guess():
    calling = Calling(lambda x: ops.cond(ops.max(x) > 0, lambda: ops.relu(x), lambda: x))
    assert judge(*connect(calling, (5, 4))) == ("relu", "guessed")


def test_a_function_that_a_loop_applies_to_its_own_result_is_a_guess():
    calling = Calling(lambda x: ops.fori_loop(0, 3, lambda _, one: ops.tanh(one), x))
    assert judge(*connect(calling, (5, 4))) == ("tanh", "guessed")


@pytest.mark.parametrize(
    "loop",
    [
        lambda body, x: ops.fori_loop(0, 3, lambda _, one: body(one), x),
        lambda body, x: ops.while_loop(
            lambda step, _: step < 3, lambda step, one: (step + 1, body(one)), (0, x)
        ),
    ],
)
def test_a_layer_in_a_loop_is_followed_into_the_next_round(loop):
    inner = layers.Dense(4)

    def call(x):
        made = loop(lambda one: inner(ops.relu(one)), x)
        return made[-1] if isinstance(made, tuple) else made

    model, _ = connect(Calling(call, inner), (5, 4))
    assert judge(model, inner) == ("relu", "guessed")


def test_a_loop_that_cannot_be_followed_is_named_with_its_layer():
    def body(index, one):
        return one if float(ops.convert_to_numpy(one)[0, 0, 0]) else index

    calling = Calling(lambda x: ops.fori_loop(0, 3, body, x))
    found = infer(*connect(calling, (5, 4)))
    assert found.certainty == "unknown"
    assert f"fori_loop() in {calling.name} (Calling) is not known" in found.reason


def test_what_a_function_changes_is_put_back():
    class Counting(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.count = layers.Dense(4), 0

        def step(self, one):
            self.count += 1
            return ops.relu(one)

        def call(self, inputs):
            return ops.map(self.step, self.dense(inputs))

    model = Counting()
    model(np.zeros((2, 5, 4), "float32"))
    before = model.count
    assert judge(model, model.dense) == ("relu", "certain")
    assert model.count == before
