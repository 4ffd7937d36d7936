"""A model initialized by the id under which it was published gets the same bits as by the seed."""

import itertools
import json

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from weightinit.adapters.rules import TensorRejected
from weightinit.jax import Applied, initialize, plan, publish

KEY = jax.random.key(0)
FLAT, SEQUENCE, IMAGE = jnp.zeros((1, 6)), jnp.zeros((1, 5, 6)), jnp.zeros((1, 8, 8, 3))


def apply_linen(function, *inputs):
    class Model(nn.Module):
        @nn.compact
        def __call__(self, *inputs):
            return function(*inputs)

    model = Model()
    return Applied(model, model.init(KEY, *inputs), *inputs)


def split(lengths):
    """A layer whose outputs are split into parts, each with a function of its own."""

    def run(x):
        stops = np.cumsum(lengths)[:-1].tolist()
        parts = jnp.split(nn.Dense(sum(lengths), name="packed")(x), stops, -1)
        functions = itertools.cycle((jnp.tanh, nn.relu, nn.sigmoid, nn.silu))
        return [nn.Dense(2)(function(part)) for function, part in zip(functions, parts, strict=False)]

    return lambda: apply_linen(run, FLAT)


def attend(x):
    q, k, v = jnp.split(nn.Dense(18, name="qkv", use_bias=False)(x), 3, -1)
    return nn.softmax(q @ k.swapaxes(-1, -2)) @ v


def convolve(x):
    left, right = jnp.split(nn.Conv(8, (3, 3), feature_group_count=1, name="packed")(x), 2, -1)
    return nn.Conv(2, (3, 3))(jnp.tanh(left) * nn.sigmoid(right))


def norm(x):
    return nn.Dense(2)(nn.relu(nn.BatchNorm(use_running_average=True)(nn.Conv(4, (3, 3))(x))))


def scan(cell):
    def run(x):
        return nn.RNN(cell(8))(x)

    return run


class Unpacked(eqx.Module):
    """Equinox: outputs come first."""

    packed: eqx.nn.Linear
    out: eqx.nn.Linear

    def __call__(self, x):
        left, right = jnp.split(self.packed(x), [3])
        return self.out(jnp.concatenate([jnp.tanh(left), jax.nn.relu(right)]))


class Recurrent(nnx.Module):
    """A cell of NNX, and a head."""

    def __init__(self, cell):
        self.cell = nnx.RNN(cell(6, 8, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
        self.head = nnx.Linear(8, 2, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return self.head(self.cell(x))


def make_recurrent(cell):
    return lambda: Applied(Recurrent.__call__, Recurrent(cell), SEQUENCE)


def make_haiku():
    net = hk.without_apply_rng(hk.transform(lambda x: hk.LSTM(8)(x, hk.LSTM(8).initial_state(1))[0]))
    return Applied(net.apply, net.init(KEY, FLAT), FLAT)


MODELS = {
    "equal parts": split([4, 4]),
    "parts of three lengths": split([2, 5, 3]),
    "more parts than are told apart by one digit": split([2] * 12),
    "attention": lambda: apply_linen(attend, SEQUENCE),
    "gated convolution": lambda: apply_linen(convolve, IMAGE),
    "batch norm": lambda: apply_linen(norm, IMAGE),
    "linen lstm": lambda: apply_linen(scan(nn.LSTMCell), SEQUENCE),
    "linen optimized lstm": lambda: apply_linen(scan(nn.OptimizedLSTMCell), SEQUENCE),
    "linen gru": lambda: apply_linen(scan(nn.GRUCell), SEQUENCE),
    "linen attention": lambda: apply_linen(lambda x: nn.MultiHeadDotProductAttention(2)(x, x), SEQUENCE),
    "nnx gru": make_recurrent(nnx.GRUCell),
    "nnx lstm": make_recurrent(nnx.LSTMCell),
    "nnx optimized lstm": make_recurrent(nnx.OptimizedLSTMCell),
    "nnx weight norm": lambda: nnx.WeightNorm(nnx.Linear(6, 8, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0)),
    "equinox mlp": lambda: eqx.nn.MLP(6, 2, 8, 2, key=KEY),
    "equinox parts": lambda: Unpacked(eqx.nn.Linear(6, 8, key=KEY), eqx.nn.Linear(8, 2, key=KEY)),
    "equinox lstm": lambda: Applied(
        lambda cell, x, h: cell(x, (h, h)), eqx.nn.LSTMCell(6, 8, key=KEY), jnp.zeros(6), jnp.zeros(8)
    ),
    "haiku lstm": make_haiku,
}


def read(model):
    return jax.tree.leaves(nnx.state(model, nnx.Param) if isinstance(model, nnx.Module) else model)


@pytest.mark.filterwarnings("ignore::weightinit.adapters.rules.UnknownActivationWarning")
@pytest.mark.parametrize("kind", MODELS)
def test_a_model_that_is_published_is_initialized_by_its_id_as_by_its_seed(kind, client):
    make = MODELS[kind]
    published = publish(make(), 7, client=client)
    expected, found = (read(initialize(make(), start, client=client)) for start in (7, published.id))
    arrays = [(one, other) for one, other in zip(expected, found, strict=True) if hasattr(one, "shape")]
    assert arrays
    for one, other in arrays:
        np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore::weightinit.adapters.rules.UnknownActivationWarning")
@pytest.mark.parametrize("kind", MODELS)
def test_the_report_of_a_plan_is_json(kind, client):
    assert json.loads(plan(MODELS[kind](), 7, client=client).to_json())["tensors"]


def test_parts_that_do_not_make_up_a_kernel_are_refused(client):
    published = publish(split([4, 4])(), 7, client=client)
    with pytest.raises(ValueError, match=r"params/packed/kernel \[6, 10\] IO is published as"):
        initialize(split([5, 5])(), published.id, client=client)


def test_a_dtype_that_is_not_served_is_refused_by_the_name_of_its_leaf(client):
    tree = {"layer": {"kernel": jnp.zeros((4, 4), jnp.complex64)}}
    with pytest.raises(TensorRejected, match="layer/kernel: dtype must be one of"):
        plan(tree, 7, rules={"*": {"activation": "none"}}, client=client)


def test_running_statistics_are_published(client):
    tensors = client.model(publish(MODELS["batch norm"](), 7, client=client).id).tensors
    values = {tensor.name: tensor.parts[0].value for tensor in tensors}
    assert (values["batch_stats/BatchNorm_0/mean"], values["batch_stats/BatchNorm_0/var"]) == (0, 1)
