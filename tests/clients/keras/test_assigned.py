"""Values that an author assigned in a new model are kept; a trained model is initialized anew."""

import keras
import numpy as np
import pytest
from keras import layers
from weightinit.adapters.actions import Constant, Draw, Leave
from weightinit.keras import publish
from weightinit.keras.plan import plan_variables


def build_mlp(width=64):
    return keras.Sequential(
        [
            keras.Input((32,)),
            layers.Dense(width, activation="relu", name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(width, activation="relu", name="second"),
            layers.Dense(4, name="head"),
        ]
    )


def build_words(width=16, words=100, **options):
    return keras.Sequential(
        [
            keras.Input((8,), dtype="int32"),
            layers.Embedding(words, width, name="table", **options),
            layers.LSTM(width, name="memory"),
            layers.Dense(4, name="head"),
        ]
    )


def find_planned(model, path):
    (found,) = [one for one in plan_variables(model, None, 0) if one.name == path]
    return found


def read_weight(model, path):
    name, variable = path.split("/")
    return getattr(model.get_layer(name), variable)


MASK = np.arange(64)[:, None] % 4 == 0
TABLE = np.random.default_rng(0).normal(size=(100, 16))
LARGE = np.random.default_rng(0).normal(size=(2000, 16))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("norm/gamma", 0.0),  # the last norm of a residual branch (Goyal et al. 2017, section 5.1)
        ("head/bias", -4.6),  # the prior of a rare class (Lin et al. 2017, section 4.1)
        ("head/kernel", 0.0),
    ],
)
def test_one_value_that_was_assigned_stays(path, value):
    model = build_mlp()
    variable = read_weight(model, path)
    variable.assign(np.full(variable.shape, value))
    planned = find_planned(model, path)
    assert planned.certainty == "guessed"
    assert planned.action == Constant(float(np.float32(value)))


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("head/bias", np.log([0.1, 0.2, 0.3, 0.4])),
        ("second/kernel", np.eye(64)),
        ("second/kernel", np.random.default_rng(0).normal(size=(64, 64)) * MASK),
        ("second/kernel", np.random.default_rng(0).uniform(-0.2, 0.2, size=(64, 64))),
    ],
    ids=["class priors", "identity", "sparse", "other draws"],
)
def test_values_that_were_assigned_stay(path, values):
    model = build_mlp()
    read_weight(model, path).assign(values)
    planned = find_planned(model, path)
    assert (planned.certainty, planned.action) == ("guessed", Leave())


@pytest.mark.parametrize("table", [TABLE, LARGE], ids=["small", "large"])
def test_a_table_that_was_given_stays(table):
    model = build_words(words=len(table), weights=[table])
    planned = find_planned(model, "table/embeddings")
    assert (planned.certainty, planned.action) == ("guessed", Leave())


def test_a_large_kernel_of_zeros_stays_zero():
    model = build_mlp(width=512)
    model.get_layer("second").kernel.assign(np.zeros((512, 512)))
    assert find_planned(model, "second/kernel").action == Constant(0.0)


def test_a_large_kernel_that_was_scaled_stays():
    model = build_mlp(width=512)
    kernel = model.get_layer("second").kernel
    kernel.assign(keras.ops.convert_to_numpy(kernel.value) * 0.5)
    assert find_planned(model, "second/kernel").action == Leave()


def test_all_else_of_such_a_model_is_drawn_for_certain():
    model = build_mlp()
    model.get_layer("head").bias.assign(np.full(4, -4.6))
    others = [one for one in plan_variables(model, None, 0) if one.name != "head/bias"]
    assert {one.certainty for one in others} == {"certain"}


@pytest.mark.parametrize("factor", [0.0, 0.1])
def test_the_last_kernel_of_attention_stays_small(factor):
    inputs = keras.Input((5, 6))
    attention = layers.MultiHeadAttention(2, 3, name="attend")
    model = keras.Model(inputs, attention(inputs, inputs))
    kernel = attention._output_dense.kernel
    kernel.assign(keras.ops.convert_to_numpy(kernel.value) * factor)
    assert find_planned(model, "attend/attention_output/kernel").certainty == "guessed"


def test_the_one_bias_of_a_model_stays():
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(8, use_bias=False), layers.Dense(4, name="head")]
    )
    model.get_layer("head").bias.assign(np.full(4, -4.5))
    assert find_planned(model, "head/bias").action == Constant(-4.5)


def build_all():
    """A new model of layers that draw in many ways, and of large kernels by each distribution."""
    inputs = keras.Input((16, 24))
    x = layers.MultiHeadAttention(2, 12)(inputs, inputs)
    x = layers.SeparableConv1D(24, 3)(x)
    x = layers.Bidirectional(layers.LSTM(24, return_sequences=True))(x)
    x = layers.GRU(160, return_sequences=True)(x)
    x = layers.EinsumDense("abc,cd->abd", output_shape=(None, 300), activation="relu")(x)
    for initializer in ("he_normal", "lecun_uniform", "random_normal", "truncated_normal", "orthogonal"):
        x = layers.Dense(300, activation="relu", kernel_initializer=initializer)(x)
    return keras.Model(inputs, layers.LayerNormalization()(x))


def test_nothing_of_a_new_model_was_assigned():
    planned = plan_variables(build_all(), None, 0)
    assert not [one.name for one in planned if "author" in one.reason]


def train(model):
    model.compile(optimizer="sgd", loss="mse")
    model.fit(np.ones((4, 32)), np.zeros((4, 4)), epochs=1, verbose=0)


def test_a_model_whose_optimizer_made_a_step_is_drawn_anew():
    model = build_mlp()
    model.get_layer("second").kernel.assign(np.eye(64))
    train(model)
    assert isinstance(find_planned(model, "second/kernel").action, Draw)


def test_a_trained_model_without_its_optimizer_is_drawn_anew():
    trained, model = build_mlp(), build_mlp()
    train(trained)
    model.set_weights(trained.get_weights())
    planned = {one.name: one for one in plan_variables(model, None, 0)}
    assert isinstance(planned["second/kernel"].action, Draw)
    assert planned["head/bias"].action == Constant(0.0)


def test_one_value_that_was_assigned_is_published(recorder):
    model = build_mlp()
    model.get_layer("norm").gamma.assign(np.zeros(64))
    publish(model, 42, client=recorder)
    (part,) = recorder.model.by_name["norm/gamma"].parts
    assert part.value == 0.0
