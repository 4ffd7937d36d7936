"""The names of jax.nn.initializers: the same arguments, and `normal` is never truncated."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import weightinit.jax
from jax._src.nn.initializers import _compute_fans
from weightinit import SpecRejected
from weightinit.jax.initializers import recall

from tests.clients.drawing import draw

ALIASES = {"glorot": "glorot", "he": "he", "kaiming": "he", "lecun": "lecun", "xavier": "glorot"}
NAMES = {
    f"{alias}_{distribution}": (scheme, distribution)
    for alias, scheme in ALIASES.items()
    for distribution in ("uniform", "normal", "truncated_normal")
}
# What draws from the same distribution in JAX, whose normal is truncated.
SAME_IN_JAX = {
    name: name.replace("_truncated", "") for name in NAMES if name.endswith(("uniform", "truncated_normal"))
}
KEY = jax.random.key(42)


@pytest.mark.parametrize("name", SAME_IN_JAX)
def test_the_spread_is_that_of_jax_s_own(client, name):
    ours = np.asarray(getattr(weightinit.jax, name)(client=client)(KEY, (3, 100, 200)))
    theirs = np.asarray(getattr(jax.nn.initializers, SAME_IN_JAX[name])()(KEY, (3, 100, 200)))
    assert ours.std() == pytest.approx(theirs.std(), rel=1e-2)
    assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)


@pytest.mark.parametrize("name", [f"{alias}_normal" for alias in ALIASES])
def test_a_normal_has_the_stddev_of_jax_s_own_and_is_not_truncated_as_that_is(client, name):
    ours = np.asarray(getattr(weightinit.jax, name)(client=client)(KEY, (3, 100, 200)))
    theirs = np.asarray(getattr(jax.nn.initializers, name)()(KEY, (3, 100, 200)))
    assert ours.std() == pytest.approx(theirs.std(), rel=1e-2)
    assert np.abs(ours).max() > 1.5 * np.abs(theirs).max()


@pytest.mark.parametrize(("name", "scheme", "distribution"), [(name, *row) for name, row in NAMES.items()])
def test_the_weights_are_those_of_scheme_and_distribution(client, name, scheme, distribution):
    made = getattr(weightinit.jax, name)(seed=42, name="k", client=client)
    expected = draw(5, 7, name="k", scheme=scheme, distribution=distribution)
    np.testing.assert_array_equal(made(None, (5, 7)), expected)


@pytest.mark.parametrize("name", [*NAMES, "variance_scaling"])
def test_the_arguments_begin_as_those_of_jax_s_own(name):
    ours = list(inspect.signature(getattr(weightinit.jax, name)).parameters)
    theirs = list(inspect.signature(getattr(jax.nn.initializers, SAME_IN_JAX.get(name, name))).parameters)
    assert ours[: len(theirs)] == theirs


@pytest.mark.parametrize(
    ("axes", "layout"),
    [
        ({}, "WIO"),
        ({"in_axis": -1, "out_axis": -2}, "WOI"),
        ({"in_axis": 0, "out_axis": (1, 2)}, "IOO"),
        ({"in_axis": [0, 1], "out_axis": -1}, "IIO"),
        ({"batch_axis": 0}, "BIO"),
    ],
)
def test_axes_are_those_of_its_namesake(client, axes, layout):
    ours = weightinit.jax.he_uniform(client=client, **axes)(KEY, (4, 30, 50))
    theirs = np.asarray(jax.nn.initializers.he_uniform(**axes)(KEY, (4, 30, 50)))
    np.testing.assert_array_equal(ours, draw(4, 30, 50, scheme="he", layout=layout))
    assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)


@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
def test_variance_scaling_has_all_of_its_namesake_s_choices(client, distribution):
    made = weightinit.jax.variance_scaling(0.5, "fan_geo_avg", distribution, dtype="bfloat16", client=client)
    expected = draw(
        5,
        7,
        scheme="variance_scaling",
        scale=0.5,
        mode="fan_geo_avg",
        distribution=distribution,
        dtype="bfloat16",
    )
    np.testing.assert_array_equal(made(KEY, (5, 7)), expected)


# Fans that jax.nn.initializers computes, and this client cannot take from a layout.
FANS = {
    "inputs only": ((6, 4), {"in_axis": [0], "out_axis": []}),
    "outputs only": ((6, 4), {"in_axis": [], "out_axis": [0]}),
    "neither": ((6, 4), {"in_axis": [], "out_axis": []}),
    "one axis for both, as in Flax's Embed": ((6, 4), {"out_axis": 0}),
    "a vector of inputs": ((6,), {"in_axis": 0, "out_axis": []}),
    "a vector of outputs": ((6,), {"in_axis": [], "out_axis": [0]}),
    "a vector of both": ((6,), {"in_axis": 0, "out_axis": 0}),
    "an axis in two lists": ((2, 6, 4), {"in_axis": (0, 1), "out_axis": (0, 2)}),
    "a stack of one axis for both": ((3, 6, 4), {"in_axis": 1, "out_axis": 1, "batch_axis": 0}),
    "a stack without inputs": ((3, 4), {"in_axis": [], "out_axis": -1, "batch_axis": 0}),
}


@pytest.mark.parametrize(("shape", "axes"), FANS.values(), ids=FANS)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
def test_axes_without_a_layout_have_the_fans_of_jax_s_own(client, shape, axes, mode):
    made = weightinit.jax.variance_scaling(1.0, mode, "normal", client=client, **axes)
    spec = made.specify(shape, None)
    parameters = client.parameters(spec)
    assert [parameters.fan_in, parameters.fan_out] == list(_compute_fans(shape, **axes))
    assert made(KEY, shape).shape == shape


def test_the_default_of_flax_s_embed_is_what_initialize_gives_it(client):
    made = weightinit.jax.variance_scaling(
        1.0, "fan_in", "normal", out_axis=0, seed=42, name="embedding", client=client
    )
    params = {"embedding": jnp.ones((9, 4))}
    expected = weightinit.jax.initialize(params, 42, client=client)["embedding"]
    np.testing.assert_array_equal(made(None, (9, 4)), expected)


def test_fans_that_are_not_whole_are_refused(client):
    made = weightinit.jax.he_normal(in_axis=0, out_axis=0, batch_axis=0, client=client)
    with pytest.raises(SpecRejected, match=r"fan_in must be whole: .* received '3/4'"):
        made(KEY, (4, 3))


def test_an_axis_that_is_not_there_is_refused(client):
    with pytest.raises(SpecRejected, match=r"axis must be one of a kernel of 2 axes; received 2"):
        weightinit.jax.he_normal(in_axis=2, client=client)(KEY, (5, 7))


def test_a_vector_needs_an_axis_of_inputs_as_in_jax(client):
    with pytest.raises(SpecRejected, match="in_axis must be given for a kernel of fewer than two axes"):
        weightinit.jax.he_normal(client=client)(KEY, (5,))


def test_a_scalar_is_refused(client):
    made = weightinit.jax.he_normal(in_axis=[], out_axis=[], client=client)
    with pytest.raises(SpecRejected, match="shape must have at least one axis"):
        made(KEY, ())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((0.0,), "scale must be positive and finite; received 0.0"),
        ((1.0, "fan"), "mode must be one of fan_in, fan_out, fan_avg, fan_geo_avg; received 'fan'"),
    ],
)
def test_arguments_are_checked_at_once(given, words):
    with pytest.raises(SpecRejected, match=words):
        weightinit.jax.variance_scaling(*given)


@pytest.mark.parametrize("make", [weightinit.jax.zeros, weightinit.jax.identity, weightinit.jax.ones])
def test_values_that_repeat_do_not_tell_whose_they_are(make, client):
    """Another layer may have the same values from its own library: they are not claimed as ours."""
    weights = make(client=client)(jax.random.key(0), (16, 16))
    assert recall(weights) is None
