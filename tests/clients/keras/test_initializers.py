"""Initializers give each layer that takes one the right weights."""

import keras
import numpy as np
import pytest
import weightinit.keras
from keras import layers
from weightinit import SpecRejected
from weightinit.keras import Initializer

from tests.clients.drawing import draw


@pytest.mark.parametrize(
    ("make", "inputs", "shape", "said"),
    [
        (lambda k: layers.Dense(7, kernel_initializer=k), (5,), (5, 7), {}),
        (lambda k: layers.Conv1D(4, 5, kernel_initializer=k), (8, 3), (5, 3, 4), {}),
        (lambda k: layers.Conv2D(4, 3, kernel_initializer=k), (8, 8, 2), (3, 3, 2, 4), {}),
        (lambda k: layers.Conv3D(3, 2, kernel_initializer=k), (4, 4, 4, 5), (2, 2, 2, 5, 3), {}),
        (lambda k: layers.Conv1D(6, 3, groups=2, kernel_initializer=k), (8, 4), (3, 2, 6), {"groups": 2}),
        (lambda k: layers.Conv1DTranspose(4, 5, kernel_initializer=k), (8, 3), (5, 4, 3), {"layout": "WOI"}),
        (lambda k: layers.DepthwiseConv1D(3, depthwise_initializer=k), (8, 4), (3, 4, 1), {"layout": "WGO"}),
        (lambda k: layers.SimpleRNN(5, kernel_initializer=k), (4, 3), (3, 5), {}),
        (lambda k: layers.LSTM(5, kernel_initializer=k), (4, 3), (3, 20), {}),
        (lambda k: layers.LSTM(5, recurrent_initializer=k), (4, 3), (5, 20), {}),
        (lambda k: layers.GRU(5, kernel_initializer=k), (4, 3), (3, 15), {}),
        (lambda k: layers.Embedding(9, 5, embeddings_initializer=k), (4,), (9, 5), {}),
    ],
)
def test_a_layer_gets_its_kernel(client, make, inputs, shape, said):
    layer = make(Initializer(seed=42, name="k", activation="relu", client=client, **said))
    layer.build((None, *inputs))
    kernel = next(found for found in layer.get_weights() if found.shape == shape)
    np.testing.assert_array_equal(kernel, draw(*shape, name="k", activation="relu", **said))


@pytest.mark.parametrize(
    ("equation", "inputs", "output", "shape", "layout"),
    [
        ("abc,cde->abde", (4, 6), (None, 2, 3), (6, 2, 3), "IOO"),
        ("abcd,cde->abe", (4, 2, 3), (None, 6), (2, 3, 6), "IIO"),
        ("...x,yx->...y", (6,), (3,), (3, 6), "OI"),
    ],
)
def test_an_einsum_layer_says_which_axes_are_which(client, equation, inputs, output, shape, layout):
    made = Initializer(seed=42, name="k", client=client)
    layer = layers.EinsumDense(equation, output, kernel_initializer=made)
    layer.build((None, *inputs))
    np.testing.assert_array_equal(layer.get_weights()[0], draw(*shape, name="k", layout=layout))


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="it always copies")
def test_the_backend_takes_over_the_memory_that_was_fetched_into(client, monkeypatch):
    fetched = []
    monkeypatch.setattr(
        client, "weights", lambda *asked: fetched.append(type(client).weights(client, *asked)) or fetched[-1]
    )
    kernel = Initializer(seed=42, name="k", client=client)((5, 7), dtype="float32")
    fetched[0].fill(7)
    assert (keras.ops.convert_to_numpy(kernel) == 7).all()


def test_both_kernels_of_a_separable_convolution_have_their_own(client):
    layer = layers.SeparableConv2D(
        6,
        3,
        depth_multiplier=2,
        depthwise_initializer=Initializer(seed=42, name="d", layout="HWGO", client=client),
        pointwise_initializer=Initializer(seed=42, name="p", activation="relu", client=client),
    )
    layer.build((None, 8, 8, 4))
    depthwise, pointwise, _ = layer.get_weights()
    np.testing.assert_array_equal(depthwise, draw(3, 3, 4, 2, name="d", layout="HWGO"))
    np.testing.assert_array_equal(pointwise, draw(1, 1, 8, 6, name="p", activation="relu"))


def test_attention_says_which_axes_are_which(client):
    layer = layers.MultiHeadAttention(2, 3, use_bias=False, kernel_initializer=make_quiet(client))
    layer.build((None, 4, 6), (None, 4, 6))
    query, key, value, output = layer.get_weights()
    expected = draw(6, 2, 3, name="attention", layout="IOO")
    for projection in (query, key, value):
        np.testing.assert_array_equal(projection, expected)
    np.testing.assert_array_equal(output, draw(2, 3, 6, name="attention", layout="IIO"))


def make_quiet(client):
    """An initializer that several kernels share on purpose."""
    made = Initializer(seed=42, name="attention", client=client)
    made.uses.count = 2  # as if it had warned already
    return made


def test_a_bias_has_fans_if_someone_says_them(client):
    made = Initializer(seed=42, name="b", fan_in=9, fan_out=9, client=client)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(made((7,))), draw(7, name="b", fan_in=9, fan_out=9)
    )


def test_without_keywords_weights_are_glorot_uniform_as_keras_has_them(client):
    made = keras.ops.convert_to_numpy(Initializer(seed=42, name="k", client=client)((300, 200)))
    theirs = keras.ops.convert_to_numpy(keras.initializers.get("glorot_uniform")((300, 200)))
    assert made.max() == pytest.approx(theirs.max(), rel=1e-3)
    assert made.std() == pytest.approx(theirs.std(), rel=1e-2)


def test_axes_by_number_are_another_way_to_say_the_layout(client):
    made = Initializer(seed=42, name="k", input_axes=[2], output_axes=[0, 1], client=client)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(made((2, 3, 5))), draw(2, 3, 5, name="k", layout="OOI")
    )


def test_a_layout_goes_before_axes_by_number(client):
    made = Initializer(seed=42, name="k", layout="BIO", client=client)
    layer = layers.EinsumDense("abc,bcd->abd", (4, 5), kernel_initializer=made)
    layer.build((None, 4, 3))
    np.testing.assert_array_equal(layer.get_weights()[0], draw(4, 3, 5, name="k", layout="BIO"))


def test_the_default_client_is_asked_where_none_is_given(service):
    made = Initializer(seed=42, name="k")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(made((3, 4))), draw(3, 4, name="k"))


def test_the_service_says_what_is_wrong_with_a_shape(client):
    made = Initializer(seed=42, name="bias", client=client)
    with pytest.raises(SpecRejected, match="of rank 1 has no fans: set both fan_in and fan_out"):
        layers.Dense(3, bias_initializer=made).build((None, 4))


def test_an_unknown_keyword_is_refused_at_once():
    with pytest.raises(TypeError, match="activatoin"):
        Initializer(seed=42, name="k", activatoin="relu")


@pytest.mark.parametrize("missing", ["seed", "name"])
def test_seed_and_name_are_required(missing):
    said = {"seed": 42, "name": "k"}
    del said[missing]
    with pytest.raises(TypeError, match=missing):
        Initializer(**said)


def test_a_seed_generator_is_no_seed():
    with pytest.raises(TypeError, match="SeedGenerator"):
        Initializer(seed=keras.random.SeedGenerator(1), name="k")


@pytest.mark.parametrize("seed", ["42", np.uint64(42)])
def test_a_seed_may_be_text_or_an_integer_of_numpy(client, seed):
    made = Initializer(seed=seed, name="k", client=client)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(made((3, 4))), draw(3, 4, name="k"))


def test_the_exported_names_are_these():
    assert weightinit.keras.__all__ == [
        "Constant",
        "DeltaOrthogonal",
        "Dirac",
        "GlorotNormal",
        "GlorotTruncatedNormal",
        "GlorotUniform",
        "HeNormal",
        "HeTruncatedNormal",
        "HeUniform",
        "Identity",
        "Initializer",
        "KaimingNormal",
        "KaimingTruncatedNormal",
        "KaimingUniform",
        "LecunNormal",
        "LecunTruncatedNormal",
        "LecunUniform",
        "ModelRejected",
        "Ones",
        "Orthogonal",
        "PreserveNormal",
        "PreserveTruncatedNormal",
        "PreserveUniform",
        "RandomNormal",
        "RandomUniform",
        "Report",
        "Row",
        "SharedWeights",
        "Sparse",
        "StaleCopyWarning",
        "TruncatedNormal",
        "UnknownActivationWarning",
        "UnpublishedTensorWarning",
        "VarianceScaling",
        "XavierNormal",
        "XavierTruncatedNormal",
        "XavierUniform",
        "Zeros",
        "check",
        "initialize",
        "placeholders",
        "plan",
        "publish",
    ]
