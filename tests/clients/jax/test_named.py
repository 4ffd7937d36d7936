"""The names of jax.nn.initializers: the same arguments, and `normal` is never truncated."""

import inspect

import jax
import numpy as np
import pytest
import weightinit.jax
from weightinit import SpecRejected

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


def test_an_axis_that_is_not_there_is_refused(client):
    with pytest.raises(
        SpecRejected, match=r"axis for I must be a free one of a kernel of 1 axes, .* received -2"
    ):
        weightinit.jax.he_normal(client=client)(KEY, (5,))


def test_an_axis_of_two_roles_is_refused(client):
    with pytest.raises(SpecRejected, match=r"axis for O must be a free one .* 0 is I; received 0"):
        weightinit.jax.he_normal(in_axis=0, out_axis=(0, 1), client=client)(KEY, (5, 7))
