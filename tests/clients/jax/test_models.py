"""Axes and activations are found in NNX, Linen and Equinox modules and in functions of trees."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from weightinit.adapters.rules import UnknownActivationWarning
from weightinit.jax import Applied, ModelRejected, initialize, plan, publish

from tests.clients.drawing import draw

KEY = jax.random.key(0)
RNGS = nnx.Rngs(0)


class MLP(nnx.Module):
    """Two layers with a norm between them."""

    def __init__(self, rngs):
        self.hidden = nnx.Linear(5, 7, rngs=rngs)
        self.norm = nnx.LayerNorm(7, rngs=rngs)
        self.out = nnx.Linear(7, 3, rngs=rngs)

    def __call__(self, x):
        return self.out(jax.nn.relu(self.norm(self.hidden(x))))


def describe(model, client, **said):
    """Layout, activation, fan_in and fan_out of each kernel."""
    rows = [row for row in plan(model, 42, client=client, **said) if row.layout]
    return {row.name: (row.layout, row.activation, row.fan_in, row.fan_out) for row in rows}


def test_a_module_of_nnx_is_updated_and_returned(client):
    model = MLP(nnx.Rngs(0))
    assert initialize(model, 42, client=client) is model
    np.testing.assert_array_equal(
        model.hidden.kernel[...], draw(5, 7, name="hidden/kernel", activation="relu")
    )
    np.testing.assert_array_equal(model.out.kernel[...], draw(7, 3, name="out/kernel"))


def test_what_is_seen_is_certain(client):
    assert {row.certainty for row in plan(MLP(nnx.Rngs(0)), 42, client=client)} == {"certain"}


def test_an_abstract_module_of_nnx_comes_back_whole(client):
    model = initialize(nnx.eval_shape(lambda: MLP(nnx.Rngs(0))), 42, client=client)
    assert [
        leaf for leaf in jax.tree.leaves(nnx.state(model)) if isinstance(leaf, jax.ShapeDtypeStruct)
    ] == []
    assert (model.norm.scale[...].tolist(), model.norm.bias[...].tolist()) == ([1] * 7, [0] * 7)


def make_normed(rngs):
    return nnx.Sequential(nnx.Linear(5, 7, rngs=rngs), nnx.BatchNorm(7, use_running_average=True, rngs=rngs))


def test_running_statistics_of_an_abstract_module_are_filled(client):
    model = nnx.eval_shape(lambda: make_normed(nnx.Rngs(0)))
    model = initialize(model, 42, client=client)
    norm = model.layers[1]
    assert (norm.mean[...].tolist(), norm.var[...].tolist()) == ([0] * 7, [1] * 7)


def test_an_abstract_leaf_of_which_nothing_is_known_is_named(client):
    tree = jax.eval_shape(lambda: {"out": {"kernel": jnp.zeros((7, 3))}, "table": jnp.zeros((2, 2))})
    with pytest.raises(ModelRejected, match="table: nothing determines how to initialize"):
        plan(tree, 42, rules={"*": {"activation": "none"}}, client=client)


def test_the_bias_that_a_module_was_made_with_is_kept(client):
    layer = nnx.Linear(5, 7, bias_init=nnx.initializers.constant(0.5), rngs=nnx.Rngs(0))
    assert initialize(layer, 42, client=client).bias[...].tolist() == [0.5] * 7


@pytest.mark.parametrize(
    ("layer", "layout", "fan_in", "fan_out"),
    [
        (nnx.LinearGeneral(16, (4, 8), rngs=RNGS), "IOO", 16, 32),
        (nnx.Conv(4, 8, (3, 3), feature_group_count=4, rngs=RNGS), "HWIO", 9, 18),
        (nnx.Conv(4, 6, (3, 3), feature_group_count=2, rngs=RNGS), "HWIO", 18, 27),
        (nnx.ConvTranspose(4, 6, (3, 3), transpose_kernel=True, rngs=RNGS), "HWOI", 36, 54),
        (nnx.Einsum("bi,ij->bj", (5, 7), rngs=RNGS), "IO", 5, 7),
    ],
)
def test_the_fans_of_a_layer_of_nnx(layer, layout, fan_in, fan_out, client):
    assert describe(layer, client)["kernel"] == (layout, "none", fan_in, fan_out)


@nnx.vmap(in_axes=0, out_axes=0)
def make_query(key):
    return nnx.LinearGeneral(64, (4, 16), rngs=nnx.Rngs(key))


@pytest.mark.parametrize("axis", [0, None])
def test_a_stacked_query_has_the_fans_of_one_layer_whether_its_input_is_stacked_or_shared(axis, client):
    def run(layers, x):
        return nnx.vmap(lambda layer, x: layer(x), in_axes=(0, axis))(layers, x)

    inputs = jnp.zeros((12, 1, 64) if axis == 0 else (1, 64))
    layers = make_query(jax.random.split(KEY, 12))
    assert describe(Applied(run, layers, inputs), client) == {"kernel": ("BIOO", "none", 64, 64)}


def test_the_second_factor_of_lora_begins_at_zero(client):
    layer = initialize(nnx.LoRA(4, 2, 6, rngs=nnx.Rngs(0)), 42, client=client)
    assert (layer.lora_a[...].any(), layer.lora_b[...].any()) == (True, False)


def test_a_convolution_named_query_is_one(client):
    class Model(nnx.Module):
        def __init__(self):
            self.query = nnx.Conv(4, 8, (3,), rngs=RNGS)

        def __call__(self, x):
            return jax.nn.silu(self.query(x))

    assert describe(Model(), client) == {"query/kernel": ("WIO", "silu", 12, 24)}


class Scanned(nnx.Module):
    """Blocks of a transformer that are scanned over."""

    def __init__(self, rngs):
        @nnx.split_rngs(splits=12)
        @nnx.vmap(in_axes=0, out_axes=0)
        def make(rngs):
            return FeedForward(rngs)

        self.blocks = make(rngs)

    def __call__(self, x):
        return nnx.scan(lambda x, block: block(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)(x, self.blocks)


class FeedForward(nnx.Module):
    """Attention and an MLP, both with residuals."""

    def __init__(self, rngs):
        self.attention = nnx.MultiHeadAttention(4, 64, decode=False, rngs=rngs)
        self.up = nnx.Linear(64, 256, rngs=rngs)
        self.down = nnx.Linear(256, 64, rngs=rngs)

    def __call__(self, x):
        x = x + self.attention(x)
        return x + self.down(jax.nn.gelu(self.up(x)))


def test_a_scanned_transformer_of_nnx_has_the_fans_of_one_layer(client):
    found = describe(Applied(Scanned.__call__, Scanned(nnx.Rngs(0)), jnp.zeros((1, 5, 64))), client)
    assert found["blocks/attention/query/kernel"] == ("BIOO", "none", 64, 64)
    assert found["blocks/attention/out/kernel"] == ("BIIO", "none", 64, 64)
    assert found["blocks/up/kernel"] == ("BIO", "gelu_tanh", 64, 256)
    assert found["blocks/down/kernel"] == ("BIO", "none", 256, 64)


def test_the_inputs_of_a_scanned_transformer_can_be_guessed(client):
    assert describe(Scanned(nnx.Rngs(0)), client)["blocks/up/kernel"] == ("BIO", "gelu_tanh", 64, 256)


@pytest.mark.parametrize("gate", ["i", "f", "g", "o"])
def test_the_gates_of_an_optimized_lstm_are_kernels_of_their_own(gate, client):
    model = nnx.RNN(nnx.OptimizedLSTMCell(3, 5, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    found = describe(Applied(nnx.RNN.__call__, model, jnp.zeros((1, 4, 3))), client)
    index = "ifgo".index(gate)
    activation = "tanh" if gate == "g" else "sigmoid"
    assert found[f"cell/dense_i/kernel.{index}"] == ("IO", activation, 3, 5)
    assert found[f"cell/dense_h/kernel.{index}"] == ("IO", activation, 5, 5)


class Linen(nn.Module):
    """The MLP in Linen."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="out")(nn.relu(nn.Dense(7, name="hidden")(x)))


def test_a_bound_module_of_linen_is_returned_bound(client):
    module = Linen()
    bound = module.bind(module.init(KEY, jnp.zeros((1, 5))))
    drawn = initialize(bound, 42, client=client).variables["params"]
    expected = draw(5, 7, name="params/hidden/kernel", activation="relu")
    np.testing.assert_array_equal(drawn["hidden"]["kernel"], expected)


def test_the_variables_of_linen_are_applied_by_their_module(client):
    module = Linen()
    variables = jax.eval_shape(module.init, KEY, jnp.zeros((1, 5)))
    drawn = initialize(Applied(module, variables, jnp.zeros((1, 5))), 42, client=client)
    assert drawn["params"]["hidden"]["bias"].tolist() == [0] * 7
    np.testing.assert_array_equal(drawn["params"]["out"]["kernel"], draw(7, 3, name="params/out/kernel"))


def test_an_mlp_of_equinox(client):
    model = eqx.nn.MLP(5, 3, 7, 1, key=KEY)
    drawn = initialize(model, 42, client=client)
    expected = draw(7, 5, name="layers/0/weight", layout="OI", activation="relu")
    np.testing.assert_array_equal(drawn.layers[0].weight, expected)
    assert drawn.layers[0].bias.tolist() == [0] * 7
    assert drawn.activation is model.activation


def test_a_convolution_of_equinox(client):
    model = eqx.nn.Sequential([eqx.nn.Conv2d(3, 6, 3, groups=3, key=KEY), eqx.nn.Lambda(jax.nn.silu)])
    assert describe(model, client) == {"layers/0/weight": ("OIHW", "silu", 9, 18)}


def test_an_mlp_of_haiku(client):
    def apply(x):
        return hk.nets.MLP([7, 3])(x)

    net = hk.without_apply_rng(hk.transform(apply))
    params = net.init(KEY, jnp.zeros((1, 5)))
    found = describe(Applied(net.apply, params, jnp.zeros((1, 5))), client)
    assert found == {"mlp/~/linear_0/w": ("IO", "relu", 5, 7), "mlp/~/linear_1/w": ("IO", "none", 7, 3)}


def test_what_cannot_be_called_at_guessed_inputs_is_said_to_be_unknown(client):
    class Model(nnx.Module):
        def __init__(self):
            self.layer = nnx.Linear(5, 7, rngs=RNGS)

        def __call__(self, x, y):
            return self.layer(x) * y

    with pytest.warns(UnknownActivationWarning, match="its inputs could not be guessed"):
        found = plan(Model(), 42, client=client)
    assert found.unknown == ("layer/kernel",)


def test_a_module_is_published_with_its_constants(client):
    published = publish(MLP(nnx.Rngs(0)), 42, client=client)
    tensors = {tensor.name: tensor.parts[0] for tensor in client.model(published.id).tensors}
    assert (tensors["norm/scale"].value, tensors["norm/bias"].value) == (1, 0)
    assert tensors["hidden/kernel"].spec.activation == "relu"
