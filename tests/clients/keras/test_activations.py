"""Which activation follows a layer, and how certain that is."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.clients.keras.following import connect, follow, infer, judge


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        ("relu", "relu"),
        ("leaky_relu", "leaky_relu"),
        ("linear", "none"),
        (None, "none"),
        (keras.activations.gelu, "gelu"),
        (lambda x: keras.activations.gelu(x, approximate=True), "gelu_tanh"),
        (lambda x: ops.maximum(x, 0.0), "relu"),
        (lambda x: x * ops.sigmoid(x), "silu"),
        (lambda x: ops.relu6(x + 3.0) * (1 / 6), "hard_sigmoid"),
        (layers.LeakyReLU(0.1), "leaky_relu"),
        (layers.Activation("selu"), "selu"),
        (layers.ReLU(6.0), "relu6"),
    ],
)
def test_a_layer_s_own_activation(activation, name):
    assert follow(first=layers.Conv2D(3, 3, activation=activation)) == (name, "certain")


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.ReLU(), "relu"),
        (layers.ReLU(6.0), "relu6"),
        (layers.ReLU(negative_slope=0.2), "leaky_relu"),
        (layers.PReLU(), "prelu"),
        (layers.ELU(), "elu"),
        (layers.Activation("tanh"), "tanh"),
        (layers.Softmax(), "softmax"),
        (layers.Activation("linear"), "none"),
        (layers.Activation(lambda x: ops.log(1 + ops.exp(x))), "softplus"),
        (layers.Lambda(lambda x: ops.where(x > 0, x, 0.2 * x)), "leaky_relu"),
        (layers.Lambda(lambda x: ops.clip(x, 0, 6)), "relu6"),
    ],
)
def test_a_layer_that_is_an_activation(layer, name):
    assert follow(layer) == (name, "certain")


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
        layers.Rescaling(2.0),
        layers.Lambda(lambda x: ops.mean(x, axis=(1, 2))),
        layers.Lambda(lambda x: ops.transpose(x, (0, 3, 1, 2))),
        layers.Lambda(lambda x: x * 2.0),
        layers.Lambda(lambda x: ops.einsum("bhwc->bchw", x)),
        layers.Lambda(
            lambda x: (x - ops.mean(x, axis=-1, keepdims=True)) / (ops.std(x, axis=-1, keepdims=True))
        ),
        layers.Lambda(lambda x: ops.where(np.array([True, False, True]), x, 0.0)),
        layers.Lambda(lambda x: ops.take(x, np.array([2, 1, 0]), axis=-1)),
        layers.TimeDistributed(layers.Dropout(0.1)),
        keras.Sequential([layers.Dropout(0.1), layers.BatchNormalization()]),
    ],
)
def test_what_keeps_zero_at_zero_is_passed_through(between):
    assert follow(between, layers.ReLU()) == ("relu", "certain")


@pytest.mark.parametrize(
    "end",
    [
        layers.Conv2D(3, 1),
        layers.SpectralNormalization(layers.Conv2D(3, 1)),
        layers.TimeDistributed(layers.Dense(2)),
        layers.ConvLSTM1D(2, 1),
    ],
)
def test_a_kernel_ends_the_search(end):
    assert follow(end, layers.ReLU()) == ("none", "certain")


def test_nothing_follows_the_last_layer():
    assert follow() == ("none", "certain")


def test_a_function_of_keras_is_found():
    assert judge(*connect(ops.relu)) == ("relu", "certain")


def test_gelu_by_its_formula_is_gelu():
    def gelu(x):
        return 0.5 * x * (1 + ops.erf(x / math.sqrt(2)))

    assert judge(*connect(gelu)) == ("gelu", "certain")


def test_a_custom_function_is_not_taken_for_another():
    found = infer(*connect(ops.sin))
    assert (found.activation, found.certainty) == (None, "unknown")
    assert "custom function" in found.reason


def test_an_operation_that_nobody_knows_is_not_taken_for_nothing():
    found = infer(*connect(lambda x: ops.relu(ops.cumprod(x, axis=1))))
    assert (found.activation, found.certainty) == (None, "unknown")


def test_a_residual_branch_comes_to_what_follows_the_sum():
    inputs = keras.Input((4,))
    dense = layers.Dense(4)
    model = keras.Model(inputs, layers.ReLU()(layers.Add()([inputs, dense(inputs)])))
    assert judge(model, dense) == ("relu", "certain")


def test_the_activation_before_the_next_block_counts_in_a_residual_stream():
    def block(x):
        return x + layers.Dense(4)(ops.relu(layers.LayerNormalization()(x)))

    assert judge(*connect(block)) == ("relu", "guessed")


def test_paths_that_agree_in_other_words_come_to_one():
    model, dense = connect(lambda x: [layers.ReLU()(x), ops.maximum(x, 0.0)])
    assert judge(model, dense) == ("relu", "certain")


def test_many_paths_are_followed_once():
    def repeat(x):
        for _ in range(40):
            x = layers.Add()([layers.Dropout(0.1)(x), x])
        return ops.relu(x)

    assert judge(*connect(repeat)) == ("relu", "certain")


def test_the_first_of_paths_that_disagree_is_guessed():
    assert judge(*connect(lambda x: [layers.ReLU()(x), ops.tanh(x)]))[1] == "guessed"


@pytest.mark.parametrize(
    "wrap",
    [
        layers.SpectralNormalization,
        layers.TimeDistributed,
        layers.Wrapper,
        lambda layer: keras.Sequential([layer]),
        lambda layer: keras.Sequential([keras.Sequential([layer]), layers.Dropout(0.1)]),
    ],
)
def test_what_follows_is_found_through_what_is_around_a_layer(wrap):
    dense = layers.Dense(5)

    class Passing(layers.Wrapper):
        def call(self, inputs):
            return self.layer(inputs)

    around = Passing(dense) if wrap is layers.Wrapper else wrap(dense)
    model = keras.Sequential([keras.Input((3, 4)), around, layers.ReLU()])
    assert judge(model, dense) == ("relu", "certain")


def test_a_functional_model_inside_another_leads_to_what_is_outside():
    inner, dense = connect(layers.BatchNormalization())
    outer = keras.Input((4,))
    assert judge(keras.Model(outer, ops.silu(inner(outer))), dense) == ("silu", "certain")


def test_a_model_that_is_shared_shows_both_of_its_uses():
    inner, dense = connect(layers.Dropout(0.1))
    first, second = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([first, second], [ops.relu(inner(first)), ops.relu(inner(second))])
    assert judge(model, dense) == ("relu", "certain")


def test_uses_of_a_shared_layer_that_disagree_are_guessed():
    dense = layers.Dense(4)
    inputs = keras.Input((4,))
    assert judge(keras.Model(inputs, ops.tanh(dense(ops.relu(dense(inputs))))), dense) == ("relu", "guessed")


def test_both_directions_lead_out():
    inputs = keras.Input((6, 4))
    cell = layers.SimpleRNN(3, activation=None)
    both = layers.Bidirectional(cell)
    model = keras.Model(inputs, ops.relu(both(inputs)))
    own = both.backward_layer.cell
    assert judge(model, own)[0] == "relu"


def test_a_cell_of_one_s_own_is_followed():
    class Cell(layers.Layer):
        def __init__(self):
            super().__init__()
            self.state_size = 4
            self.inputs, self.states = layers.Dense(4), layers.Dense(4)

        def build(self, shape):
            self.inputs.build(shape)
            self.states.build((None, 4))

        def call(self, inputs, states):
            output = ops.softsign(self.inputs(inputs) + self.states(states[0]))
            return output, [output]

    cell = Cell()
    model = keras.Sequential([keras.Input((6, 3)), layers.RNN(cell), layers.Dense(2)])
    assert judge(model, cell.inputs) == judge(model, cell.states) == ("softsign", "certain")


def test_layers_that_only_training_calls_are_followed_too():
    class Auxiliary(keras.Model):
        def __init__(self):
            super().__init__()
            self.main, self.side = layers.Dense(3), layers.Dense(3)

        def call(self, inputs, training=False):
            output = ops.relu(self.main(inputs))
            return (output, ops.tanh(self.side(inputs))) if training else output

    model = Auxiliary()
    model(np.zeros((2, 3), "float32"), training=True)
    assert judge(model, model.side) == ("tanh", "certain")


def test_a_recurrent_layer_ends_in_its_own_activation():
    rnn = layers.SimpleRNN(3)
    model = keras.Sequential([keras.Input((6, 4)), rnn, layers.ReLU()])
    assert judge(model, rnn.cell) == ("tanh", "certain")


@pytest.mark.parametrize(
    ("gate", "linear"), [(ops.silu, "swiglu"), (ops.relu, "reglu"), (ops.sigmoid, "glu")]
)
def test_the_linear_half_of_a_gated_unit_is_named_after_it(gate, linear):
    inputs = keras.Input((4,))
    halves = [layers.Dense(5), layers.Dense(5)]
    model = keras.Model(inputs, layers.Dense(4)(gate(halves[0](inputs)) * halves[1](inputs)))
    assert judge(model, halves[1]) == (linear, "certain")
    assert judge(model, halves[0]) == (gate.__name__, "certain")


def test_a_gate_of_the_signal_itself_is_no_gated_unit():
    def excite(x):
        squeezed = layers.Dense(2, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
        return layers.Conv2D(3, 1)(
            ops.relu(layers.Multiply()([x, layers.Dense(3, activation="sigmoid")(squeezed)]))
        )

    model, conv = connect(excite, (8, 8, 3), layer=layers.Conv2D(3, 1))
    assert judge(model, conv) == ("relu", "certain")
