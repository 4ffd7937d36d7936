"""`check` with states that start at zero, mapped functions, and operations that JAX cannot differentiate."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from weightinit.adapters.rules import ModelRejected
from weightinit.jax import Applied, check

KEY = jax.random.key(0)
SEQUENCE = jax.random.normal(KEY, (32, 5, 6))


def make_linen(cell):
    module = nn.RNN(cell(8))
    return Applied(module, module.init(KEY, SEQUENCE))


def make_nnx(cell):
    model = nnx.RNN(cell(6, 8, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    return Applied(nnx.RNN.__call__, model)


class Equinox(eqx.Module):
    """A cell of Equinox that is scanned over one sequence."""

    cell: eqx.nn.LSTMCell | eqx.nn.GRUCell

    def __call__(self, x):
        state = jnp.zeros(8) if isinstance(self.cell, eqx.nn.GRUCell) else (jnp.zeros(8), jnp.zeros(8))
        return jax.lax.scan(lambda state, one: (self.cell(one, state), 0), state, x)[0]


def make_haiku():
    def run(x):
        core = hk.LSTM(8)
        return hk.dynamic_unroll(core, x, core.initial_state(32), time_major=False)[0]

    net = hk.without_apply_rng(hk.transform(run))
    return Applied(net.apply, net.init(KEY, SEQUENCE))


RECURRENT = {
    "linen lstm": lambda: make_linen(nn.LSTMCell),
    "linen optimized lstm": lambda: make_linen(nn.OptimizedLSTMCell),
    "linen gru": lambda: make_linen(nn.GRUCell),
    "nnx lstm": lambda: make_nnx(nnx.LSTMCell),
    "nnx gru": lambda: make_nnx(nnx.GRUCell),
    "equinox lstm": lambda: Equinox(eqx.nn.LSTMCell(6, 8, key=KEY)),
    "equinox gru": lambda: Equinox(eqx.nn.GRUCell(6, 8, key=KEY)),
    "haiku lstm": make_haiku,
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_no_gate_is_said_to_get_no_gradient_where_the_state_begins_at_zero(kind):
    flags = {flag for row in check(RECURRENT[kind](), SEQUENCE) for flag in row.flags}
    assert not flags & {"no gradient", "zero"}


def test_a_state_of_zeros_that_is_given_is_no_fault_either():
    module = nn.LSTMCell(8)
    x, zeros = jnp.ones((32, 6)), (jnp.zeros((32, 8)), jnp.zeros((32, 8)))
    model = Applied(module, module.init(KEY, zeros, x))
    assert [(row.name, row.flags) for row in check(model, (zeros, x)).flagged] == []


def test_a_parameter_of_zeros_that_lets_no_gradient_back_is_a_fault():
    class Gated(eqx.Module):
        layer: eqx.nn.Linear
        gate: jax.Array

        def __call__(self, x):
            return x + self.gate * self.layer(x)

    model = Gated(eqx.nn.Linear(6, 6, key=KEY), jnp.zeros(6))
    assert "no gradient" in check(model, SEQUENCE[:, 0])["layer"].flags


@pytest.mark.parametrize("hidden", [16, 32])
def test_a_mapped_layer_has_its_samples_first(hidden):
    model = eqx.nn.MLP(6, 2, hidden, 2, key=KEY)
    report = check(model, SEQUENCE[:, 0])
    assert [row.shape for row in report.layers] == [(32, hidden), (32, hidden), (32, 2)]
    assert {row.shape for row in report} == {(32, hidden), (32, 2)}


def test_a_mapped_convolution_has_its_samples_first():
    model = eqx.nn.Sequential([eqx.nn.Conv2d(3, 8, 3, key=KEY), eqx.nn.Lambda(jax.nn.relu)])
    report = check(model, jax.random.normal(KEY, (4, 3, 9, 9)))
    assert {row.shape for row in report} == {(4, 8, 7, 7)}


def test_a_unit_of_a_mapped_layer_that_is_zero_for_every_sample_is_dead():
    def dead(one):
        return one.at[:15].set(-100.0)

    model = eqx.nn.Sequential([eqx.nn.Linear(6, 16, key=KEY), eqx.nn.Lambda(jax.nn.relu)])
    model = eqx.tree_at(lambda model: model.layers[0].bias, model, replace_fn=dead)
    (relu,) = [row for row in check(model, SEQUENCE[:, 0]) if row.kind == "relu"]
    assert "dead" in relu.flags


class Loop(nnx.Module):
    """A layer, and a loop of which nobody knows how often it runs."""

    def __init__(self, loop):
        self.layer = nnx.Linear(6, 6, rngs=nnx.Rngs(0))
        self.loop = loop

    def __call__(self, x):
        return self.loop(self.layer(x))


def halve(x):
    return jax.lax.while_loop(lambda x: jnp.abs(x).max() > 1, lambda x: x / 2, x)


def call_back(x):
    return jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


@pytest.mark.parametrize("loop", [halve, call_back])
def test_what_jax_cannot_derive_is_refused(loop):
    with pytest.raises(ModelRejected, match="the model cannot be differentiated: ValueError"):
        check(Loop(loop), 100 * SEQUENCE[:, 0])


def test_what_the_loss_raises_is_raised():
    def fail(outputs):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        check(Loop(jnp.tanh), SEQUENCE[:, 0], loss=fail)
