"""Possible kernels that a traced model does not use are reported as unknown."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from weightinit.adapters.rules import UnknownActivationWarning
from weightinit.jax import Applied, ModelRejected, initialize, plan

X = jnp.zeros((2, 5))
PARAMS = {"used": jnp.zeros((5, 7)), "other": jnp.ones((7, 3)), "bias": jnp.ones((2, 7))}


def run(params, x):
    return x @ params["used"] + params["bias"]


def test_a_leaf_that_is_not_used_is_named_and_unknown(client):
    with pytest.warns(UnknownActivationWarning, match="^other: these may be kernels"):
        found = plan(Applied(run, PARAMS, X), 42, client=client)
    assert found.unknown == ("other",)


def test_it_keeps_its_values(client):
    with pytest.warns(UnknownActivationWarning):
        assert initialize(Applied(run, PARAMS, X), 42, client=client)["other"] is PARAMS["other"]


def test_it_is_refused_if_strict(client):
    with pytest.raises(ModelRejected, match="other: these may be kernels"):
        plan(Applied(run, PARAMS, X), 42, strict=True, client=client)


@pytest.mark.parametrize("rule", [None, {"layout": "IO", "activation": "none"}])
def test_a_rule_says_what_it_is(rule, client):
    assert plan(Applied(run, PARAMS, X), 42, rules={"other": rule}, client=client).unknown == ()


@pytest.mark.parametrize("leaf", [jnp.zeros(7), jnp.zeros((7, 3), int)])
def test_what_can_be_no_kernel_is_left_without_a_word(leaf, client):
    assert plan(Applied(run, {**PARAMS, "other": leaf}, X), 42, client=client).unknown == ()


HIDDEN = {
    "a sum of products of elements": lambda x, w: (x[..., None] * w).sum(-2),
    "a kernel that was sorted": lambda x, w: x @ jnp.sort(w, 0),
    "a kernel of a transform": lambda x, w: jnp.fft.fft(w).real.T @ x.T,
    "rows that are picked": lambda x, w: x[:, :3] @ w[jnp.array([0, 2, 4])],
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_product_that_does_not_show_the_axes_of_a_kernel(name, client):
    params = {"used": jnp.zeros((5, 5)), "hidden": jnp.zeros((5, 7))}
    model = Applied(lambda p, x: HIDDEN[name](x @ p["used"], p["hidden"]), params, X)
    with pytest.warns(UnknownActivationWarning, match="hidden: these may be kernels"):
        assert "hidden" in plan(model, 42, client=client).unknown


USED = {
    "weight normalization": lambda x, w, g: x @ (g * w / jnp.sqrt((w**2).sum(0))),  # Salimans & Kingma 2016
    "half precision": lambda x, w, _: x.astype(jnp.bfloat16) @ w.astype(jnp.bfloat16),
    "a flip": lambda x, w, _: x @ w[::-1],
}


@pytest.mark.parametrize("name", USED)
def test_a_kernel_that_is_changed_before_its_product_is_one(name, client):
    params = {"w": jnp.zeros((5, 7)), "g": jnp.ones(7)}
    found = plan(Applied(lambda p, x: USED[name](x, p["w"], p["g"]), params, X), 42, client=client)
    assert (found["w"].layout, found["w"].fan_in, found["w"].certainty) == ("IO", 5, "certain")


def test_learned_positions_are_no_kernel(client):
    params = {"used": jnp.zeros((5, 7)), "positions": jnp.zeros((9, 5))}
    found = plan(Applied(lambda p, x: (x + p["positions"][:2]) @ p["used"], params, X), 42, client=client)
    assert (found["positions"].scheme, found.unknown) == ("kept", ())


def test_of_a_module_whose_inputs_cannot_be_guessed_nothing_is_kept_without_a_word(client):
    class Model(eqx.Module):
        layer: eqx.nn.Linear
        w: jax.Array

        def __call__(self, x, y):
            return self.layer(x) * y @ self.w

    model = Model(eqx.nn.Linear(5, 7, key=jax.random.key(0)), jnp.zeros((7, 3)))
    with pytest.warns(UnknownActivationWarning, match="layer/weight"):
        assert "layer/weight" in plan(model, 42, strict=False, client=client).unknown
