"""The recipes torch, keras and flax start a model as its framework does, by the kinds of its layers."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
import weightinit.jax
import weightinit.keras
import weightinit.torch
from flax import linen, nnx
from torch import nn

from tests.clients.recipes.comparing import compare, stack

FEW, MANY = 3, 60  # seeds


def make_torch():
    """Make one of each kind of PyTorch's layers; names tell nothing of the kinds."""
    return nn.ModuleList(
        [
            nn.Linear(24, 10),
            nn.Bilinear(5, 7, 6),
            nn.Conv2d(6, 8, 3, groups=2, stride=2),
            nn.ConvTranspose2d(6, 8, 3, groups=2),
            nn.Embedding(30, 8, padding_idx=2),
            nn.EmbeddingBag(30, 8),
            nn.LSTM(8, 12, proj_size=5, bidirectional=True),
            nn.GRU(8, 12, 2),
            nn.LSTMCell(8, 12),
            nn.GRUCell(8, 12),
            nn.MultiheadAttention(16, 4, add_bias_kv=True),
            nn.MultiheadAttention(16, 4, kdim=12, vdim=10),
            nn.LayerNorm(16),
            nn.GroupNorm(2, 16),
            nn.BatchNorm1d(16),
            nn.PReLU(),
        ]
    )


def check_torch(seeds, client):
    torch.manual_seed(0)
    models = [make_torch() for _ in range(seeds)]

    def read(model):
        return {name: value.detach().numpy().copy() for name, value in model.named_parameters()}

    theirs, model, runs = stack([read(model) for model in models]), models[0], []
    for seed in range(seeds):
        report = weightinit.torch.initialize_(model, seed, recipe="torch", client=client)
        runs.append(read(model))
    compare(stack(runs), theirs, report)
    return report


def make_keras():
    """Make a model of Keras' layers, each with its default initializers."""
    layers = keras.layers
    tokens = keras.Input((9,), name="tokens")
    x = layers.Embedding(30, 16)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    x = layers.Conv1D(12, 3, groups=2)(x)
    x = layers.BatchNormalization()(x)
    x = layers.PReLU()(layers.SeparableConv1D(10, 3)(x))
    x = layers.DepthwiseConv1D(3)(layers.Conv1DTranspose(8, 3)(x))
    x = layers.Bidirectional(layers.LSTM(7, return_sequences=True))(x)
    x = layers.Dropout(0.1)(layers.GRU(6, return_sequences=True)(x))
    return keras.Model(tokens, layers.Dense(4)(layers.SimpleRNN(5)(x)))


def check_keras(seeds, client):
    keras.utils.set_random_seed(0)
    models = [make_keras() for _ in range(seeds)]
    paths = [row.name for row in weightinit.keras.plan(models[0], 0, recipe="keras", client=client)]

    def read(model):
        rows = weightinit.keras.walk.walk_variables(model)
        found = {row.path: keras.ops.convert_to_numpy(row.variable.value).copy() for row in rows}
        return {path: value for path, value in found.items() if value.dtype.kind == "f"}

    theirs, model, runs = stack([read(model) for model in models]), models[0], []
    for seed in range(seeds):
        report = weightinit.keras.initialize(model, seed, recipe="keras", client=client)
        runs.append(read(model))
    compare(stack(runs), theirs, report)
    return paths


class Nnx(nnx.Module):
    """A model of Flax's NNX layers, each with its default initializers."""

    def __init__(self, rngs):
        self.table = nnx.Embed(30, 16, rngs=rngs)
        self.mix = nnx.MultiHeadAttention(2, 16, decode=False, rngs=rngs)
        self.scaled = nnx.BatchNorm(16, rngs=rngs)
        self.window = nnx.Conv(16, 12, (3,), feature_group_count=2, rngs=rngs)
        self.dense = nnx.Linear(12, 5, rngs=rngs)
        self.steps = nnx.RNN(nnx.OptimizedLSTMCell(5, 8, rngs=rngs), rngs=rngs)
        self.gates = nnx.RNN(nnx.GRUCell(8, 6, rngs=rngs), rngs=rngs)

    def __call__(self, tokens):
        x = self.table(tokens)
        x = self.scaled(x + self.mix(x))
        return self.gates(self.steps(self.dense(self.window(x))))


class Linen(linen.Module):
    """A model of Flax's Linen layers, each with its default initializers."""

    @linen.compact
    def __call__(self, x):
        x = linen.LayerNorm()(x + linen.MultiHeadDotProductAttention(2)(x))
        x = linen.RNN(linen.GRUCell(6))(linen.Conv(12, (3,))(x))
        return linen.Dense(3)(linen.RNN(linen.OptimizedLSTMCell(7))(x))


def read_tree(tree):
    """Read the leaves of a tree by path."""
    leaves = weightinit.jax.walk.walk_leaves(tree)
    return {
        path: np.asarray(leaf) for path, leaf in leaves.items() if jnp.issubdtype(leaf.dtype, jnp.floating)
    }


def run_nnx(seeds, drawn, client):
    models = [Nnx(nnx.Rngs(seed)) for seed in range(seeds)]

    def read(model):
        return read_tree(nnx.state(model, (nnx.Param, nnx.BatchStat)))

    theirs, model, runs = [read(model) for model in models], models[0], []
    report = weightinit.jax.plan(model, 0, recipe="flax", client=client)
    for seed in range(drawn):
        weightinit.jax.initialize(model, seed, recipe="flax", client=client)
        runs.append(read(model))
    return runs, theirs, report


def run_linen(seeds, drawn, client):
    x = jnp.zeros((2, 5, 8))
    trees = [Linen().init(jax.random.key(seed), x) for seed in range(seeds)]
    applied = weightinit.jax.Applied(Linen(), trees[0], x)
    report = weightinit.jax.plan(applied, 0, recipe="flax", client=client)
    runs = [
        read_tree(weightinit.jax.initialize(applied, seed, recipe="flax", client=client))
        for seed in range(drawn)
    ]
    return runs, [read_tree(tree) for tree in trees], report


def check_jax(run, seeds, client):
    # Each initialization traces the model, which takes seconds.
    ours, theirs, report = run(seeds, max(1, seeds // 8), client)
    compare(stack(ours), stack(theirs), report)


CHECKS = {
    "torch": check_torch,
    "keras": check_keras,
    "nnx": lambda seeds, client: check_jax(run_nnx, seeds, client),
    "linen": lambda seeds, client: check_jax(run_linen, seeds, client),
}


@pytest.mark.parametrize("name", ["torch", "keras"])
def test_each_tensor_has_the_spread_that_its_framework_gives_it(name, client):
    CHECKS[name](FEW, client)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_each_tensor_has_the_spread_that_its_framework_gives_it_over_many_seeds(name, client):
    CHECKS[name](MANY, client)


MODULES = {"torch": weightinit.torch, "keras": weightinit.keras, "flax": weightinit.jax}
MAKE = {
    "torch": make_torch,
    "keras": make_keras,
    "flax": lambda: Nnx(nnx.Rngs(0)),
}


@pytest.mark.parametrize("recipe", MODULES)
def test_a_kind_of_layer_gives_the_role_and_is_the_reason(recipe, client):
    report = MODULES[recipe].plan(MAKE[recipe](), 1, recipe=recipe, client=client)
    kinds = {
        "torch": ("0.weight", "Linear"),
        "keras": ("dense/kernel", "Dense"),
        "flax": ("dense/kernel", "Linear"),
    }
    name, kind = kinds[recipe]
    row = report[name]
    assert (row.role, row.pattern, row.certainty) == ("kernel", None, "certain")
    assert row.reason.endswith(f"Its role is by its layer, {kind}.")


@pytest.mark.parametrize("recipe", MODULES)
def test_what_is_published_initializes_the_same_model(recipe, client):
    module, make = MODULES[recipe], MAKE[recipe]
    ours, published = make(), module.publish(make(), 5, recipe=recipe, client=client).id
    module.initialize(ours, 5, recipe=recipe, client=client)
    theirs = make()
    module.initialize(theirs, published, client=client)
    assert_equal(recipe, ours, theirs)


def assert_equal(recipe, ours, theirs):
    if recipe == "torch":
        values = [list(model.parameters()) for model in (ours, theirs)]
        assert all(torch.equal(one, other) for one, other in zip(*values, strict=True))
    elif recipe == "keras":
        for one, other in zip(ours.trainable_variables, theirs.trainable_variables, strict=True):
            np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)), err_msg=one.path)
    else:
        jax.tree.map(np.testing.assert_array_equal, *(nnx.state(one, nnx.Param) for one in (ours, theirs)))
