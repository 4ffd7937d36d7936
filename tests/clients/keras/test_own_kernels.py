"""Kernels of custom layers have the axes of the product that uses them."""

import keras
import pytest
from keras import layers, ops
from weightinit.adapters.actions import Constant, Draw, Leave
from weightinit.keras import publish
from weightinit.keras.plan import plan_variables


class Own(layers.Layer):
    """A layer of a function of its input and of a kernel of a shape."""

    def __init__(self, shape, function, initializer="glorot_uniform"):
        super().__init__(name="own")
        self.shape, self.function, self.drawn_by = shape, function, initializer

    def build(self, _):
        self.kernel = self.add_weight(shape=self.shape, initializer=self.drawn_by, name="kernel")

    def call(self, inputs):
        return self.function(inputs, self.kernel)


def build(shape, function, inputs=(4,), **options):
    given = keras.Input(inputs)
    return keras.Model(given, layers.Dense(2, name="out")(ops.relu(Own(shape, function, **options)(given))))


def get_plan(model):
    return {tensor.name: tensor for tensor in plan_variables(model, None, 42)}


def attend(x, kernel):
    q, k, v = ops.split(x @ kernel, 3, axis=-1)
    return ops.matmul(ops.softmax(ops.matmul(q, ops.transpose(k, (0, 2, 1)))), v)


@pytest.mark.parametrize(
    ("shape", "function", "inputs", "layout"),
    [
        ((4, 8), ops.matmul, (4,), "IO"),
        ((4, 8), lambda x, kernel: x @ kernel, (4,), "IO"),
        ((4, 8), ops.dot, (4,), "IO"),
        ((7, 5), lambda x, kernel: ops.matmul(kernel, x), (5, 4), "OI"),
        ((8, 4), lambda x, kernel: ops.tensordot(x, kernel, [[1], [1]]), (4,), "OI"),
        ((8, 4), lambda x, kernel: ops.einsum("bi,oi->bo", x, kernel), (4,), "OI"),
        ((5, 4, 8), lambda x, kernel: ops.einsum("bei,eio->beo", x, kernel), (5, 4), "BIO"),
        ((3, 3, 4, 8), ops.conv, (6, 6, 4), "HWIO"),
        ((3, 3, 8, 4), lambda x, kernel: ops.conv_transpose(x, kernel, 2), (6, 6, 4), "HWOI"),
        ((3, 3, 4, 1), ops.depthwise_conv, (6, 6, 4), "HWGO"),
    ],
)
def test_the_axes_of_a_kernel_are_those_of_its_product(shape, function, inputs, layout):
    found = get_plan(build(shape, function, inputs))["own/kernel"]
    assert found.action == Draw({"layout": layout, "activation": "relu"})


@pytest.mark.filterwarnings("ignore::weightinit.keras.UnknownActivationWarning")
def test_a_matrix_of_a_call_that_cannot_be_traced_is_left_and_unknown():
    def use(x, kernel):
        return ops.convert_to_tensor(ops.convert_to_numpy(x)) @ kernel

    layer = Own((4, 8), use)
    layer.build((2, 4))
    given = layers.Dense(4)
    model = keras.Sequential([given, layer])
    given.build((2, 4))
    model.built = True
    found = get_plan(model)["own/kernel"]
    assert (found.action, found.certainty) == (Leave(), "unknown")
    assert "Own.call cannot be traced" in found.reason


def test_queries_keys_and_values_packed_in_a_kernel_of_a_layer_s_own_are_three():
    found = get_plan(build((8, 24), attend, (5, 8)))
    assert [tuple(found[f"own/kernel.{part}"].shape) for part in "qkv"] == [(8, 8)] * 3


def test_a_kernel_whose_product_does_not_show_its_axes_is_left_and_unknown():
    found = get_plan(build((8, 4), ops.inner))["own/kernel"]
    assert (found.action, found.certainty) == (Leave(), "unknown")


@pytest.mark.parametrize(
    "function", [lambda x, table: x + table, lambda x, table: ops.matmul(x, ops.sin(table))]
)
def test_a_matrix_that_no_product_is_seen_to_apply_is_left_and_a_guess(function):
    found = get_plan(build((4, 4), function, (4, 4)))["own/kernel"]
    assert (found.action, found.certainty) == (Leave(), "guessed")


def test_a_kernel_of_one_value_stays_what_it_is():
    found = get_plan(build((4, 8), ops.matmul, initializer="zeros"))["own/kernel"]
    assert found.action == Constant(0.0)


@pytest.mark.parametrize(
    ("initializer", "certainty"),
    [("glorot_uniform", "certain"), (keras.initializers.RandomNormal(0.02), "guessed")],
)
def test_another_draw_than_keras_default_is_not_kept_and_a_guess(initializer, certainty):
    found = get_plan(build((16, 16), ops.matmul, (16,), initializer=initializer))["own/kernel"]
    assert found.certainty == certainty


def test_what_is_published_of_a_packed_kernel_of_a_layer_s_own_has_the_names_of_its_parts(recorder):
    publish(build((8, 24), attend, (5, 8)), 42, client=recorder)
    assert {"own/kernel.q", "own/kernel.k", "own/kernel.v"} <= set(recorder.model.by_name)
