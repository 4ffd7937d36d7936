"""Following: which activation comes after a layer, and how certain that is."""

import math
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers, ops
from weightinit.keras.activations import ActivationFinder
from weightinit.keras.layers import find_kernel


def infer(model, layer):
    """Infer what follows the kernel of a layer of a model."""
    kernel = next(variable for variable in layer.weights if variable.name == "kernel")
    return ActivationFinder(model).find(kernel, layer, find_kernel(layer, "kernel"))


def judge(model, layer):
    """Name what follows, and how certain that is."""
    found = infer(model, layer)
    return found.activation or "none", found.certainty


def connect(function, inputs=(4,), units=4, layer=None):
    """Make a functional model of a Dense and a function of its output; return both."""
    dense = layer or layers.Dense(units)
    given = keras.Input(inputs)
    return keras.Model(given, function(dense(given))), dense


def follow(*parts, inputs=(8, 8, 3), first=None):
    """Judge what follows the first of some layers."""
    first = first or layers.Conv2D(3, 3, padding="same")
    return judge(keras.Sequential([keras.Input(inputs), first, *parts]), first)


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
