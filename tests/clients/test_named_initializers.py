"""Named initializers: one name means one distribution, and one tensor, in every framework."""

import inspect

import keras
import numpy as np
import pytest
import torch
import weightinit.jax
import weightinit.keras
import weightinit.torch
from weightinit import SpecRejected
from weightinit.adapters.initializers import NAMED

from service.core.scheme_names import SPELLINGS
from service.core.schemes import SCHEMES
from tests.clients.drawing import draw
from tests.clients.pages import read_page, run_page

DISTRIBUTIONS = {
    **{alias: (row.scheme, row.distribution) for row in NAMED.values() for alias in (row.name, *row.aliases)},
    "variance_scaling": ("variance_scaling", "uniform"),
}
# A dense kernel and one of a 2-D convolution, in Keras' and JAX's order of axes.
SHAPES = {"dense": (6, 4), "convolution": (3, 2, 5, 7)}
PACKAGES = {"torch": weightinit.torch, "keras": weightinit.keras, "jax": weightinit.jax}


def spell(framework, name):
    """Spell a name as a framework does."""
    spellings = {"torch": f"{name}_", "keras": name.title().replace("_", ""), "jax": name}
    return spellings[framework]


def make_in_torch(name, shape, client, *said, seed=42, **fields):
    """Fill a tensor of PyTorch, (out, in, *field), and turn it to (*field, in, out)."""
    *field, inputs, outputs = shape
    function = getattr(weightinit.torch, spell("torch", name))
    tensor = torch.empty(outputs, inputs, *field)
    weights = function(tensor, *said, seed=seed, name="k", client=client, **fields).numpy()
    return weights.transpose(2, 3, 1, 0) if field else weights.T


def make_in_keras(name, shape, client, *said, seed=42, **fields):
    make = getattr(weightinit.keras, spell("keras", name))
    made = make(*said, seed=seed, name="k", client=client, **fields)
    return keras.ops.convert_to_numpy(made(shape))


def make_in_jax(name, shape, client, *said, seed=42, **fields):
    make = getattr(weightinit.jax, spell("jax", name))
    made = make(*said, seed=seed, name="k", client=client, **fields)
    return np.asarray(made(None, shape))


MAKERS = {"torch": make_in_torch, "keras": make_in_keras, "jax": make_in_jax}


@pytest.mark.parametrize("kernel", SHAPES)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("framework", MAKERS)
def test_a_name_makes_the_same_tensor_in_every_framework(framework, name, kernel, client):
    scheme, distribution = DISTRIBUTIONS[name]
    expected = draw(*SHAPES[kernel], name="k", scheme=scheme, distribution=distribution)
    np.testing.assert_array_equal(MAKERS[framework](name, SHAPES[kernel], client), expected)


@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
@pytest.mark.parametrize("framework", MAKERS)
def test_variance_scaling_of_the_same_arguments_is_the_same_tensor(framework, distribution, client):
    weights = MAKERS[framework]("variance_scaling", (6, 4), client, 0.5, "fan_out", distribution)
    fields = {"scheme": "variance_scaling", "scale": 0.5, "mode": "fan_out", "distribution": distribution}
    np.testing.assert_array_equal(weights, draw(6, 4, name="k", **fields))


@pytest.mark.parametrize("framework", MAKERS)
def test_keras_word_for_a_normal_is_known_in_every_framework(framework, client):
    weights = MAKERS[framework]("variance_scaling", (6, 4), client, distribution="untruncated_normal")
    expected = draw(6, 4, name="k", scheme="variance_scaling", distribution="normal")
    np.testing.assert_array_equal(weights, expected)


@pytest.mark.parametrize("framework", MAKERS)
def test_a_distribution_that_there_is_not_is_refused_in_every_framework(framework, client):
    with pytest.raises(SpecRejected, match="distribution must be one of uniform, normal, truncated_normal"):
        MAKERS[framework]("variance_scaling", (6, 4), client, distribution="orthogonal")


@pytest.mark.parametrize("framework", PACKAGES)
def test_variance_scaling_has_the_service_s_defaults(framework):
    function = getattr(PACKAGES[framework], spell(framework, "variance_scaling"))
    parameters = inspect.signature(function).parameters
    row = SCHEMES["variance_scaling"]
    assert [parameters[name].default for name in ("scale", "mode", "distribution")] == [
        row.scale,
        row.mode,
        row.distribution,
    ]


@pytest.mark.parametrize("framework", PACKAGES)
def test_a_package_has_each_name(framework):
    names = {spell(framework, name) for name in DISTRIBUTIONS}
    assert names - set(PACKAGES[framework].__all__) == set()


@pytest.mark.parametrize("framework", PACKAGES)
def test_an_alias_is_the_same_object(framework):
    package = PACKAGES[framework]
    for row in NAMED.values():
        for alias in row.aliases:
            assert getattr(package, spell(framework, alias)) is getattr(package, spell(framework, row.name))


@pytest.mark.parametrize("framework", PACKAGES)
def test_the_documentation_of_a_name_says_what_it_draws(framework):
    for row in NAMED.values():
        assert row.describe() in inspect.getdoc(getattr(PACKAGES[framework], spell(framework, row.name)))


def test_the_names_are_those_of_the_service():
    carrying = {name for name, spelling in SPELLINGS.items() if spelling.distribution}
    assert set(DISTRIBUTIONS) == carrying | {"variance_scaling"}


@pytest.mark.parametrize("row", NAMED.values(), ids=NAMED)
def test_a_row_says_the_service_s_scheme_and_variance(row):
    spelling = SPELLINGS[row.name]
    assert (row.scheme, row.distribution) == (spelling.scheme.name, spelling.distribution)
    assert f"σ² = {row.variance}" == spelling.scheme.formula


@pytest.mark.parametrize("framework", MAKERS)
def test_a_seed_may_be_decimal_text(framework, client):
    weights = MAKERS[framework]("he_normal", (6, 4), client, seed="42")
    np.testing.assert_array_equal(weights, draw(6, 4, name="k", scheme="he_normal"))


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_distribution_that_contradicts_the_name_is_refused(framework, client):
    with pytest.raises(SpecRejected, match="contradicts scheme he_uniform, whose distribution is uniform"):
        MAKERS[framework]("he_uniform", (6, 4), client, distribution="normal")


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_normal_is_truncated_where_the_distribution_says_so(framework, client):
    weights = MAKERS[framework]("he_normal", (6, 4), client, distribution="truncated_normal")
    np.testing.assert_array_equal(weights, MAKERS[framework]("he_truncated_normal", (6, 4), client))


def test_the_page_s_examples_run(service):
    assert run_page("initializers.md") == 2


@pytest.mark.parametrize("row", NAMED.values(), ids=NAMED)
def test_the_page_has_a_row_for_each_name(row):
    spelled = [
        ", ".join(f"`{spell(framework, name)}`" for name in (row.name, *row.aliases))
        for framework in PACKAGES
    ]
    distribution = {"normal": "normal, not truncated", "truncated_normal": "normal, truncated"}
    cells = [*spelled, distribution.get(row.distribution, row.distribution), row.variance, row.source]
    assert f"| {' | '.join(cells)} |" in read_page("initializers.md").splitlines()


@pytest.mark.parametrize("page", ["pytorch.md", "keras.md", "jax.md", "three-frameworks.md"])
def test_the_frameworks_pages_link_to_the_page(page):
    assert "(initializers.md)" in read_page(page)
