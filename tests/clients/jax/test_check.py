"""`check` of JAX models: its report, and that the models do not change."""

import math
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from weightinit.adapters.rules import ModelRejected
from weightinit.jax import Applied, check

DEPTH, WIDTH = 30, 256
HE, GLOROT = jax.nn.initializers.he_normal(), jax.nn.initializers.glorot_normal()


def batch(*shape):
    return jax.random.normal(jax.random.key(0), shape or (WIDTH, WIDTH))


def stack(activation, initializer):
    keys = jax.random.split(jax.random.key(1), DEPTH)
    params = {f"layer{i:02}": {"kernel": initializer(key, (WIDTH, WIDTH))} for i, key in enumerate(keys)}

    def run(params, x):
        for i in range(DEPTH):
            x = activation(x @ params[f"layer{i:02}"]["kernel"])
        return x

    return Applied(run, params)


def has_flag(report, flag):
    return [row.name for row in report if flag in row.flags]


@pytest.mark.parametrize("relu", [jax.nn.relu, lambda x: jnp.maximum(x, 0)])
def test_he_keeps_the_variance_of_a_relu_network(relu):  # He et al. 2015, equations 10 and 14
    report = check(stack(relu, HE), batch())
    first, *_, last = report.layers
    # Hanin & Nica 2018: chance moves the logarithm by sqrt(5 depth / width).
    assert abs(math.log(last.variance / first.variance)) < 3 * math.sqrt(5 * DEPTH / WIDTH)
    assert abs(math.log(last.gradient / first.gradient)) < 3 * math.sqrt(5 * DEPTH / WIDTH)
    assert not report.flagged
    assert [row.kind for row in report] == ["dot", "relu"] * DEPTH


def test_glorot_halves_the_variance_of_a_relu_network_at_each_layer():  # He et al. 2015, section 2.2
    report = check(stack(jax.nn.relu, GLOROT), batch())
    first, *_, last = report.layers
    spread = 3 * math.sqrt(5 * DEPTH / WIDTH) / math.log(2)
    assert math.log2(first.variance / last.variance) == pytest.approx(DEPTH - 1, abs=spread)
    assert math.log2(last.gradient / first.gradient) == pytest.approx(DEPTH - 1, abs=spread)
    assert len(has_flag(report, "vanishes")) == DEPTH


def test_unit_variance_explodes_and_saturates_tanh():
    normal = jax.nn.initializers.normal(1.0)
    assert len(has_flag(check(stack(jax.nn.relu, normal), batch()), "explodes")) == DEPTH
    assert len(has_flag(check(stack(jnp.tanh, normal), batch()), "saturated")) == DEPTH


class Network(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(10, 8, rngs=rngs)
        self.conv = nnx.Conv(8, 16, (3,), rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(16, 4, rngs=rngs)

    def __call__(self, tokens):
        random.random()
        np.random.random()  # noqa: NPY002
        return self.head(self.drop(nnx.relu(self.norm(self.conv(self.embed(tokens))))))


def test_a_module_of_nnx_has_rows_by_path_and_is_not_changed():
    model, tokens = Network(nnx.Rngs(0)), jnp.arange(40).reshape(4, 10) % 10
    before = [
        np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(jax.device_get(nnx.state(model, nnx.Param)))
    ]
    count = int(model.drop.rngs.count[...])
    means = np.asarray(model.norm.mean[...]).tobytes()
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    report = check(model, tokens)
    assert [(row.name, row.kind) for row in report] == [
        ("embed", "lookup"),
        ("conv", "conv"),
        ("conv/relu", "relu"),
        ("head", "dot"),
    ]
    assert not has_flag(report, "no gradient")
    after = [
        np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(jax.device_get(nnx.state(model, nnx.Param)))
    ]
    assert after == before
    assert int(model.drop.rngs.count[...]) == count
    assert np.asarray(model.norm.mean[...]).tobytes() == means
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002
    assert check(model, tokens) == report


class Perceptron(linen.Module):
    @linen.compact
    def __call__(self, x, scale=1.0):
        hidden = jnp.tanh(linen.Dense(32, name="hidden", bias_init=linen.initializers.constant(2.0))(x))
        return {"logits": linen.Dense(4, name="head")(hidden) * scale, "count": jnp.arange(3)}


def test_a_module_of_linen_is_measured_with_its_bias_bound_or_with_its_variables():
    module, inputs = Perceptron(), batch(64, 16)
    variables = module.init(jax.random.key(0), inputs)
    report = check((module, variables), {"x": inputs})
    assert report == check(module.bind(variables), inputs)
    assert [row.name for row in report] == ["hidden", "hidden/tanh", "head"]
    kernel = variables["params"]["hidden"]["kernel"]
    assert report["hidden"].mean == pytest.approx(float((inputs @ kernel + 2).mean()), rel=1e-4)
    assert report["head"].gradient == pytest.approx(1, abs=5 * math.sqrt(2 / 256))


def test_a_loss_is_what_is_derived():
    module, inputs = Perceptron(), batch(64, 16)
    variables = module.init(jax.random.key(0), inputs)
    report = check((module, variables), inputs, loss=lambda outputs: (outputs["logits"] ** 2).sum() / 2)
    assert report["head"].gradient == pytest.approx(report["head"].variance, rel=1e-5)  # d/dy of y² / 2 is y
    with pytest.raises(ValueError, match="one number"):
        check((module, variables), inputs, loss=lambda outputs: outputs["logits"])


def test_a_module_of_equinox_is_mapped_over_the_batch():
    equinox = pytest.importorskip("equinox")
    report = check(equinox.nn.MLP(16, 3, 32, 1, key=jax.random.key(0)), batch(64, 16))
    assert [row.name for row in report] == ["layers/0", "layers/0/relu", "layers/1"]
    assert math.prod(report["layers/1"].shape) == 64 * 3


@pytest.mark.parametrize("kind", ["LayerNorm", "GroupNorm", "RMSNorm"])
def test_a_norm_of_equinox_is_no_activation(kind):
    equinox = pytest.importorskip("equinox")
    first, second = (equinox.nn.Linear(16, 16, key=jax.random.key(i)) for i in range(2))
    norm = equinox.nn.GroupNorm(4, 16) if kind == "GroupNorm" else getattr(equinox.nn, kind)(16)
    report = check(equinox.nn.Sequential([first, norm, second]), batch(64, 16))
    assert [row.kind for row in report] == ["dot", "dot"]


def test_what_a_norm_rescales_does_not_vanish():
    small = linen.initializers.normal(0.01)

    class Convolutions(linen.Module):
        training: bool

        @linen.compact
        def __call__(self, x):
            for _ in range(6):
                x = linen.Conv(8, (3, 3), use_bias=False, kernel_init=small)(x)
                x = linen.relu(linen.BatchNorm(use_running_average=not self.training)(x))
            return x

    inputs = batch(8, 12, 12, 8)
    variables = Convolutions(training=False).init(jax.random.key(0), inputs)

    def run(variables, x):
        return Convolutions(training=True).apply(variables, x, mutable=["batch_stats"])[0]

    assert not check(Applied(run, variables), inputs).flagged
    # Running statistics that are still those it was made with rescale nothing.
    assert has_flag(check((Convolutions(training=False), variables), inputs), "vanishes")


def test_a_scan_is_followed_step_by_step():
    def run(params, x):
        def step(state, one):
            state = jnp.tanh(one @ params["w"]["kernel"] + state @ params["u"]["kernel"])
            return state, state

        return jax.lax.scan(step, jnp.zeros((8, 16)), x)[1]

    params = {"w": {"kernel": GLOROT(jax.random.key(0), (16, 16))}, "u": {"kernel": jnp.eye(16)}}
    inputs = batch(3, 8, 16)
    names = [row.name for row in check(Applied(run, params), inputs).layers]
    assert [name for name in names if name.startswith("w")] == ["w", "w (2)", "w (3)"]


def test_the_gradient_of_ones_own_is_kept():
    @jax.custom_vjp
    def through(x):
        return jnp.sign(jnp.maximum(x, 0))

    through.defvjp(lambda x: (through(x), None), lambda _, gradient: (gradient,))
    params = {"a": {"kernel": jnp.eye(8)}, "b": {"kernel": jnp.eye(8)}}
    model = Applied(lambda params, x: through(x @ params["a"]["kernel"]) @ params["b"]["kernel"], params)
    assert not check(model, batch(4, 8)).flagged


def test_a_branch_with_kernels_is_one_row():
    def run(params, x):
        hidden = jax.lax.cond(x.sum() > 0, lambda x: x @ params["a"]["kernel"], lambda x: x, x)
        return hidden @ params["b"]["kernel"]

    params = {"a": {"kernel": jnp.eye(8)}, "b": {"kernel": jnp.eye(8)}}
    report = check(Applied(run, params), jnp.abs(batch(4, 8)))
    assert [(row.name, row.kind) for row in report] == [("a", "cond"), ("b", "dot")]
    assert not has_flag(report, "no gradient")


def test_dead_units_zeros_and_what_is_not_finite_are_said():
    params = {"a": {"kernel": jnp.eye(8), "bias": jnp.full(8, -100.0)}, "b": {"kernel": jnp.zeros((8, 8))}}

    def run(params, x):
        return jax.nn.relu(x @ params["a"]["kernel"] + params["a"]["bias"]) @ params["b"]["kernel"]

    report = check(Applied(run, params), batch(16, 8))
    assert has_flag(report, "dead") == ["a/relu"]
    assert has_flag(report, "zero") == ["b"]
    params["b"]["kernel"] = params["b"]["kernel"].at[0, 0].set(jnp.inf)
    assert "not finite" in check(Applied(run, params), batch(16, 8))["b"].flags


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ModelRejected, match="cannot be called"):
        check({"kernel": jnp.eye(8)}, batch(4, 8))
    with pytest.raises(ModelRejected, match="no values"):
        check(Applied(lambda p, x: x @ p, jax.ShapeDtypeStruct((8, 8), "float32")), batch(4, 8))
    with pytest.raises(ModelRejected, match="nothing to check"):
        check(Applied(lambda p, x: x * p, jnp.ones(8)), batch(4, 8))
