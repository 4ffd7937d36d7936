"""`initialize` draws every kernel of a Keras model by its path."""

import keras
import numpy as np
import pytest
from keras import layers
from weightinit import SpecRejected
from weightinit.keras import ModelRejected, initialize
from weightinit.keras.layers import find_kernel, spell_equation
from weightinit.keras.walk import walk_variables

from tests.clients.drawing import draw


def build(*parts, inputs=(5,)):
    return keras.Sequential([keras.Input(inputs), *parts])


def get_paths(model):
    return [place.path for place in walk_variables(model)]


def read(model, path):
    """The value of a variable, by its path."""
    found = {place.path: place for place in walk_variables(model)}[path]
    return next(
        value
        for value, variable in zip(found.layer.get_weights(), found.layer.weights, strict=True)
        if variable is found.variable
    )


def test_kernels_are_drawn_by_their_path_and_activation(client):
    model = build(layers.Dense(7, activation="relu", name="hidden"), layers.Dense(3, name="out"))
    initialize(model, 42, client=client)
    np.testing.assert_array_equal(
        read(model, "hidden/kernel"), draw(5, 7, name="hidden/kernel", activation="relu")
    )
    np.testing.assert_array_equal(read(model, "out/kernel"), draw(7, 3, name="out/kernel"))


def test_the_answer_says_what_was_decided_for_each_variable(client):
    model = build(layers.Dense(7, activation="relu", name="hidden"))
    report = initialize(model, 42, client=client)
    assert report["hidden/kernel"].formula == "σ² = 2 / fan_in = 2 / 5"
    assert report["hidden/bias"].scheme == "constant"


def test_a_model_of_which_no_kernel_is_known_is_refused(client):
    class Custom(keras.layers.Layer):
        def build(self, _shape):
            self.table = self.add_weight(shape=(5, 4), name="table")

        def call(self, inputs):
            return inputs @ keras.ops.sin(self.table)

    with pytest.raises(ModelRejected, match="no kernel is recognized, only custom/table: set layouts"):
        initialize(build(Custom(name="custom"), layers.BatchNormalization()), 42, client=client)


def test_biases_and_norms_become_what_their_layers_say(client):
    model = build(layers.Dense(7, bias_initializer="ones"), layers.BatchNormalization())
    before = model.get_weights()[1:]
    for variable in model.weights[:4]:  # as training changes all of them
        variable.assign(variable + 0.5)
    initialize(model, 42, client=client)
    for ours, theirs in zip(model.get_weights()[1:], before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("layer", "inputs", "path", "shape", "expected"),
    [
        (layers.Conv1D(4, 5), (8, 3), "kernel", (5, 3, 4), {}),
        (layers.Conv2D(6, 3, groups=2), (8, 8, 4), "kernel", (3, 3, 2, 6), {"groups": 2}),
        (layers.Conv3D(3, 2), (4, 4, 4, 2), "kernel", (2, 2, 2, 2, 3), {}),
        (layers.Conv1DTranspose(4, 5), (8, 3), "kernel", (5, 4, 3), {"layout": "WOI"}),
        (layers.Conv2DTranspose(4, 3), (8, 8, 3), "kernel", (3, 3, 4, 3), {"layout": "HWOI"}),
        (layers.Conv3DTranspose(3, 2), (4, 4, 4, 2), "kernel", (2, 2, 2, 3, 2), {"layout": "DHWOI"}),
        (layers.DepthwiseConv1D(3), (8, 4), "kernel", (3, 4, 1), {"layout": "WGO"}),
        (layers.DepthwiseConv2D(3), (8, 8, 4), "kernel", (3, 3, 4, 1), {"layout": "HWGO"}),
        (layers.SeparableConv1D(6, 3), (8, 4), "depthwise_kernel", (3, 4, 1), {"layout": "WGO"}),
        (layers.SeparableConv2D(6, 3), (8, 8, 4), "depthwise_kernel", (3, 3, 4, 1), {"layout": "HWGO"}),
        (layers.SeparableConv2D(6, 3), (8, 8, 4), "pointwise_kernel", (1, 1, 4, 6), {}),
        (layers.EinsumDense("...x,xyz->...yz", (2, 3)), (4, 6), "kernel", (6, 2, 3), {"layout": "IOO"}),
        (layers.SimpleRNN(5), (4, 3), "simple_rnn_cell/kernel", (3, 5), {"activation": "tanh"}),
    ],
)
def test_a_layer_is_known_by_its_type(client, layer, inputs, path, shape, expected):
    layer.build((None, *inputs))
    initialize(layer, 42, client=client)
    np.testing.assert_array_equal(read(layer, path), draw(*shape, name=path, **expected))


@pytest.mark.parametrize(
    ("cell", "gates"), [(layers.LSTM, ("i", "f", "g", "o")), (layers.GRU, ("z", "r", "n"))]
)
@pytest.mark.parametrize(("variable", "inputs"), [("kernel", 3), ("recurrent_kernel", 5)])
def test_the_gates_of_a_recurrent_kernel_are_kernels_of_their_own(client, cell, gates, variable, inputs):
    layer = cell(5)
    layer.build((None, 4, 3))
    initialize(layer, 42, client=client)
    path = next(path for path in get_paths(layer) if path.endswith(f"/{variable}"))
    expected = [draw(inputs, 5, name=f"{path}.{gate}") for gate in gates]
    np.testing.assert_array_equal(read(layer, path), np.concatenate(expected, axis=1))


def test_gates_that_are_alike_are_asked_for_once(counting):
    layer = layers.LSTM(5)
    layer.build((None, 4, 3))
    initialize(layer, 42, client=counting)
    assert (counting.queried, len(counting.asked)) == ([(3, 5), (5, 5)], 8)


def test_the_fans_of_a_depthwise_kernel_are_those_of_a_unit(client):
    layer = layers.DepthwiseConv2D(3, depth_multiplier=2)
    layer.build((None, 8, 8, 4))
    found = initialize(layer, 42, client=client)["kernel"]
    assert (found.fan_in, found.fan_out) == (9, 18)


def test_only_the_pointwise_half_of_a_separable_convolution_feeds_its_activation(client):
    layer = layers.SeparableConv2D(6, 3, activation="relu")
    layer.build((None, 8, 8, 4))
    report = initialize(layer, 42, client=client)
    assert (report["depthwise_kernel"].activation, report["pointwise_kernel"].activation) == ("none", "relu")


def test_both_directions_have_weights_of_their_own(client):
    layer = layers.Bidirectional(layers.LSTM(5))
    layer.build((None, 4, 3))
    initialize(layer, 42, client=client)
    forward, backward = (read(layer, f"{way}_lstm/lstm_cell/kernel") for way in ("forward", "backward"))
    assert not np.array_equal(forward, backward)


def test_attention_has_weights_of_its_own_for_each_projection(client):
    inputs = keras.Input((4, 6))
    model = keras.Model(inputs, layers.MultiHeadAttention(2, 3, name="attention")(inputs, inputs))
    report = initialize(model, 42, client=client)
    layouts = {row.name.split("/")[1]: row.layout for row in report if row.layout}
    assert layouts == {"query": "IOO", "key": "IOO", "value": "IOO", "attention_output": "IIO"}
    assert not np.array_equal(read(model, "attention/query/kernel"), read(model, "attention/key/kernel"))


def test_an_embedding_spreads_as_keras_has_it(client):
    model = build(layers.Embedding(300, 200), inputs=(4,))
    theirs = model.get_weights()[0]
    found = initialize(model, 42, client=client)["embedding/embeddings"]
    assert (found.distribution, found.limit) == ("uniform", pytest.approx(0.05))
    ours = read(model, "embedding/embeddings")
    assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)


def test_paths_do_not_depend_on_what_was_built_before():
    first, second = (build(layers.Dense(3), layers.Dense(3)) for _ in range(2))
    assert first.layers[0].name != second.layers[0].name
    assert (
        get_paths(first)
        == get_paths(second)
        == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    )


def test_paths_have_the_names_of_models_inside():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(3, name="hidden")], name="encoder")
    assert get_paths(build(inner))[0] == "encoder/hidden/kernel"


def test_a_layer_that_is_used_twice_is_drawn_once(client):
    shared = layers.Dense(5, name="shared")
    inputs = keras.Input((5,))
    model = keras.Model(inputs, shared(shared(inputs)))
    report = initialize(model, 42, client=client)
    assert [row.name for row in report] == ["shared/kernel", "shared/bias"]


class Twins(keras.Model):
    """A subclassed model, whose layers have one name."""

    def __init__(self, *names):
        super().__init__()
        self.parts = [layers.Dense(3, name=name) for name in names]

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


def test_a_subclassed_model_is_walked_too(client):
    model = Twins("a", "b")
    model(np.zeros((1, 3), "float32"))
    initialize(model, 42, client=client)
    np.testing.assert_array_equal(read(model, "b/kernel"), draw(3, 3, name="b/kernel"))


def test_two_variables_of_one_path_are_refused(client):
    model = Twins("a", "a")
    model(np.zeros((1, 3), "float32"))
    with pytest.raises(
        ModelRejected, match="2 variables have the path 'a/kernel': give their layers different names"
    ):
        initialize(model, 42, client=client)


def test_a_model_that_is_not_built_is_refused(client):
    with pytest.raises(
        ModelRejected, match="layer 'hidden' has no variables yet: build the model, or call it once"
    ):
        initialize(keras.Sequential([layers.Dense(3, name="hidden")]), 42, client=client)


def test_a_rule_says_what_is_known_better(client):
    model = build(layers.Dense(7, name="hidden"))
    initialize(model, 42, rules={"hidden/*": {"activation": "gelu"}, "*": None}, client=client)
    np.testing.assert_array_equal(
        read(model, "hidden/kernel"), draw(5, 7, name="hidden/kernel", activation="gelu")
    )


def test_a_rule_can_leave_variables_alone(client):
    layer = layers.LSTM(5)
    layer.build((None, 4, 3))
    before = read(layer, "lstm_cell/recurrent_kernel")
    report = initialize(layer, 42, rules={"*/recurrent_kernel": None}, client=client)
    assert report["lstm_cell/recurrent_kernel.i"].scheme == "kept"
    np.testing.assert_array_equal(read(layer, "lstm_cell/recurrent_kernel"), before)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("gates", ["f", "i", "io", "ifg"])
def test_a_rule_can_leave_some_gates_of_a_kernel_alone(client, gates, dtype):
    layer = layers.LSTM(5, dtype=dtype, recurrent_initializer="zeros")
    layer.build((None, 4, 3))
    before = np.split(read(layer, "lstm_cell/kernel"), 4, axis=1)
    rules = {f"lstm_cell/kernel.{gate}": None for gate in gates}
    report = initialize(layer, 42, rules=rules, client=client)
    after = np.split(read(layer, "lstm_cell/kernel"), 4, axis=1)
    for gate, ours, theirs in zip("ifgo", after, before, strict=True):
        name = f"lstm_cell/kernel.{gate}"
        assert (report[name].scheme == "kept") == (gate in gates)
        expected = theirs if gate in gates else draw(3, 5, name=name, dtype=dtype)
        np.testing.assert_array_equal(ours, expected)


def test_a_rule_can_leave_one_of_several_parts_alone(client):
    model = build(layers.Dense(6, name="both"))
    before = read(model, "both/kernel")
    rules = {"both/kernel.b": None, "both/kernel": {"parts": ["a", "b"]}}
    initialize(model, 42, rules=rules, client=client)
    np.testing.assert_array_equal(read(model, "both/kernel")[:, 3:], before[:, 3:])
    np.testing.assert_array_equal(read(model, "both/kernel")[:, :3], draw(5, 3, name="both/kernel.a"))


def test_a_rule_can_name_what_no_layer_of_keras_is(client):
    class Custom(keras.layers.Layer):
        def build(self, _shape):
            self.table = self.add_weight(shape=(5, 4), name="table")

        def call(self, inputs):
            return inputs @ keras.ops.sin(self.table)

    model = build(Custom(name="custom"))
    assert initialize(model, 42, strict=False, client=client)["custom/table"].scheme == "kept"
    initialize(model, 42, rules={"custom/table": {"layout": "IO", "activation": "selu"}}, client=client)
    np.testing.assert_array_equal(
        read(model, "custom/table"), draw(5, 4, name="custom/table", activation="selu")
    )


def test_a_rule_with_a_scheme_chooses_the_spread_of_an_embedding_too(client):
    model = build(layers.Embedding(9, 5), inputs=(4,))
    found = initialize(model, 42, rules={"*": {"scheme": "lecun"}}, client=client)["embedding/embeddings"]
    assert (found.scheme, found.fan_in, found.distribution) == ("lecun", 9, "normal")


def test_a_rule_that_matches_nothing_is_refused(client):
    model = build(layers.Dense(7, name="hidden"))
    with pytest.raises(
        ModelRejected, match=r"rules\['hiden/kernel'\] matches none .* Did you mean hidden/kernel or"
    ):
        initialize(model, 42, rules={"hiden/kernel": None}, client=client)


def test_what_the_service_refuses_names_the_tensor(client):
    model = build(layers.Dense(7, name="hidden"))
    with pytest.raises(SpecRejected, match="activation must name an activation function") as caught:
        initialize(model, 42, rules={"hidden/kernel": {"activation": "reluu"}}, client=client)
    assert caught.value.__notes__ == ["This was requested for hidden/kernel."]


def test_what_the_service_refuses_leaves_the_model_as_it_was(client):
    model = build(layers.Dense(7), layers.Dense(3, name="out"))
    before = read(model, "dense/kernel")
    with pytest.raises(SpecRejected):
        initialize(model, 42, rules={"out/kernel": {"activation": "reluu"}}, client=client)
    np.testing.assert_array_equal(read(model, "dense/kernel"), before)


def test_names_can_be_another_framework_s(client):
    model = build(layers.Dense(7, name="fc1"))
    initialize(model, 42, rename=lambda path: path.replace("/kernel", ".weight"), client=client)
    np.testing.assert_array_equal(read(model, "fc1/kernel"), draw(5, 7, name="fc1.weight"))


def test_dtypes_are_those_of_the_variables(client):
    model = build(layers.Dense(7, name="hidden", dtype="bfloat16"))
    initialize(model, 42, client=client)
    np.testing.assert_array_equal(
        read(model, "hidden/kernel"), draw(5, 7, name="hidden/kernel", dtype="bfloat16")
    )


def test_a_model_that_is_frozen_as_a_whole_is_drawn(client):
    model = build(layers.Dense(7, name="hidden", trainable=False))
    initialize(model, 42, client=client)
    np.testing.assert_array_equal(read(model, "hidden/kernel"), draw(5, 7, name="hidden/kernel"))


def test_the_default_client_is_asked_where_none_is_given(service):
    model = build(layers.Dense(7, name="hidden"))
    initialize(model, "42")
    np.testing.assert_array_equal(read(model, "hidden/kernel"), draw(5, 7, name="hidden/kernel"))


@pytest.mark.parametrize(
    ("equation", "layout"),
    [("ab,bc->ac", "IO"), ("...x,xyz->...yz", "IOO"), ("abc, cd -> abd", "IO"), ("bnd,ndh->bnh", "BIO")],
)
def test_an_equation_says_which_axis_is_which(equation, layout):
    assert spell_equation(equation) == layout


def test_a_subclass_is_known_by_its_base():
    class Mine(layers.Dense):
        pass

    assert find_kernel(Mine(3), "kernel") == find_kernel(layers.Dense(3), "kernel")
