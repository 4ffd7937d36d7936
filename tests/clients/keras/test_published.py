"""A Keras model initialized by reference equals the one initialized by its seed."""

import keras
import numpy as np
import pytest
from keras import layers
from weightinit import Model, NotFound, Part, Spec, SpecRejected, TensorSpec
from weightinit.keras import LecunUniform, ModelRejected, initialize, publish

from tests.clients.drawing import draw


def build_images():
    """A model of convolutions and norms."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.Conv2D(6, 3, groups=2, use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.SeparableConv2D(5, 3, depth_multiplier=2, name="separable"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, bias_initializer="ones", name="out"),
        ]
    )


def build_words():
    """A model of embeddings, attention and recurrent layers."""
    inputs = keras.Input((5,))
    x = layers.Embedding(9, 6, name="embed")(inputs)
    x = layers.MultiHeadAttention(2, 3, name="attend")(x, x)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both")(x)
    return keras.Model(inputs, layers.GRU(3, name="memory")(x))


def build_packed():
    """A model in which one layer packs queries, keys and values, and others say how they begin."""
    inputs = keras.Input((5, 4))
    query, key, value = keras.ops.split(layers.Dense(12, name="qkv")(inputs), 3, axis=-1)
    scores = keras.ops.matmul(query, keras.ops.transpose(key, (0, 2, 1)))
    x = keras.ops.matmul(keras.ops.softmax(scores), value)
    own = LecunUniform(seed=42, name="mine")
    x = layers.LSTM(3, kernel_initializer=own, name="memory")(x)
    return keras.Model(inputs, layers.Dense(3, kernel_initializer="zeros", name="out")(x))


class Own(layers.Layer):
    """A layer that packs queries, keys and values in a kernel of its own."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 12), name="kernel")

    def call(self, inputs):
        query, key, value = keras.ops.split(inputs @ self.kernel, 3, axis=-1)
        scores = keras.ops.matmul(query, keras.ops.transpose(key, (0, 2, 1)))
        return keras.ops.matmul(keras.ops.softmax(scores), value)


def build_own():
    """A model of a kernel that no layer of Keras' has."""
    inputs = keras.Input((5, 4))
    return keras.Model(inputs, layers.Dense(3, name="out")(Own(name="own")(inputs)))


MODELS = {"images": build_images, "own": build_own, "packed": build_packed, "words": build_words}


def spoil(model):
    """Overwrite every weight of a model, so that one that is not started shows."""
    model.set_weights([np.full_like(weight, 7) for weight in model.get_weights()])
    return model


def assert_equal(first, second):
    for ours, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_a_published_start_is_that_of_its_seed(build, client, service):
    model, twin = build(), spoil(build())
    initialize(model, 42, client=client)
    initialize(twin, publish(build(), 42, client=client).id, client=client)
    assert_equal(model, twin)


def test_a_name_will_do(client):
    model, twin = build_images(), spoil(build_images())
    initialize(model, 42, client=client)
    publish(model, 42, name="tests/keras-images/1", author="tests", client=client)
    initialize(twin, "tests/keras-images/1", client=client)
    assert_equal(model, twin)


def test_the_answer_says_what_was_decided_for_each_variable(client):
    model = build_images()
    report = initialize(model, publish(model, 42, client=client).id, client=client)
    assert report["conv/kernel"].formula == "σ² = 2 / fan_in = 2 / 18"
    assert report["norm/gamma"].scheme == "constant"


def test_the_answer_has_a_row_for_each_gate(client):
    model = build_words()
    report = initialize(model, publish(model, 42, client=client).id, client=client)
    assert [row.name for row in report if row.name.startswith("memory/gru_cell/kernel")] == [
        f"memory/gru_cell/kernel.{gate}" for gate in "zrn"
    ]


def test_dtypes_are_those_of_the_variables(client):
    layer = layers.Dense(3, dtype="bfloat16")
    layer.build((None, 4))
    half = layers.Dense(3)
    half.build((None, 4))
    initialize(layer, publish(half, 42, client=client).id, client=client)
    np.testing.assert_array_equal(layer.get_weights()[0], draw(4, 3, name="kernel", dtype="bfloat16"))


@pytest.fixture
def publish_tensors(client):
    """Publish tensors, and return their id."""
    return lambda *tensors: client.publish(Model(42, tensors)).id


@pytest.fixture
def dense():
    """A layer of four units."""
    layer = layers.Dense(4)
    layer.build((None, 4))
    return layer


BIAS = TensorSpec.of("bias", Part.constant(4, 0.5))


def test_a_kernel_in_pytorch_s_order_is_turned(client, dense, publish_tensors):
    kernel = TensorSpec.of("kernel", Part.of(Spec((4, 4), layout="OI", name="fc", activation="relu")))
    initialize(dense, publish_tensors(kernel, BIAS), client=client)
    found, bias = dense.get_weights()
    np.testing.assert_array_equal(found, draw(4, 4, name="fc", activation="relu", layout="OI").T)
    assert bias.tolist() == [0.5] * 4


def test_the_spread_of_a_kernel_that_is_turned_is_the_published_one(client, publish_tensors):
    layer = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)
    layer.build((None, 8, 8, 4))
    said = {"layout": "OIHW", "groups": 2, "scheme": "glorot_normal"}  # not the groups that the layer has
    kernel = TensorSpec.of("kernel", Part.of(Spec((8, 1, 3, 3), name="k", **said)))
    initialize(layer, publish_tensors(kernel), client=client)
    expected = draw(8, 1, 3, 3, name="k", **said).reshape(4, 2, 3, 3).transpose(2, 3, 0, 1)
    np.testing.assert_array_equal(layer.get_weights()[0], expected)


def test_parts_of_rows_become_parts_of_columns(client, dense, publish_tensors):
    parts = [Part.of(Spec((2, 4), layout="OI", name=f"kernel.{name}")) for name in "ab"]
    initialize(dense, publish_tensors(TensorSpec.of("kernel", *parts), BIAS), client=client)
    halves = [draw(2, 4, name=f"kernel.{name}", layout="OI") for name in "ab"]
    np.testing.assert_array_equal(dense.get_weights()[0], np.concatenate(halves).T)


def test_a_row_that_is_constant_is_turned_with_the_rest(client, dense, publish_tensors):
    rest = Part.of(Spec((4, 4), layout="OI", name="kernel"), "1:4")
    kernel = TensorSpec.of("kernel", Part.constant((1, 4), 3), rest)
    initialize(dense, publish_tensors(kernel, BIAS), client=client)
    expected = draw(4, 4, name="kernel", layout="OI")
    expected = np.concatenate([np.full((1, 4), 3, "float32"), expected[1:]]).T
    np.testing.assert_array_equal(dense.get_weights()[0], expected)


def test_gates_without_names_are_taken_in_their_order(client, publish_tensors):
    layer = layers.LSTM(2, use_bias=False)
    layer.build((None, 5, 3))
    tensors = [
        TensorSpec.of(name, Part.of(Spec((8, size), layout="OI", name=name)))
        for name, size in (("lstm_cell/kernel", 3), ("lstm_cell/recurrent_kernel", 2))
    ]
    initialize(layer, publish_tensors(*tensors), client=client)
    expected = draw(8, 3, name="lstm_cell/kernel", layout="OI").T
    np.testing.assert_array_equal(layer.get_weights()[0], expected)


def test_a_rule_says_which_axis_is_which(client, publish_tensors):
    class Custom(keras.layers.Layer):
        def build(self, _shape):
            self.table = self.add_weight(shape=(4, 4), name="table")

    layer = Custom()
    layer.build((None, 4))
    published = publish_tensors(TensorSpec.of("table", Part.of(Spec((4, 4), layout="OI", name="table"))))
    initialize(layer, published, client=client)
    np.testing.assert_array_equal(layer.get_weights()[0], draw(4, 4, name="table", layout="OI"))
    initialize(layer, published, rules={"table": {"layout": "IO"}}, client=client)
    np.testing.assert_array_equal(layer.get_weights()[0], draw(4, 4, name="table", layout="IO"))


def test_a_rule_can_leave_variables_alone(client, dense, publish_tensors):
    before = dense.get_weights()[1]
    kernel = TensorSpec.of("kernel", Part.of(Spec((4, 4), name="kernel")))
    initialize(dense, publish_tensors(kernel), rules={"bias": None}, client=client)
    np.testing.assert_array_equal(dense.get_weights()[1], before)


def test_a_rule_may_say_no_more(client, dense, publish_tensors):
    with pytest.raises(ModelRejected, match="a rule may only give the layout of kernel"):
        initialize(dense, publish_tensors(BIAS), rules={"kernel": {"scheme": "he"}}, client=client)


def test_a_rule_that_matches_nothing_is_refused_before_the_model_is_asked_for(client, dense):
    with pytest.raises(ModelRejected, match=r"rules\['kernle'\] matches none"):
        initialize(dense, "tests/unknown/1", rules={"kernle": None}, client=client)


def test_moving_statistics_that_are_not_published_stay(client, publish_tensors):
    layer = layers.BatchNormalization()
    layer.build((None, 4))
    tensors = [TensorSpec.of(name, Part.constant(4, 0.5)) for name in ("gamma", "beta")]
    initialize(layer, publish_tensors(*tensors), client=client)
    assert [weight[0] for weight in layer.get_weights()] == [0.5, 0.5, 0, 1]


def test_moving_statistics_that_are_published_are_filled(client, publish_tensors):
    layer = layers.BatchNormalization(center=False, scale=False)
    layer.build((None, 4))
    tensors = [TensorSpec.of(name, Part.constant(4, 0.5)) for name in ("moving_mean", "moving_variance")]
    initialize(layer, publish_tensors(*tensors), client=client)
    assert [weight[0] for weight in layer.get_weights()] == [0.5, 0.5]


@pytest.fixture
def wrong(publish_tensors):
    """A published model in which much is wrong for the layer."""
    kernel = TensorSpec.of("kernel", Part.of(Spec((5, 4), layout="OI", name="kernel")))
    return publish_tensors(kernel, TensorSpec.of("extra", Part.constant(2, 1)))


def test_every_mismatch_is_listed_at_once(client, dense, wrong):
    with pytest.raises(ModelRejected) as caught:
        initialize(dense, wrong, client=client)
    for said in (
        "kernel [4, 4] IO is published as [5, 4] OI",
        "bias [4] is not published",
        "extra [2] is published, but not in the model",
    ):
        assert said in str(caught.value)


def test_what_does_not_fit_leaves_the_model_as_it_was(client, dense, wrong):
    before = dense.get_weights()
    with pytest.raises(ModelRejected):
        initialize(dense, wrong, client=client)
    for ours, theirs in zip(dense.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_unless_strict_what_only_one_of_the_two_has_is_left_alone(client, dense, publish_tensors):
    kernel = TensorSpec.of("kernel", Part.of(Spec((4, 4), name="kernel")))
    extra = TensorSpec.of("extra", Part.constant(2, 1))
    initialize(dense, publish_tensors(kernel, extra), strict=False, client=client)
    np.testing.assert_array_equal(dense.get_weights()[0], draw(4, 4, name="kernel"))


def test_parts_that_cannot_be_turned_are_refused(client, publish_tensors):
    layer = layers.EinsumDense("...x,xyz->...yz", (2, 2), name="heads")
    layer.build((None, 3, 4))
    parts = [Part.of(Spec((2, 4), layout="OI", name=f"kernel.{name}")) for name in "ab"]
    with pytest.raises(ModelRejected, match=r"kernel \[4, 2, 2\] IOO .*, in parts that cannot be permuted"):
        initialize(layer, publish_tensors(TensorSpec.of("kernel", *parts)), client=client)


@pytest.mark.parametrize("reference", ["vision", "a/b", "a/b/c/d", ""])
def test_what_is_no_reference_is_refused(client, dense, reference):
    with pytest.raises(SpecRejected):
        initialize(dense, reference, client=client)


def test_what_is_not_published_is_not_found(client, dense):
    with pytest.raises(NotFound):
        initialize(dense, "tests/unknown/1", client=client)


def test_integers_are_no_weights(client):
    layer = layers.Normalization()
    layer.adapt(np.arange(12, dtype="float32").reshape(3, 4))
    published = [TensorSpec.of(name, Part.constant((4,), 1)) for name in ("mean", "variance")]
    initialize(layer, client.publish(Model(42, tuple(published))).id, client=client)
    assert [weight.dtype.name for weight in layer.get_weights()][-1] == "int32"
