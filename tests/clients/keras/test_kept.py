"""Variables that the model's author fixed are kept, whatever their layers are."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers
from weightinit.adapters.actions import Leave
from weightinit.keras import (
    HeNormal,
    Initializer,
    LecunUniform,
    ModelRejected,
    StaleCopyWarning,
    initialize,
    plan,
    publish,
)
from weightinit.keras.plan import plan_variables

from tests.clients.drawing import draw


def build(*parts, inputs=(5,)):
    return keras.Sequential([keras.Input(inputs), *parts])


def get_plan(model, **given):
    """The planned tensors of a model, by name."""
    return {tensor.name: tensor for tensor in plan_variables(model, given.pop("rules", None), 42, **given)}


def test_a_layer_s_own_initializer_is_what_is_drawn(client):
    own = HeNormal(seed=42, name="mine", client=client)
    model = build(layers.Dense(7, kernel_initializer=own, name="hidden"))
    before = keras.ops.convert_to_numpy(model.layers[0].kernel).copy()
    model.layers[0].kernel.assign(np.zeros((5, 7)))
    report = initialize(model, 42, client=client)
    found = keras.ops.convert_to_numpy(model.layers[0].kernel)
    np.testing.assert_array_equal(found, draw(5, 7, name="mine", scheme="he_normal"))
    np.testing.assert_array_equal(found, before)
    assert (report["hidden/kernel"].scheme, report["hidden/kernel"].distribution) == ("he", "normal")
    assert report["hidden/kernel"].certainty == "certain"


def test_a_seed_of_a_layer_s_own_is_kept_and_said(client):
    own = LecunUniform(seed=7, name="mine", client=client)
    model = build(layers.Dense(7, kernel_initializer=own, name="hidden"))
    before = keras.ops.convert_to_numpy(model.layers[0].kernel)
    report = initialize(model, 42, client=client)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.layers[0].kernel), before)
    assert "Its seed is 7, not 42" in report["hidden/kernel"].reason


def test_a_rule_goes_before_a_layer_s_own_initializer(client):
    own = HeNormal(seed=42, name="mine", client=client)
    model = build(layers.Dense(7, kernel_initializer=own, name="hidden"))
    found = plan(model, 42, rules={"hidden/kernel": "lecun_uniform"}, client=client)["hidden/kernel"]
    assert (found.scheme, found.distribution) == ("lecun", "uniform")


def test_a_layer_s_own_initializer_is_published(client, recorder):
    own = HeNormal(seed=42, name="mine", client=client)
    publish(build(layers.Dense(7, kernel_initializer=own, name="hidden")), 42, client=recorder)
    spec = recorder.model.by_name["hidden/kernel"].parts[0].spec
    assert (spec.name, spec.scheme, spec.seed) == ("mine", "he_normal", 42)


def test_another_seed_than_the_model_s_cannot_be_published(client, recorder):
    own = HeNormal(seed=7, name="mine", client=client)
    model = build(layers.Dense(7, kernel_initializer=own, name="hidden"))
    with pytest.raises(ModelRejected, match="hidden/kernel is drawn from the seed 7 of its layer"):
        publish(model, 42, client=recorder)


@pytest.mark.filterwarnings("ignore::weightinit.keras.SharedWeights")
def test_an_initializer_that_several_tensors_share_gives_each_a_name(client):
    own = Initializer(seed=42, name="mine", scheme="he", distribution="normal", client=client)
    model = build(*(layers.Dense(5, kernel_initializer=own, name=name) for name in "ab"))
    initialize(model, 42, client=client)
    for layer in model.layers:
        expected = draw(5, 5, name=f"{layer.name}/kernel", scheme="he", distribution="normal")
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.kernel), expected)


@pytest.mark.parametrize(
    ("initializer", "value"), [("zeros", 0.0), ("ones", 1.0), (keras.initializers.Constant(0.5), 0.5)]
)
def test_a_kernel_that_its_layer_sets_to_one_value_has_it(client, initializer, value):
    model = build(layers.Dense(7, kernel_initializer=initializer, name="gate"))
    row = initialize(model, 42, client=client)["gate/kernel"]
    assert (row.scheme, row.value) == ("constant", value)
    assert (keras.ops.convert_to_numpy(model.layers[0].kernel) == value).all()


MATRIX = np.arange(35, dtype="float32").reshape(5, 7)


class Counting(keras.initializers.Initializer):
    """An initializer that draws nothing."""

    def __call__(self, shape, dtype=None):
        return keras.ops.reshape(keras.ops.arange(35, dtype=dtype), shape)


@pytest.mark.parametrize(
    "initializer",
    [
        keras.initializers.Constant(MATRIX),
        "identity",
        Counting(),
        lambda _, dtype: keras.ops.convert_to_tensor(MATRIX, dtype),
    ],
)
def test_what_an_initializer_gives_without_drawing_is_kept(initializer):
    model = build(layers.Dense(7, kernel_initializer=initializer, name="hidden"), layers.Dense(3))
    found = get_plan(model)["hidden/kernel"]
    assert (found.action, found.certainty) == (Leave(), "certain")
    assert "its layer's kernel_initializer, gives its values" in found.reason


def test_pretrained_vectors_of_an_initializer_are_kept(client):
    table = layers.Embedding(5, 7, embeddings_initializer=keras.initializers.Constant(MATRIX))
    initialize(build(table, layers.Dense(3), inputs=(2,)), 42, client=client)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(table.embeddings), MATRIX)


def test_a_bias_of_a_function_is_kept():
    def favour(shape, dtype):
        return keras.ops.convert_to_tensor([-4.0, 1.0], dtype)

    found = get_plan(build(layers.Dense(2, bias_initializer=favour, name="out")))["out/bias"]
    assert found.reason == "favour, its layer's bias_initializer, gives its values."


def test_a_function_that_draws_is_a_guess_that_names_it():
    def draw_anew(shape, dtype):
        return keras.random.normal(shape, dtype=dtype)

    found = get_plan(build(layers.Dense(7, kernel_initializer=draw_anew, name="hidden")))["hidden/kernel"]
    assert found.certainty == "guessed"
    assert "kernel_initializer, draw_anew, is not used" in found.reason


@pytest.mark.parametrize(
    "initializer", ["orthogonal", "he_normal", keras.initializers.RandomNormal(0.0, 0.02)]
)
def test_another_initializer_of_the_author_s_is_a_guess_that_names_it(initializer):
    model = build(layers.Dense(7, kernel_initializer=initializer, activation="relu", name="hidden"))
    found = get_plan(model)["hidden/kernel"]
    assert found.certainty == "guessed"
    assert (
        f"kernel_initializer, {type(model.layers[0].kernel_initializer).__name__}, is not used"
        in found.reason
    )


@pytest.mark.parametrize(
    "layer", [layers.Dense(3), layers.SeparableConv1D(3, 1), layers.GRU(3), layers.Embedding(5, 3)]
)
def test_what_keras_has_by_default_is_nobody_s_choice(layer):
    model = build(layer, inputs=(4,) if isinstance(layer, layers.Embedding) else (4, 5))
    assert {tensor.certainty for tensor in get_plan(model).values()} == {"certain"}


def test_a_frozen_layer_is_kept_beside_others(client):
    model = build(layers.Dense(7, name="frozen", trainable=False), layers.Dense(3, name="head"))
    before = model.layers[0].get_weights()
    report = initialize(model, 42, client=client)
    assert [report[f"frozen/{name}"].scheme for name in ("kernel", "bias")] == ["kept", "kept"]
    assert "trainable is False" in report["frozen/kernel"].reason
    for ours, theirs in zip(model.layers[0].get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert report["head/kernel"].scheme == "glorot"


def test_a_frozen_model_inside_is_kept():
    inner = build(layers.Dense(7, name="hidden"))
    inner.trainable = False
    found = get_plan(build(inner, layers.Dense(3, name="head")))
    assert [tensor.reason for name, tensor in found.items() if "hidden" in name] == [
        "Frozen: trainable is False."
    ] * 2


def test_a_rule_that_says_how_draws_a_frozen_kernel():
    model = build(layers.Dense(7, name="frozen", trainable=False), layers.Dense(3, name="head"))
    found = get_plan(model, rules={"frozen/kernel": {"scheme": "he"}})["frozen/kernel"]
    assert found.action.layer["scheme"] == "he"


def test_a_frozen_kernel_cannot_be_published(recorder):
    model = build(layers.Dense(7, name="frozen", trainable=False), layers.Dense(3, name="head"))
    with pytest.raises(ModelRejected, match=r"frozen/kernel .* is frozen: set it with rules"):
        publish(model, 42, client=recorder)


@pytest.mark.parametrize("layer", [layers.Dense(6), layers.EinsumDense("ab,bc->ac", 6), layers.Conv1D(6, 3)])
def test_lora_begins_as_the_layer_without_it(client, layer):
    inputs = (8, 4) if isinstance(layer, layers.Conv1D) else (4,)
    model = build(layer, inputs=inputs)
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(layer.lora_kernel_b + 1)
    kernel = keras.ops.convert_to_numpy(layer._kernel)
    report = initialize(model, 42, client=client)
    rows = {name.rpartition("/")[2]: report[name] for name in (row.name for row in report)}
    assert rows["lora_kernel_a"].scheme == "glorot"
    assert not keras.ops.convert_to_numpy(layer.lora_kernel_b).any()
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer._kernel), kernel)


def test_a_random_bias_is_left_and_said():
    found = get_plan(build(layers.Dense(3, bias_initializer="random_normal", name="out")))["out/bias"]
    assert "RandomNormal, its layer's bias_initializer, draws it" in found.reason


def test_the_forget_gate_of_an_lstm_is_open(client):
    layer = layers.LSTM(3)
    layer.build((None, 4, 2))
    for variable in layer.cell.weights:  # as training changes all of them
        variable.assign(variable + 7.0)
    initialize(layer, 42, client=client)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.cell.bias), [0] * 3 + [1] * 3 + [0] * 6)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.ConvLSTM1D(6, 3), (None, 4, 8, 2)),
        (layers.ConvLSTM2D(6, 3), (None, 4, 8, 8, 2)),
        (layers.ConvLSTM3D(6, 3), (None, 4, 8, 8, 8, 2)),
    ],
)
def test_the_gates_of_a_convolutional_lstm_are_kernels(client, layer, shape):
    layer.build(shape)
    report = plan(layer, 42, client=client)
    names = {row.name.rpartition(".")[2] for row in report if "kernel" in row.name}
    field = 3 ** (len(shape) - 3)
    assert names == set("ifgo")
    gate = next(row for row in report if "recurrent_kernel.f" in row.name)
    assert (gate.scheme, gate.fan_in, gate.fan_out) == ("glorot", 6 * field, 6 * field)


@pytest.mark.parametrize("is_tied", [True, False])
def test_a_reversible_embedding_is_a_table(client, is_tied):
    layer = layers.ReversibleEmbedding(50, 8, tie_weights=is_tied)
    layer.build((None, 4))
    report = plan(layer, 42, client=client)
    assert report["embeddings"].limit == pytest.approx(0.05)
    assert is_tied or (report["reverse_embeddings"].fan_in, report["reverse_embeddings"].fan_out) == (8, 50)


def test_cells_that_are_stacked_are_drawn_gate_by_gate():
    layer = layers.RNN([layers.LSTMCell(3, name="low"), layers.GRUCell(4, name="high")])
    layer.build((None, 5, 2))
    names = set(get_plan(layer))
    assert {f"stacked_rnn_cells/low/kernel.{gate}" for gate in "ifgo"} <= names
    assert {f"stacked_rnn_cells/high/recurrent_kernel.{gate}" for gate in "zrn"} <= names


def test_grouped_queries_have_kernels_of_their_own(client):
    inputs = keras.Input((4, 8))
    attention = layers.GroupQueryAttention(head_dim=2, num_query_heads=4, num_key_value_heads=2, name="gqa")
    report = plan(keras.Model(inputs, attention(inputs, inputs)), 42, client=client)
    assert {row.name: row.layout for row in report if row.layout}["gqa/query/kernel"] == "IOO"
    assert not report.unknown
    assert not report.guessed


def make_pair():
    """Make a student and its teacher, which is a frozen copy (Grill et al. 2020, section 3.1)."""
    student = keras.Sequential([keras.Input((4,)), layers.Dense(8), layers.Dense(2)], name="student")
    teacher = keras.models.clone_model(student)
    teacher.name, teacher.trainable = "teacher", False
    teacher.set_weights(student.get_weights())
    inputs = keras.Input((4,))
    return keras.Model(inputs, [student(inputs), teacher(inputs)])


def list_stale(model, **said):
    """List the messages that frozen parts will be no copies any more."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        plan(model, 42, **said)
    return [str(one.message) for one in caught if one.category is StaleCopyWarning]


def test_a_frozen_copy_is_warned_of(client):
    (message,) = list_stale(make_pair(), client=client)
    assert message.startswith("teacher/dense/kernel, teacher/dense_1/kernel: kept, but copies of")


def test_a_frozen_copy_of_what_a_rule_leaves_is_not_warned_of(client):
    assert list_stale(make_pair(), rules={"student/*": None}, client=client) == []


def test_a_frozen_part_of_other_values_is_not_warned_of(client):
    model = make_pair()
    for layer in model.get_layer("teacher").layers:
        layer.kernel.assign(layer.kernel * 2)
    assert list_stale(model, client=client) == []
