"""Changes of a kernel before its product make the plan a guess if its scheme ignores them."""

from functools import partial

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from weightinit.jax import Applied
from weightinit.jax.activations import ActivationFinder
from weightinit.jax.layers import describe_leaf
from weightinit.jax.models import open_model

KEY = jax.random.key(0)
X = jnp.ones((2, 8))
SHAPES = {"w": (8, 16), "u": (8, 16), "g": (16,), "last": (16, 3)}


def open_applied(function, shapes=SHAPES):
    """Open a function of parameters, of which ReLU follows the first kernel."""
    params = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}
    return open_model(Applied(lambda p, x: jax.nn.relu(function(p, x)) @ p["last"], params, X))


def describe(opened, path):
    """The certainty of a leaf's block, and the activation that follows."""
    finder = ActivationFinder(opened)
    block = describe_leaf(path, opened.leaves[path], opened, finder)
    return block.certainty, finder.find(path).activation


def normalize(w):
    return w / jnp.linalg.norm(w, axis=0)


# Salimans & Kingma 2016 (weight normalization), Qiao et al. 2019 (weight standardization).
FREE = {
    "a sign": lambda p: -p["w"],
    "a norm": lambda p: normalize(p["w"]),
    "a norm and a gain": lambda p: p["g"] * normalize(p["w"]),
    "a gain and a norm": lambda p: p["g"] * p["w"] / jnp.sqrt((p["w"] ** 2).sum(0)),
    "a norm of what was scaled": lambda p: normalize(3 * p["w"]),
    "standardization": lambda p: (p["w"] - p["w"].mean(0)) * jax.lax.rsqrt(p["w"].var(0) + 1e-5),
    "a mean": lambda p: p["w"] - p["w"].mean(0),
}


@pytest.mark.parametrize("name", FREE)
def test_what_leaves_the_scale_of_a_kernel_alone_is_certain(name):
    assert describe(open_applied(lambda p, x: x @ FREE[name](p)), "w") == ("certain", "relu")


SCALED = {
    "a factor": lambda p: p["w"] * 2,
    "a root of its fan_in": lambda p: p["w"] / np.sqrt(8),
    "a gain": lambda p: p["w"] * p["g"],
    "a mask": lambda p: p["w"] * jnp.tril(jnp.ones((8, 16))),
    "a mask by where": lambda p: jnp.tril(p["w"]),
    "another kernel": lambda p: p["w"] + p["u"],
    "a product with another": lambda p: p["w"] * p["u"],
    "tanh": lambda p: jnp.tanh(p["w"]),
    "bounds": lambda p: jnp.clip(p["w"], -1, 1),
    "rounding": lambda p: p["w"] + jax.lax.stop_gradient(jnp.round(8 * p["w"]) / 8 - p["w"]),
    "its mean size": lambda p: jnp.sign(p["w"]) * jnp.abs(p["w"]).mean(),
}


@pytest.mark.parametrize("name", SCALED)
def test_what_changes_the_scale_of_a_kernel_makes_it_a_guess(name):
    assert describe(open_applied(lambda p, x: x @ SCALED[name](p)), "w") == ("guessed", "relu")


def test_of_two_kernels_that_are_added_both_are_drawn():
    opened = open_applied(lambda p, x: x @ (p["w"] + p["u"]))
    assert describe(opened, "u") == ("guessed", "relu")


def test_real_and_imaginary_parts_are_both_drawn():
    opened = open_applied(lambda p, x: (x.astype(jnp.complex64) @ jax.lax.complex(p["w"], p["u"])).real)
    assert [describe(opened, name) for name in "wu"] == [("guessed", "relu")] * 2


BENT = {
    "abs": jnp.abs,
    "exp": jnp.exp,
    "square": lambda w: w**2,
    "softmax": jax.nn.softmax,
    "softplus": jax.nn.softplus,
    "relu": jax.nn.relu,
    "relu by where": lambda w: jnp.where(w > 0, w, 0),
    "one over it": lambda w: 1 / w,
}


@pytest.mark.parametrize("name", BENT)
def test_a_kernel_whose_values_another_function_makes_is_unknown(name):
    opened = open_applied(lambda p, x: x @ BENT[name](p["w"]))
    block = describe_leaf("w", opened.leaves["w"], opened, ActivationFinder(opened))
    assert (block.certainty, "is applied to it" in block.reason) == ("unknown", True)


def test_factors_of_what_is_added_to_a_kernel_are_not_kept_without_a_word():
    shapes = {**SHAPES, "a": (8, 2), "v": (2, 16)}
    opened = open_applied(lambda p, x: x @ (p["w"] + p["a"] @ p["v"]), shapes)
    assert [describe(opened, name)[0] for name in "wav"] == ["guessed", "unknown", "unknown"]


@pytest.mark.parametrize("shape", [(128,), (2, 64)])
def test_kernels_that_lie_flat_in_one_axis_are_unknown(shape):
    opened = open_applied(lambda p, x: x @ p["w"].reshape(8, 16), {**SHAPES, "w": shape})
    assert describe(opened, "w")[0] == "unknown"


def test_a_kernel_that_is_picked_by_what_depends_on_inputs():
    opened = open_applied(lambda p, x: x @ p["w"][jnp.argmax(x[0])], {**SHAPES, "w": (8, 8, 16)})
    assert ActivationFinder(opened).find_use("w")[0].layout == "BIO"


def test_a_kernel_that_is_scaled_by_what_depends_on_inputs():
    """Karras et al. 2020: the channels of a kernel are modulated, a sample each."""

    def modulate(p, x):
        return jnp.einsum("bi,bio->bo", x, p["w"] * jnp.tanh(x)[:, :, None])

    assert describe(open_applied(modulate), "w") == ("guessed", "relu")


# --- spectral norm (Miyato et al. 2018): power iteration is no use of the kernel ------------------------


def make_linen():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.SpectralNorm(nn.Dense(16))(x, update_stats=True)
            return nn.Dense(3)(nn.relu(x))

    model = Model()
    variables = jax.eval_shape(model.init, KEY, X)
    run = partial(model.apply, mutable=["batch_stats"])
    return open_model(Applied(run, variables, X)), "params/Dense_0/kernel", "IO"


class Normed(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.first = nnx.SpectralNorm(nnx.Linear(8, 16, rngs=rngs), rngs=rngs)
        self.last = nnx.Linear(16, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.relu(self.first(x, update_stats=True)))


def make_nnx():
    return open_model(Normed(), X), "first/layer_instance/kernel", "IO"


def make_equinox():
    layer, state = eqx.nn.make_with_state(eqx.nn.SpectralNorm)(
        layer=eqx.nn.Linear(8, 16, key=KEY), weight_name="weight", key=KEY
    )
    last = eqx.nn.Linear(16, 3, key=KEY)

    def run(layers, x, state):
        x, state = layers[0](x, state)
        return layers[1](jax.nn.relu(x)), state

    return open_model(Applied(run, [layer, last], X[0], state)), "0/layer/weight", "OI"


@pytest.mark.parametrize("make", [make_linen, make_nnx, make_equinox])
def test_the_power_iteration_of_spectral_norm_is_no_use(make):
    opened, path, layout = make()
    found = ActivationFinder(opened)
    assert (found.find_use(path)[0].layout, *describe(opened, path)) == (layout, "certain", "relu")
