"""Variables that are not weights: scalars, counters, masks, and variables without elements."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers
from safetensors.numpy import load_file
from weightinit import Model, Part, TensorSpec
from weightinit.adapters.rules import TensorRejected
from weightinit.keras import UnpublishedTensorWarning, initialize, publish

SHAPES = {
    "scale": ((), "float32", 1.0),
    "step": ((), "int32", 7),
    "levels": ((2,), "uint8", 255),
    "mask": ((2, 2), "bool", 1),
    "nothing": ((0, 2), "float32", 0),
}


class Counting(layers.Layer):
    """A layer with a kernel, and with variables that are no weights."""

    def build(self, inputs):
        """Add the variables."""
        self.kernel = layers.Dense(2, name="kernel")
        self.kernel.build(inputs)
        self.scale_initializer = keras.initializers.Ones()
        for name, (shape, dtype, value) in SHAPES.items():
            initializer = keras.initializers.Constant(value)
            kind = {"trainable": False, "dtype": dtype, "initializer": initializer}
            setattr(self, name, self.add_weight(shape=shape, name=name, **kind))
        self.positions = self.add_weight(
            shape=(3,), name="positions", trainable=False, dtype="int32", initializer="zeros"
        )
        self.positions.assign(np.arange(3))

    def call(self, inputs):
        """Apply the kernel."""
        return self.kernel(inputs)


@pytest.fixture
def model():
    """A model with variables that are no weights."""
    return keras.Sequential([keras.Input((3,)), Counting(name="counting")])


ignore_lacking = pytest.mark.filterwarnings(
    "ignore:counting/positions:weightinit.keras.UnpublishedTensorWarning"
)


def test_integers_of_several_values_are_warned_of(client, model):
    with warnings.catch_warnings(record=True, action="always") as caught:
        publish(model, 42, client=client)
    messages = [str(one.message) for one in caught if one.category is UnpublishedTensorWarning]
    assert [message.partition(",")[0] for message in messages] == ["counting/positions: not published"]


@ignore_lacking
def test_a_file_has_every_variable_of_one_value(client, model, tmp_path):
    published = publish(model, 42, client=client)
    client.pull(published.id, tmp_path / "start.safetensors")
    loaded = load_file(tmp_path / "start.safetensors")
    assert set(loaded) == {f"counting/{name}" for name in (*SHAPES, "kernel/kernel", "kernel/bias")}
    for name, (shape, dtype, value) in SHAPES.items():
        array = loaded[f"counting/{name}"]
        assert (array.shape, array.dtype, array.tolist()) == (shape, dtype, np.full(shape, value).tolist())


@ignore_lacking
def test_counters_are_initialized_by_a_reference(client, model):
    published = publish(model, 42, client=client)
    layer = model.layers[0]
    layer.step.assign(57)
    layer.mask.assign(np.zeros((2, 2), bool))
    layer.scale.assign(0.25)
    initialize(model, published.id, client=client)
    found = [
        keras.ops.convert_to_numpy(one) for one in (layer.step, layer.mask, layer.scale, layer.positions)
    ]
    assert [one.tolist() for one in found] == [7, [[True] * 2] * 2, 1.0, [0, 1, 2]]


@pytest.mark.parametrize(
    ("layer", "rules"), [(layers.Dropout(0.5), None), (Counting(name="counting"), {"*positions": None})]
)
def test_what_is_left_out_on_purpose_is_not_warned_of(client, layer, rules):
    """As the state of a random generator."""
    publish(keras.Sequential([keras.Input((3,)), layers.Dense(2), layer]), 42, rules=rules, client=client)


def test_a_rule_says_what_an_integer_is(client, model):
    initialize(model, 42, rules={"*positions": 5}, client=client)
    assert keras.ops.convert_to_numpy(model.layers[0].positions).tolist() == [5] * 3


def test_a_value_that_an_integer_cannot_have_is_refused(client, model):
    with pytest.raises(TensorRejected, match="counting/positions, of dtype int32, must be set to an integer"):
        initialize(model, 42, rules={"*positions": 0.5}, client=client)


def test_what_pytorch_counts_may_lack_from_a_model(client):
    dense = layers.Dense(2, name="fc")
    dense.build((None, 3))
    dense.kernel.assign(np.ones((3, 2)))
    tensors = (
        TensorSpec.of("kernel", Part.constant((3, 2), 0.5)),
        TensorSpec.of("bias", Part.constant(2, 0)),
        TensorSpec.of("num_batches_tracked", Part.constant((), 0), dtype="int64"),
    )
    initialize(dense, client.publish(Model(42, tensors)).id, client=client)
    assert keras.ops.convert_to_numpy(dense.kernel).tolist() == [[0.5] * 2] * 3


def test_the_state_of_a_dropout_is_not_published(client, tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dropout(0.5, seed=0)])
    client.pull(publish(model, 42, client=client).id, tmp_path / "start.safetensors")
    assert set(load_file(tmp_path / "start.safetensors")) == {"dense/kernel", "dense/bias"}
