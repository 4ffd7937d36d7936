"""The tensors that are published for a Keras model."""

import keras
import numpy as np
import pytest
from keras import layers
from weightinit import SpecRejected
from weightinit.keras import ModelRejected, publish


@pytest.fixture
def describe(recorder):
    """What is published of a layer, by name."""

    def publish_it(layer, *inputs, **said):
        if not layer.built:
            layer.build((None, *inputs))
        publish(layer, 42, client=recorder, **said)
        return {tensor["name"]: tensor for tensor in recorder.model.to_json()["tensors"]}

    return publish_it


def read_constants(tensors):
    return {name: tensor["constant"] for name, tensor in tensors.items() if "constant" in tensor}


def test_a_kernel_is_published_as_its_layer_asks_for(describe):
    tensors = describe(layers.Conv2D(6, 3, groups=2, activation="relu"), 8, 8, 4)
    assert tensors["kernel"] == {
        "name": "kernel",
        "shape": [3, 3, 2, 6],
        "groups": 2,
        "activation": "relu",
    }


def test_an_identity_of_the_author_is_published_with_its_gain(describe):
    made = keras.initializers.Identity(gain=0.5)
    assert describe(layers.Dense(3, kernel_initializer=made), 4)["kernel"] == {
        "name": "kernel",
        "shape": [4, 3],
        "layout": "IO",
        "scheme": "identity",
        "gain": 0.5,
    }


@pytest.mark.parametrize("value", [[[2.0, 0.0], [0.0, 3.0]], [[-1.0, 0.0], [0.0, -1.0]]])
def test_a_matrix_that_is_no_identity_cannot_be_published(describe, value):
    made = keras.initializers.Constant(np.float32(value))
    with pytest.raises(ModelRejected, match="has no known initial value"):
        describe(layers.Dense(2, kernel_initializer=made), 2)


def test_a_layout_that_is_not_keras_default_is_said(describe):
    assert describe(layers.DepthwiseConv1D(3), 8, 4)["kernel"]["layout"] == "WGO"


@pytest.mark.parametrize(
    ("layer", "inputs", "expected"),
    [
        (layers.Dense(3), (4,), {"bias": 0}),
        (layers.Dense(3, bias_initializer="ones"), (4,), {"bias": 1}),
        (layers.Dense(3, bias_initializer=keras.initializers.Constant(0.5)), (4,), {"bias": 0.5}),
        (
            layers.Dense(3, bias_initializer=keras.initializers.Constant(np.float32(0.1))),
            (4,),
            {"bias": float(np.float32(0.1))},
        ),
        (layers.Dense(3, bias_initializer=keras.initializers.Constant(np.int64(2))), (4,), {"bias": 2}),
        (layers.LayerNormalization(), (4,), {"gamma": 1, "beta": 0}),
        (layers.RMSNormalization(), (4,), {"scale": 1}),
        (layers.PReLU(), (4,), {"alpha": 0}),
        (
            layers.BatchNormalization(gamma_initializer="zeros"),
            (4,),
            {"gamma": 0, "beta": 0, "moving_mean": 0, "moving_variance": 1},
        ),
        (layers.GRU(3), (5, 4), {"gru_cell/bias": 0}),
    ],
)
def test_what_keras_makes_of_one_value_is_a_constant(describe, layer, inputs, expected):
    assert read_constants(describe(layer, *inputs)) == expected


def test_the_forget_gate_s_bias_is_one_as_keras_has_it(describe):
    layer = layers.LSTM(2)
    tensors = describe(layer, 5, 4)
    parts = [(part["shape"], part["constant"]) for part in tensors["lstm_cell/bias"]["parts"]]
    assert parts == [([2], 0), ([2], 1), ([4], 0)]
    np.testing.assert_array_equal(layer.get_weights()[2], [0, 0, 1, 1, 0, 0, 0, 0])


def test_without_a_bias_of_its_own_the_forget_gate_s_is_zero(describe):
    tensors = describe(layers.LSTM(2, unit_forget_bias=False), 5, 4)
    assert tensors["lstm_cell/bias"]["constant"] == 0


def test_each_gate_is_a_tensor(describe):
    gates = [f"lstm_cell/{kernel}.{gate}" for kernel in ("kernel", "recurrent_kernel") for gate in "ifgo"]
    assert [name for name in describe(layers.LSTM(2), 5, 4) if "." in name] == gates


def test_a_rule_may_be_a_number(describe):
    model = keras.Sequential([keras.Input((4,)), layers.LayerNormalization(), layers.Dense(3)])
    tensors = describe(model, rules={"*/gamma": 0.1, "*/kernel": {"scheme": "he"}})
    assert read_constants(tensors)["layer_normalization/gamma"] == 0.1
    assert tensors["dense/kernel"]["scheme"] == "he"


def test_names_can_be_another_framework_s(describe):
    tensors = describe(layers.Dense(3), 4, rename=lambda path: {"kernel": "weight"}.get(path, path))
    assert set(tensors) == {"weight", "bias"}


def test_the_name_of_a_tensor_is_what_it_is_drawn_by(describe, recorder):
    describe(layers.Dense(3), 4, rename=lambda path: f"fc.{path}")
    assert [tensor.parts[0].spec.name for tensor in recorder.model.tensors if tensor.parts[0].spec] == [
        "fc.kernel"
    ]


def test_dtypes_are_those_of_the_variables(describe):
    tensors = describe(layers.Dense(3, dtype="bfloat16"), 4)
    assert [tensor["dtype"] for tensor in tensors.values()] == ["bfloat16", "bfloat16"]


@pytest.mark.parametrize("seed", [7, "7", np.uint64(7)])
def test_the_seed_is_the_model_s(describe, recorder, seed):
    layer = layers.Dense(3)
    layer.build((None, 4))
    publish(layer, seed, client=recorder)
    assert recorder.model.seed == 7


def test_a_seed_that_is_none_is_refused(recorder):
    layer = layers.Dense(3)
    layer.build((None, 4))
    with pytest.raises(SpecRejected, match="seed must be an integer from 0"):
        publish(layer, "vision/resnet50/1", client=recorder)


def test_the_name_is_given_on(describe, recorder):
    said = {"name": "vision/net/1", "author": "ada", "note": "first"}
    describe(layers.Dense(3), 4, **said)
    assert recorder.naming == said


class Table(keras.layers.Layer):
    """A layer of one's own, with a kernel and with a number that is no weight."""

    def build(self, _shape):
        self.table = self.add_weight(shape=(4, 4), name="table")
        zero = {"dtype": "int32", "initializer": "zeros", "trainable": False}
        self.count = self.add_weight(shape=(), name="count", **zero)

    def call(self, inputs):
        return inputs @ self.table


def test_variables_of_which_nobody_knows_how_they_start_are_refused_by_name(describe):
    class Wave(Table):
        def call(self, inputs):
            return inputs @ keras.ops.sin(self.table)

    model = keras.Sequential(
        [keras.Input((4,)), Wave(name="first"), layers.Dense(4, bias_initializer="normal", name="out")]
    )
    with pytest.raises(ModelRejected) as caught:
        describe(model)
    for said in ("first/table [4, 4] of Wave has no known initial value", "out/bias [4] of Dense"):
        assert said in str(caught.value)


def test_a_truth_is_no_known_value(describe):
    layer = layers.Dense(3, bias_initializer=keras.initializers.Constant(True))
    with pytest.raises(ModelRejected, match=r"bias \[3\] of Dense has no known initial value"):
        describe(layer, 4)


def test_rules_say_what_they_are(describe):
    tensors = describe(Table(), 4, rules={"table": {"layout": "IO"}})
    assert list(tensors) == ["table", "count"]
    assert tensors["count"] == {"name": "count", "shape": [], "dtype": "int32", "constant": 0}


def test_what_a_rule_leaves_alone_is_refused(describe):
    with pytest.raises(ModelRejected, match="kernel is kept by a rule"):
        describe(layers.Dense(3), 4, rules={"kernel": None})


def test_a_rule_that_turns_a_kernel_around_is_refused(describe):
    with pytest.raises(ModelRejected, match="kernel has the axes IO, not OI: set its fans instead"):
        describe(layers.Dense(4), 4, rules={"kernel": {"layout": "OI"}})
