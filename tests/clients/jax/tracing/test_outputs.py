"""Operations that move or add positions do not change the outputs of a kernel."""

import jax
import jax.numpy as jnp
import pytest
from weightinit.jax import Applied
from weightinit.jax.activations import ActivationFinder
from weightinit.jax.models import open_model

X = jnp.ones((2, 8))
PLACES = jnp.array([0, 1])
ADJACENCY = jnp.ones((2, 2))


def follow(function, *inputs, shape=(8, 16)):
    """What follows a kernel, given a function of its output and more inputs."""
    params = {"w": jnp.zeros(shape), "last": jnp.zeros((16, 3))}

    def run(p, x, *inputs):
        return function(x @ p["w"], *inputs) @ p["last"]

    found = ActivationFinder(open_model(Applied(run, params, X, *inputs))).find("w")
    return found.activation, found.certainty


MIXING = {
    "segment_sum": lambda h: jax.ops.segment_sum(h, PLACES, 2),
    "segment_max": lambda h: jax.ops.segment_max(h, PLACES, 2),
    "at.add": lambda h: jnp.zeros((3, 16)).at[PLACES].add(h + 1),
    "at.mul": lambda h: h.at[0].mul(2.0),
    "stack": lambda h: jnp.stack([h, h], 1)[:, 0],
    "unstack": lambda h: jnp.stack(list(h)),
    "fft": lambda h: jnp.fft.fft(h, axis=0).real,
    "irfft": lambda h: jnp.fft.irfft(jnp.fft.rfft(h, axis=0), n=2, axis=0),
    "associative_scan": lambda h: jax.lax.associative_scan(jnp.add, h),
    "an adjacency that the model holds": lambda h: ADJACENCY @ h,
    "an adjacency in front of places": lambda h: jnp.einsum("nf,nm->mf", h, ADJACENCY),
    "a fixed basis of outputs": lambda h: h @ jnp.eye(16),
}


@pytest.mark.parametrize("name", MIXING)
def test_relu_follows_what_is_moved_or_mixed(name):
    assert follow(lambda h: jax.nn.relu(MIXING[name](h))) == ("relu", "certain")


def test_relu_follows_an_adjacency_that_is_an_input():
    assert follow(lambda h, edges: jax.nn.relu(edges @ h), ADJACENCY) == ("relu", "certain")


def test_scores_of_inputs_end_a_signal():
    params, keys = {"w": jnp.zeros((8, 16))}, jnp.ones((3, 16))

    def run(p, x, keys):
        return jax.nn.relu((x @ p["w"]) @ keys.T)

    found = ActivationFinder(open_model(Applied(run, params, X, keys))).find("w")
    assert (found.activation, found.certainty) == (None, "certain")


def test_an_output_that_is_a_kernel_of_the_inputs_is_unknown():
    params = {"first": jnp.zeros((8, 4)), "w": jnp.zeros((4, 128)), "last": jnp.zeros((16, 3))}

    def run(p, x):
        made = (jnp.tanh(x @ p["first"]) @ p["w"]).reshape(2, 8, 16)
        return jax.nn.relu(jnp.einsum("bi,bio->bo", x, made)) @ p["last"]

    assert ActivationFinder(open_model(Applied(run, params, X))).find("w").certainty == "unknown"


def test_the_largest_of_several_outputs_is_unknown():
    """Goodfellow et al. 2013, Maxout: two linear pieces of one unit."""
    assert follow(lambda h: h.reshape(2, 16, 2).max(-1), shape=(8, 32))[1] == "unknown"


def test_the_largest_of_places_is_a_pool():
    assert follow(lambda h: jax.nn.relu(h.max(0, keepdims=True))) == ("relu", "certain")
