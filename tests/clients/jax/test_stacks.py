"""The axis of stacked kernels is not one of outputs: declared by layers, or otherwise guessed."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from weightinit.jax import Applied, initialize, plan, publish

from tests.clients.drawing import draw

KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 4)
X = jnp.zeros((2, 5))


def describe(model, client):
    """Layout, fan_in, fan_out and certainty of each kernel."""
    rows = [row for row in plan(model, 42, client=client) if row.layout]
    return {row.name: (row.layout, row.fan_in, row.fan_out, row.certainty) for row in rows}


def apply_linen(module, *inputs):
    return Applied(module, jax.eval_shape(module.init, KEY, *inputs), *inputs)


def stack(layer, axis):
    options = {"in_axes": None, "variable_axes": {"params": axis}, "split_rngs": {"params": True}}
    return nn.vmap(layer, **options, axis_size=4)


class Own(nn.Module):
    """A layer with a kernel of its own."""

    @nn.compact
    def __call__(self, x):
        return x @ self.param("w", nn.initializers.lecun_normal(), (x.shape[-1], 7))


@pytest.mark.parametrize(("axis", "layout"), [(0, "BIO"), (1, "IBO")])
def test_an_ensemble_of_linen_over_one_input(axis, layout, client):
    found = describe(apply_linen(stack(nn.Dense, axis)(7), X), client)
    assert found == {"params/kernel": (layout, 5, 7, "certain")}


def test_an_ensemble_of_layers_of_one_s_own(client):
    assert describe(apply_linen(stack(Own, 0)(), X), client) == {"params/w": ("BIO", 5, 7, "certain")}


def test_a_stack_whose_length_is_that_of_its_inputs(client):
    found = describe(apply_linen(stack(nn.Dense, 0)(7), jnp.zeros((2, 4))), client)
    assert found == {"params/kernel": ("BIO", 4, 7, "certain")}


@pytest.mark.parametrize(
    ("module", "shape", "row"),
    [
        (nn.Dense(7), (2, 5), ("BIO", 5, 7)),
        (nn.DenseGeneral((3, 4)), (2, 5), ("BIOO", 5, 12)),
        (nn.Conv(6, (3, 3)), (1, 8, 8, 3), ("BHWIO", 27, 54)),
    ],
)
def test_variables_of_linen_that_are_mapped_over_by_jax(module, shape, row, client):
    inputs = jnp.zeros(shape)
    variables = jax.vmap(module.init, (0, None))(KEYS, inputs)
    found = describe(Applied(jax.vmap(module.apply, (0, None)), variables, inputs), client)
    assert found == {"params/kernel": (*row, "certain")}


def test_parameters_of_haiku_that_are_mapped_over_by_jax(client):
    def apply(x):
        return hk.Linear(7)(x)

    net = hk.without_apply_rng(hk.transform(apply))
    params = jax.vmap(net.init, (0, None))(KEYS, X)
    found = describe(Applied(jax.vmap(net.apply, (0, None)), params, X), client)
    assert found == {"linear/w": ("BIO", 5, 7, "certain")}


def share(layers, x):
    return eqx.filter_vmap(lambda layer, x: layer(x), in_axes=(eqx.if_array(0), None))(layers, x)


@pytest.mark.parametrize(
    ("make", "shape", "row"),
    [
        (lambda key: eqx.nn.Linear(5, 7, key=key), (5,), ("BOI", 5, 7)),
        (lambda key: eqx.nn.Conv2d(3, 6, 3, key=key), (3, 8, 8), ("BOIHW", 27, 54)),
        (lambda key: eqx.nn.Conv1d(4, 6, 3, groups=2, key=key), (4, 8), ("BOIW", 6, 9)),
    ],
)
def test_an_ensemble_of_equinox_over_one_input(make, shape, row, client):
    found = describe(Applied(share, eqx.filter_vmap(make)(KEYS), jnp.zeros(shape)), client)
    assert found == {"weight": (*row, "certain")}


def test_an_axis_that_nnx_has_stacked_behind_the_inputs(client):
    axes = nnx.StateAxes({nnx.Param: 1, ...: 0})

    @nnx.split_rngs(splits=4)
    @nnx.vmap(in_axes=0, out_axes=axes)
    def make(rngs):
        return nnx.Linear(5, 7, rngs=rngs)

    def run(layers, x):
        return nnx.vmap(lambda layer, x: layer(x), in_axes=(axes, None))(layers, x)

    found = describe(Applied(run, make(nnx.Rngs(0)), X), client)
    assert found == {"kernel": ("IBO", 5, 7, "certain")}


def test_a_layer_with_several_axes_of_outputs_is_certain_of_them(client):
    found = describe(apply_linen(nn.DenseGeneral((3, 4)), X), client)
    assert found == {"params/kernel": ("IOO", 5, 12, "certain")}


@pytest.mark.parametrize(
    ("equation", "shape", "row"),
    [
        ("bi,eio->beo", (4, 5, 7), ("BIO", 5, 7)),
        ("bi,eoi->beo", (4, 7, 5), ("BOI", 5, 7)),
        ("bi,ieo->beo", (5, 4, 7), ("IOO", 5, 28)),
        ("bi,enio->beno", (4, 2, 5, 7), ("BOIO", 5, 14)),
    ],
)
def test_experts_that_share_an_input_are_guessed(equation, shape, row, client):
    run = Applied(lambda params, x: jnp.einsum(equation, x, params["w"]), {"w": jnp.zeros(shape)}, X)
    assert describe(run, client) == {"w": (*row, "guessed")}
    assert "may be of stacked kernels" in plan(run, 42, client=client)["w"].reason


@pytest.mark.parametrize("axis", [None, 0])
def test_a_function_that_is_mapped_over_kernels(axis, client):
    inputs = X if axis is None else jnp.zeros((4, 2, 5))
    run = jax.vmap(lambda params, x: x @ params["w"], (0, axis))
    found = describe(Applied(run, {"w": jnp.zeros((4, 5, 7))}, inputs), client)
    assert found == {"w": ("BIO", 5, 7, "guessed" if axis is None else "certain")}


def test_experts_of_a_ragged_product(client):
    params = {"up": jnp.zeros((4, 5, 7)), "down": jnp.zeros((4, 7, 5))}

    def run(params, x, sizes):
        hidden = jax.nn.silu(jax.lax.ragged_dot(x, params["up"], sizes))
        return jax.lax.ragged_dot(hidden, params["down"], sizes)

    model = Applied(run, params, jnp.zeros((6, 5)), jnp.zeros(4, int))
    assert describe(model, client) == {"up": ("BIO", 5, 7, "certain"), "down": ("BIO", 7, 5, "certain")}
    assert plan(model, 42, client=client)["up"].activation == "silu"


def test_experts_that_are_picked_for_each_token(client):
    def run(params, x):
        score, which = jax.lax.top_k(x @ params["router"], 2)
        return jnp.einsum(
            "bk,bko->bo", jax.nn.softmax(score), jnp.einsum("bi,bkio->bko", x, params["w"][which])
        )

    found = describe(Applied(run, {"router": jnp.zeros((5, 4)), "w": jnp.zeros((4, 5, 7))}, X), client)
    assert found == {"router": ("IO", 5, 4, "certain"), "w": ("BIO", 5, 7, "certain")}


def test_a_query_key_value_kernel_with_an_axis_of_three_has_the_fans_of_one(client):
    def run(params, x):
        q, k, v = jnp.moveaxis(jnp.einsum("bi,ichd->bchd", x, params["w"]), 1, 0)
        return jnp.einsum("hbc,chd->bhd", jax.nn.softmax(jnp.einsum("bhd,chd->hbc", q, k)), v)

    found = describe(Applied(run, {"w": jnp.zeros((5, 3, 2, 4))}, X), client)
    assert found == {"w": ("IOOO", 5, 8, "guessed")}


def run_cell(cell, inputs):
    """The last state of a cell of Equinox."""
    zeros = jnp.zeros(cell.hidden_size)
    state = (zeros, zeros) if isinstance(cell, eqx.nn.LSTMCell) else zeros
    return jax.lax.scan(lambda state, x: (cell(x, state), None), state, inputs)[0]


# Hochreiter & Schmidhuber 1997, Gers et al. 2000, Cho et al. 2014; the order is that of the library.
CELLS = {
    eqx.nn.LSTMCell: ["sigmoid", "sigmoid", "tanh", "sigmoid"],
    eqx.nn.GRUCell: ["sigmoid", "sigmoid", "tanh"],
    hk.LSTM: ["sigmoid", "tanh", "sigmoid", "sigmoid"],
    hk.GRU: ["sigmoid", "sigmoid", "tanh"],
}


def read_gates(model, client):
    rows = [row for row in plan(model, 42, client=client) if row.layout]
    return {row.name: (row.activation, row.fan_in, row.fan_out, row.certainty) for row in rows}


@pytest.mark.parametrize("kind", [eqx.nn.LSTMCell, eqx.nn.GRUCell])
def test_the_gates_of_equinox(kind, client):
    cell = kind(3, 5, key=KEY)
    gates = CELLS[kind]
    assert read_gates(Applied(run_cell, cell, jnp.zeros((4, 3))), client) == {
        f"weight_{side}h.{place}" if side == "h" else f"weight_ih.{place}": (gate, inputs, 5, "certain")
        for side, inputs in (("i", 3), ("h", 5))
        for place, gate in enumerate(gates)
    }


def test_a_gate_of_equinox_is_drawn_into_its_rows(client):
    cell = initialize(Applied(run_cell, eqx.nn.LSTMCell(3, 5, key=KEY), jnp.zeros((4, 3))), 42, client=client)
    expected = draw(5, 3, name="weight_ih.2", layout="OI", activation="tanh")
    np.testing.assert_array_equal(cell.weight_ih[10:15], expected)


def test_the_gates_of_stacked_cells(client):
    cells = eqx.filter_vmap(lambda key: eqx.nn.LSTMCell(3, 5, key=key))(KEYS)
    model = Applied(
        lambda cells, x: eqx.filter_vmap(lambda cell: run_cell(cell, x))(cells), cells, jnp.zeros((4, 3))
    )
    found = read_gates(model, client)
    assert [found[f"weight_ih.{place}"] for place in range(4)] == [
        (gate, 3, 5, "certain") for gate in CELLS[eqx.nn.LSTMCell]
    ]


@pytest.mark.parametrize(
    ("kind", "kernels"),
    [(hk.LSTM, {"lstm/linear/w": 8}), (hk.GRU, {"gru/w_i": 3, "gru/w_h": 5})],
)
def test_the_gates_of_haiku(kind, kernels, client):
    def unroll(x):
        cell = kind(5)
        return hk.dynamic_unroll(cell, x, cell.initial_state(1))[0]

    net, inputs = hk.without_apply_rng(hk.transform(unroll)), jnp.zeros((4, 1, 3))
    found = read_gates(Applied(net.apply, net.init(KEY, inputs), inputs), client)
    assert found == {
        f"{path}.{place}": (gate, inputs, 5, "certain")
        for path, inputs in kernels.items()
        for place, gate in enumerate(CELLS[kind])
    }


def split_qkv(params, x):
    q, k, v = jnp.split(x @ params["w"], 3, -1)
    return jax.nn.softmax(q @ k.T) @ v


PACKED = {
    "gates of Equinox": lambda: Applied(run_cell, eqx.nn.LSTMCell(3, 5, key=KEY), jnp.zeros((4, 3))),
    "gates of Linen": lambda: apply_linen(nn.RNN(nn.OptimizedLSTMCell(5)), jnp.zeros((1, 4, 3))),
    "queries, keys and values": lambda: Applied(split_qkv, {"w": jnp.zeros((8, 24))}, jnp.zeros((3, 8))),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_model_with_packed_kernels_is_started_by_what_it_published(name, client):
    model = PACKED[name]()
    published = publish(model, 42, client=client).id
    started, expected = initialize(model, published, client=client), initialize(model, 42, client=client)
    for found, drawn in zip(jax.tree.leaves(started), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(found, drawn)
