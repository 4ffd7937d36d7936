"""`check` of Keras models: its report, and that the models do not change."""

import math
import random

import keras
import numpy as np
import pytest
from weightinit.adapters.rules import ModelRejected
from weightinit.keras import check

BACKEND = keras.backend.backend()
DEPTH, WIDTH = 20, 256
supported = pytest.mark.skipif(BACKEND not in {"jax", "torch"}, reason="no backend that check knows")


def batch(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def stack(activation, initializer):
    layers = [
        keras.layers.Dense(WIDTH, activation, use_bias=False, kernel_initializer=initializer(seed=seed))
        for seed in range(DEPTH)
    ]
    return keras.Sequential([keras.Input((WIDTH,)), *layers])


def make_model():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, activation="relu")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Dropout(0.5)(x)))


@supported
def test_he_keeps_the_variance_of_a_relu_network():  # He et al. 2015, equations 10 and 14
    report = check(stack("relu", keras.initializers.HeNormal), batch(WIDTH, WIDTH))
    first, *_, last = report.layers
    # Hanin & Nica 2018: chance moves the logarithm by sqrt(5 depth / width).
    assert abs(math.log(last.variance / first.variance)) < 3 * math.sqrt(5 * DEPTH / WIDTH)
    assert not report.flagged


@supported
def test_glorot_halves_the_variance_of_a_relu_network_at_each_layer():  # He et al. 2015, section 2.2
    report = check(stack("relu", keras.initializers.GlorotNormal), batch(WIDTH, WIDTH))
    first, *_, last = report.layers
    spread = 3 * math.sqrt(5 * DEPTH / WIDTH) / math.log(2)
    assert math.log2(first.variance / last.variance) == pytest.approx(DEPTH - 1, abs=spread)
    assert math.log2(last.gradient / first.gradient) == pytest.approx(DEPTH - 1, abs=spread)
    assert sum("vanishes" in row.flags for row in report.layers) == DEPTH


@supported
def test_layers_and_their_activations_have_rows_in_order():
    report = check(make_model(), batch(16, 8, 8, 3))
    assert [row.name.replace("/relu", ".relu") for row in report] == ["conv2d", "conv2d.relu", "dense"]
    assert report["dense"].gradient == pytest.approx(1, abs=5 * math.sqrt(2 / 64))
    assert math.prod(report["conv2d"].shape) == 16 * 6 * 6 * 8


@supported
def test_a_recurrent_layer_and_a_lookup_have_rows():
    model = keras.Sequential([keras.layers.Embedding(10, 8), keras.layers.LSTM(8), keras.layers.Dense(3)])
    model.build((None, 5))
    names = [row.name.split("/")[0].split(" ")[0] for row in check(model, np.ones((4, 5), "int32")).layers]
    assert list(dict.fromkeys(names)) == ["embedding", "lstm", "dense"]


@supported
def test_a_loss_is_what_is_derived():
    model, inputs = make_model(), batch(16, 8, 8, 3)
    row = check(model, inputs, loss=lambda outputs: keras.ops.sum(outputs**2) / 2)["dense"]
    assert row.gradient == pytest.approx(row.variance, rel=1e-4)  # d/dy of y² / 2 is y


@supported
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_changed(fails):
    model, inputs = make_model(), batch(16, 8, 8, 3)
    model(inputs)
    attributes = [sorted(vars(layer)) for layer in model._flatten_layers()]
    variables = [keras.ops.convert_to_numpy(one).tobytes() for one in model.variables]
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    def fail(outputs):
        random.random()
        raise RuntimeError("the loss failed")

    if fails:
        with pytest.raises(RuntimeError, match="the loss failed"):
            check(model, {"inputs": inputs, "training": True}, loss=fail)
    else:
        check(model, {"inputs": inputs, "training": True})
    assert [keras.ops.convert_to_numpy(one).tobytes() for one in model.variables] == variables
    assert [sorted(vars(layer)) for layer in model._flatten_layers()] == attributes
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002


@supported
def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(ModelRejected, match="build"):
        check(keras.Sequential([keras.layers.Dense(3)]), batch(4, 8))


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(NotImplementedError, match="jax and torch"):
        check(make_model(), batch(16, 8, 8, 3))


@pytest.mark.parametrize("wrap", [dict, lambda batch: tuple(batch.values())])
def test_several_inputs_are_given_by_name_or_in_a_tuple(wrap):
    given = {name: keras.Input((4,), name=name) for name in "ab"}
    joined = keras.layers.Concatenate()(list(given.values()))
    model = keras.Model(given, keras.layers.Dense(2, name="join")(joined))
    if wrap is not dict:
        model = keras.Model(list(given.values()), model.output)
    batch = {name: np.ones((2, 4), "float32") for name in "ab"}
    assert [row.name for row in check(model, wrap(batch)).layers] == ["join"]
