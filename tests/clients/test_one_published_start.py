"""One published start: Keras, PyTorch and JAX begin from the same bits, whatever the order of their axes."""

import jax
import keras
import numpy as np
import pytest
import torch
import weightinit.jax
import weightinit.keras
import weightinit.torch
from flax import nnx
from keras import layers
from torch import nn

from tests.clients import resnet


def in_numpy(tensor):
    return tensor.detach().numpy()


@pytest.fixture(scope="module")
def published(client):
    """ResNet-50 as a team that works with PyTorch publishes it."""
    with torch.device("meta"):
        model = resnet.ResNet50()
    # Each block adds a little to what comes in, as if it had been trained.
    return weightinit.torch.publish(model, 42, rules={"*.bn3.weight": 0.25}, client=client).id


@pytest.fixture(scope="module")
def in_torch(published, client):
    """The network in PyTorch, started from what is published."""
    model = resnet.ResNet50().eval()
    weightinit.torch.initialize_(model, published, client=client)
    return model


@pytest.fixture(scope="module")
def in_keras(published, client):
    """The network in Keras, started from the same."""
    model = resnet.build_in_keras()
    weightinit.keras.initialize(model, published, rename=resnet.name_as_torch, client=client)
    return model


def test_resnet_50_has_its_25_6_million_parameters(in_torch):
    assert sum(parameter.numel() for parameter in in_torch.parameters()) == 25_557_032


def test_resnet_50_answers_the_same_in_keras(in_torch, in_keras):
    image = np.random.default_rng(42).random((1, 64, 64, 3), "float32")
    with torch.no_grad():
        expected = in_numpy(in_torch(torch.from_numpy(image).permute(0, 3, 1, 2)))
    found = in_keras.predict(image, verbose=0)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_resnet_50_has_the_same_bits_in_keras(in_torch, in_keras):
    for layer, name in (
        ("layer4_0_conv2", "layer4.0.conv2"),
        ("layer2_0_downsample_0", "layer2.0.downsample.0"),
    ):
        (kernel,) = in_keras.get_layer(layer).get_weights()
        np.testing.assert_array_equal(
            kernel.transpose(3, 2, 0, 1), in_numpy(in_torch.get_submodule(name).weight)
        )


class Mixed(nn.Module):
    """Kernels whose axes have another meaning, order or number in each framework."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8, padding_idx=3)
        self.depthwise = nn.Conv1d(8, 16, 3, groups=8)
        self.up = nn.ConvTranspose1d(16, 8, 2)
        self.attend = nn.MultiheadAttention(8, 2)
        self.out = nn.Linear(8, 8)


@pytest.fixture(scope="module")
def mixed(client):
    """Such a model in PyTorch, started, and what it is published as."""
    model = Mixed()
    rules = {"out.weight": {"parts": {"a": 2, "b": 6}, "activation": "none"}, "*": {"activation": "none"}}
    said = {"rules": rules, "client": client}
    weightinit.torch.initialize_(model, 42, **said)
    return model, weightinit.torch.publish(Mixed(), 42, **said).id


# PyTorch's names of the kernels of attention; all biases are zero there.
PROJECTIONS = {
    f"attend/{name}/kernel": f"attend.in_proj_weight.{name[0]}" for name in ("query", "key", "value")
}


def name_in_keras(path):
    names = {"embed/embeddings": "embed.weight", "attend/attention_output/kernel": "attend.out_proj.weight"}
    return (names | PROJECTIONS).get(path) or path.replace("/kernel", ".weight").replace("/", ".")


def build_mixed():
    inputs = keras.Input((9,))
    x = layers.Embedding(11, 8, name="embed")(inputs)
    x = layers.DepthwiseConv1D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.Conv1DTranspose(8, 2, name="up")(x)
    x = layers.MultiHeadAttention(2, 4, use_bias=False, name="attend")(x, x)
    return keras.Model(inputs, layers.Dense(8, name="out")(x))


@pytest.fixture(scope="module")
def mixed_in_keras(mixed, client):
    """What Keras makes of it, by path."""
    model = build_mixed()
    weightinit.keras.initialize(model, mixed[1], rename=name_in_keras, strict=False, client=client)
    places = weightinit.keras.walk.walk_variables(model)
    return {place.path: keras.ops.convert_to_numpy(place.variable) for place in places}


def turn_heads(kernel):
    """Turn the kernel of a projection into heads: (out, in) to (in, heads, size)."""
    return in_numpy(kernel).T.reshape(8, 2, 4)


KERNELS = {
    "embed/embeddings": lambda model: in_numpy(model.embed.weight),
    "depthwise/kernel": lambda model: in_numpy(model.depthwise.weight).reshape(8, 2, 3).transpose(2, 0, 1),
    "up/kernel": lambda model: in_numpy(model.up.weight).transpose(2, 1, 0),
    "attend/query/kernel": lambda model: turn_heads(model.attend.in_proj_weight[:8]),
    "attend/key/kernel": lambda model: turn_heads(model.attend.in_proj_weight[8:16]),
    "attend/value/kernel": lambda model: turn_heads(model.attend.in_proj_weight[16:]),
    "attend/attention_output/kernel": lambda model: in_numpy(model.attend.out_proj.weight).T.reshape(2, 4, 8),
    "out/kernel": lambda model: in_numpy(model.out.weight).T,
    "out/bias": lambda model: in_numpy(model.out.bias),
}


@pytest.mark.parametrize(("path", "turn"), KERNELS.items(), ids=KERNELS)
def test_a_tensor_of_pytorch_is_turned_for_keras(path, turn, mixed, mixed_in_keras):
    np.testing.assert_array_equal(mixed_in_keras[path], turn(mixed[0]))


class MixedInJax(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(11, 8, rngs=rngs)
        self.depthwise = nnx.Conv(8, 16, (3,), feature_group_count=8, rngs=rngs)
        self.attend = nnx.MultiHeadAttention(2, 8, decode=False, use_bias=False, rngs=rngs)
        self.out = nnx.Linear(8, 8, rngs=rngs)


def name_in_jax(path):
    names = {"embed/embedding": "embed.weight", "attend/out/kernel": "attend.out_proj.weight"}
    return (names | PROJECTIONS).get(path) or path.replace("/kernel", ".weight").replace("/", ".")


IN_JAX = {
    "embed/embedding": KERNELS["embed/embeddings"],
    "depthwise/kernel": lambda model: in_numpy(model.depthwise.weight).transpose(2, 1, 0),
    "attend/query/kernel": KERNELS["attend/query/kernel"],
    "attend/value/kernel": KERNELS["attend/value/kernel"],
    "attend/out/kernel": KERNELS["attend/attention_output/kernel"],
    "out/kernel": KERNELS["out/kernel"],
    "depthwise/bias": lambda model: in_numpy(model.depthwise.bias),
}


@pytest.fixture(scope="module")
def mixed_in_jax(mixed, client):
    """What JAX makes of it, by path."""
    params = nnx.state(MixedInJax(nnx.Rngs(0)), nnx.Param)
    drawn = weightinit.jax.initialize(params, mixed[1], rename=name_in_jax, strict=False, client=client)
    return {
        weightinit.jax.walk.name_path(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(drawn)
    }


@pytest.mark.parametrize(("path", "turn"), IN_JAX.items(), ids=IN_JAX)
def test_a_tensor_of_pytorch_is_turned_for_jax(path, turn, mixed, mixed_in_jax):
    np.testing.assert_array_equal(mixed_in_jax[path], turn(mixed[0]))


RECURRENT = {
    "lstm": (layers.LSTM, nn.LSTM, "lstm_cell", "ifgo", "ifgo"),
    "gru": (layers.GRU, nn.GRU, "gru_cell", "zrn", "rzn"),
}


@pytest.mark.parametrize("row", RECURRENT.values(), ids=RECURRENT)
def test_gates_go_by_their_names_from_pytorch_to_keras(row, client):
    in_keras, in_torch, cell, keras_gates, torch_gates = row
    model, twin = in_torch(3, 4), in_keras(4)
    twin.build((None, 5, 3))
    weightinit.torch.initialize_(model, 42, client=client)
    published = weightinit.torch.publish(model, 42, client=client).id
    names = {f"{cell}/kernel": "weight_ih_l0", f"{cell}/recurrent_kernel": "weight_hh_l0"}

    def name(path):
        kernel, _, gate = path.partition(".")
        return f"{names[kernel]}.{gate}" if gate else names[kernel]

    weightinit.keras.initialize(
        twin, published, rename=name, rules={"*/bias": None}, strict=False, client=client
    )
    kernel = dict(zip(torch_gates, np.split(in_numpy(model.weight_ih_l0), len(torch_gates)), strict=True))
    expected = np.concatenate([kernel[gate].T for gate in keras_gates], axis=1)
    np.testing.assert_array_equal(twin.get_weights()[0], expected)


@pytest.mark.parametrize("row", RECURRENT.values(), ids=RECURRENT)
def test_gates_go_by_their_names_from_keras_to_pytorch(row, client):
    in_keras, in_torch, cell, keras_gates, torch_gates = row
    model, twin = in_keras(4), in_torch(3, 4)
    model.build((None, 5, 3))
    weightinit.keras.initialize(model, 42, client=client)
    published = weightinit.keras.publish(model, 42, client=client).id
    names = {"weight_ih_l0": f"{cell}/kernel", "weight_hh_l0": f"{cell}/recurrent_kernel"}

    def name(own):
        kernel, _, gate = own.partition(".")
        called = names.get(kernel, kernel)
        return f"{called}.{gate}" if gate else called

    report = weightinit.torch.initialize_(twin, published, rename=name, strict=False, client=client)
    kernel = dict(zip(keras_gates, np.split(model.get_weights()[0], len(keras_gates), axis=1), strict=True))
    expected = np.concatenate([kernel[gate].T for gate in torch_gates])
    np.testing.assert_array_equal(in_numpy(twin.weight_ih_l0), expected)
    assert report.skipped == ("bias_ih_l0", "bias_hh_l0")


def test_a_model_of_keras_is_turned_for_pytorch(client):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise"),
            layers.Conv2D(6, 3, groups=2, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(6, name="out"),
        ]
    )
    twin = nn.ModuleDict(
        {
            "depthwise": nn.Conv2d(4, 8, 3, groups=4),
            "conv": nn.Conv2d(8, 6, 3, groups=2),
            "out": nn.Linear(6, 6),
        }
    )
    weightinit.keras.initialize(model, 42, client=client)
    published = weightinit.keras.publish(model, 42, client=client).id
    name = lambda name: name.replace(".weight", "/kernel").replace(".", "/")  # noqa: E731
    weightinit.torch.initialize_(twin, published, rename=name, client=client)
    kernels = [in_numpy(twin[layer].weight) for layer in ("depthwise", "conv", "out")]
    depthwise, _, conv, _, out, _ = model.get_weights()
    np.testing.assert_array_equal(kernels[0], depthwise.transpose(2, 3, 0, 1).reshape(8, 1, 3, 3))
    np.testing.assert_array_equal(kernels[1], conv.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(kernels[2], out.T)
