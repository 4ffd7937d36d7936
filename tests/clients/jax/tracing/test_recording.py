"""The axes of a kernel and what follows it are found in a traced program, however it is written."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from weightinit.jax import Applied
from weightinit.jax.activations import ActivationFinder
from weightinit.jax.models import open_model

KEY = jax.random.key(0)
X = jnp.zeros((1, 8))


def find(function, params, *inputs):
    """What a function of parameters shows of them."""
    return ActivationFinder(open_model(Applied(function, params, *inputs)))


def find_linen(module, *inputs):
    return find(module.apply, jax.eval_shape(module.init, KEY, *inputs), *inputs)


def name(inference):
    return None if inference.certainty == "unknown" else inference.activation or "none"


def read(finder, path):
    """The activation that follows a kernel: "none" for none, None where it is not known."""
    return name(finder.find(path))


def read_parts(finder, path):
    return [(length, name(one)) for length, one in finder.find(path).parts.values()]


def multiply(function):
    """A function between two kernels."""
    params = {"a": jnp.zeros((8, 4)), "b": jnp.zeros((4, 3))}
    return find(lambda params, x: function(x @ params["a"]) @ params["b"], params, X)


# Hendrycks & Gimpel 2016, Ramachandran et al. 2017, Howard et al. 2019, each as it may be written by hand.
SPELLED = {
    "relu": lambda x: jnp.maximum(x, 0),
    "relu by where": lambda x: jnp.where(x > 0, x, 0),
    "leaky_relu": lambda x: jnp.where(x > 0, x, 0.2 * x),
    "gelu": lambda x: x * 0.5 * (1 + jax.lax.erf(x / np.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + jnp.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
    "silu": lambda x: x / (1 + jnp.exp(-x)),
    "mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    "hard_sigmoid": lambda x: jax.nn.relu6(x + 3) / 6,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "none": lambda x: 2 * x - 1,
    "none by norm": lambda x: (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + 1e-5),
    "relu behind norm": lambda x: jax.nn.relu(x * jax.lax.rsqrt((x**2).mean(-1, keepdims=True) + 1e-6)),
    "softmax": jax.nn.softmax,
    "tanh under remat": jax.checkpoint(jnp.tanh),
}


@pytest.mark.parametrize("name", SPELLED)
def test_a_function_is_known_by_its_values(name):
    assert read(multiply(SPELLED[name]), "a") == name.split()[0]


@pytest.mark.parametrize("function", [jnp.sin, lambda x: jnp.abs(jnp.fft.fft(x)), jnp.square])
def test_what_is_not_in_the_table_is_not_known(function):
    assert read(multiply(function), "a") is None


def test_a_gate_and_its_linear_half_are_told_apart():
    params = {name: jnp.zeros((8, 8)) for name in ("gate", "up", "down")}
    found = find(lambda p, x: (jax.nn.silu(x @ p["gate"]) * (x @ p["up"])) @ p["down"], params, X)
    assert [read(found, name) for name in params] == ["silu", "swiglu", "none"]


def test_squeeze_and_excitation_is_no_gated_unit():
    params = {"a": jnp.zeros((8, 8)), "b": jnp.zeros((8, 8))}

    def run(params, x):
        y = x @ params["a"]
        return y * jax.nn.sigmoid(y.mean(0, keepdims=True) @ params["b"])

    found = find(run, params, X)
    assert [read(found, name) for name in params] == ["none", "sigmoid"]


def test_the_parts_of_a_fused_kernel_are_seen():
    params = {"qkv": jnp.zeros((8, 24))}

    def run(params, x):
        q, k, v = jnp.split(x @ params["qkv"], 3, -1)
        return jax.nn.softmax(q @ k.T) @ v

    assert read_parts(find(run, params, X), "qkv") == [(8, "none")] * 3


def stack(body, length, **options):
    return nn.scan(body, variable_axes={"params": 0}, split_rngs={"params": True}, length=length, **options)


class Block(nn.Module):
    """A layer that is scanned over."""

    @nn.compact
    def __call__(self, x, _):
        return nn.relu(nn.Dense(8)(x)), None


LAYERS = {
    "dense": (nn.Dense(3), (1, 8), "IO", 1),
    "general": (nn.DenseGeneral((4, 8)), (1, 16), "IOO", 1),
    "two inputs": (nn.DenseGeneral(6, axis=(-2, -1)), (1, 4, 8), "IIO", 1),
    "batched": (nn.DenseGeneral(6, batch_dims=(0,)), (4, 1, 8), "BIO", 1),
    "einsum": (nn.Einsum((4, 8, 3), "ab,cbd->acd"), (1, 8), "OIO", 1),
    "conv": (nn.Conv(6, (3,)), (1, 9, 4), "WIO", 1),
    "grouped": (nn.Conv(6, (3, 3), feature_group_count=2), (1, 9, 9, 4), "HWIO", 2),
    "depthwise": (nn.Conv(8, (3, 3), feature_group_count=4), (1, 9, 9, 4), "HWIO", 4),
    "transposed": (nn.ConvTranspose(6, (3, 3)), (1, 9, 9, 4), "HWIO", 1),
    "transpose_kernel": (nn.ConvTranspose(6, (3, 3), transpose_kernel=True), (1, 9, 9, 4), "HWOI", 1),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_axes_of_a_layer_of_linen(name):
    module, shape, layout, groups = LAYERS[name]
    use = find_linen(module, jnp.zeros(shape)).uses.layouts["params/kernel"]
    assert (use.layout, use.groups) == (layout, groups)


def test_layers_that_are_scanned_over_are_stacked():
    found = find_linen(stack(Block, 12)(), X, None)
    assert found.uses.layouts["params/Dense_0/kernel"].layout == "BIO"
    assert read(found, "params/Dense_0/kernel") == "relu"


@pytest.mark.parametrize(
    ("module", "shape", "layout"),
    [
        (nn.Dense(6), (1, 4), "BIO"),
        (nn.Conv(6, (3,)), (1, 9, 4), "BWIO"),
        (nn.DenseGeneral((4, 16)), (1, 64), "BIOO"),
    ],
)
def test_layers_under_vmap_are_stacked(module, shape, layout):
    params = jax.vmap(lambda key: module.init(key, jnp.zeros(shape)))(jax.random.split(KEY, 12))
    found = find(jax.vmap(module.apply), params, jnp.zeros((12, *shape)))
    assert found.uses.layouts["params/kernel"].layout == layout


def test_experts_are_kernels_of_their_own():
    params = {"up": jnp.zeros((8, 64, 256)), "down": jnp.zeros((8, 256, 64))}

    def run(params, x):
        hidden = jax.nn.relu(jnp.einsum("ebd,edf->ebf", x, params["up"]))
        return jnp.einsum("ebf,efd->ebd", hidden, params["down"])

    found = find(run, params, jnp.zeros((8, 5, 64)))
    assert [found.uses.layouts[name].layout for name in params] == ["BIO", "BIO"]
    assert read(found, "up") == "relu"


LSTM = {"i": "sigmoid", "f": "sigmoid", "g": "tanh", "o": "sigmoid"}


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.OptimizedLSTMCell])
def test_the_gates_of_an_lstm_end_in_what_hochreiter_has(cell):
    found = find_linen(nn.RNN(cell(5)), jnp.zeros((1, 4, 3)))
    gates = {f"{side}{gate}": activation for side in "ih" for gate, activation in LSTM.items()}
    assert {gate: read(found, f"params/cell/{gate}/kernel") for gate in gates} == gates


def test_a_table_is_looked_up():
    assert find_linen(nn.Embed(9, 4), jnp.zeros((1, 3), int)).uses.lookups == {"params/embedding"}
