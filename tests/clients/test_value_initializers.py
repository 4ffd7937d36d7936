"""Initializers of given values: the arguments that each framework's users know, and one tensor in all."""

import inspect
import pickle

import jax
import keras
import numpy as np
import pytest
import torch
import weightinit.jax
import weightinit.keras
import weightinit.torch
from scipy.stats import truncnorm
from weightinit.adapters.initializers import VALUES

from tests.clients.pages import read_page

PACKAGES = {"torch": weightinit.torch, "keras": weightinit.keras, "jax": weightinit.jax}
MATRIX, CONVOLUTION, VECTOR = (6, 4), (3, 2, 4, 6), (7,)

# The name, the shape in Keras' order, and the arguments of the same tensor in PyTorch, Keras and JAX.
SAME = [
    ("orthogonal", MATRIX, ({"gain": 2.0}, {"gain": 2.0}, {"scale": 2.0})),
    ("orthogonal", CONVOLUTION, ({}, {}, {})),
    ("delta_orthogonal", CONVOLUTION, ({"gain": 0.5}, {"gain": 0.5}, {"scale": 0.5})),
    ("identity", MATRIX, ({"gain": 3.0}, {"gain": 3.0}, {"gain": 3.0})),
    ("dirac", CONVOLUTION, ({"groups": 2}, {"groups": 2}, {"groups": 2})),
    ("dirac", CONVOLUTION, ({"center": "torch"}, {"center": "torch"}, {"center": "torch"})),
    ("sparse", MATRIX, ({"sparsity": 0.5}, {"sparsity": 0.5}, {"sparsity": 0.5})),
    (
        "sparse",
        MATRIX,
        ({"sparsity": 0.5, "std": 2.0}, {"sparsity": 0.5, "stddev": 2.0}, {"sparsity": 0.5, "stddev": 2.0}),
    ),
    (
        "normal",
        MATRIX,
        ({"mean": 1.0, "std": 0.5}, {"mean": 1.0, "stddev": 0.5}, {"mean": 1.0, "stddev": 0.5}),
    ),
    ("normal", VECTOR, ({"std": 0.5}, {"stddev": 0.5}, {"stddev": 0.5})),
    ("truncated_normal", MATRIX, ({"std": 0.5, "a": -1, "b": 1}, {"stddev": 0.5}, {"stddev": 0.5})),
    (
        "uniform",
        MATRIX,
        ({"a": 0.25, "b": 1.5}, {"minval": 0.25, "maxval": 1.5}, {"low": 0.25, "scale": 1.5}),
    ),
    ("constant", VECTOR, ({"val": 0.5}, {"value": 0.5}, {"value": 0.5})),
    ("zeros", VECTOR, ({}, {}, {})),
    ("ones", MATRIX, ({}, {}, {})),
]


def make_in_torch(name, shape, client, **given):
    """Fill a tensor of PyTorch, (out, in, *field), and turn it to (*field, in, out)."""
    tensor = torch.empty(*shape[:-3:-1], *shape[:-2])
    fill = getattr(weightinit.torch, VALUES[name].spelled[0])
    weights = fill(tensor, seed=42, name="k", client=client, **given).numpy()
    return weights if len(shape) == 1 else np.moveaxis(weights, (1, 0), (-2, -1))


def make_in_keras(name, shape, client, **given):
    made = getattr(weightinit.keras, VALUES[name].spelled[1])(seed=42, name="k", client=client, **given)
    return keras.ops.convert_to_numpy(made(shape))


def make_in_jax(name, shape, client, **given):
    made = getattr(weightinit.jax, VALUES[name].spelled[2])(seed=42, name="k", client=client, **given)
    return np.asarray(made(None, shape))


@pytest.mark.parametrize(("name", "shape", "arguments"), SAME)
def test_equal_arguments_are_the_same_tensor_in_the_three_frameworks(name, shape, arguments, client):
    makers = (make_in_torch, make_in_keras, make_in_jax)
    one, two, three = (make(name, shape, client, **own) for make, own in zip(makers, arguments, strict=True))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(two, three)


def test_each_initializer_is_compared():
    assert {name for name, _, _ in SAME} == set(VALUES)


# --- what they draw, by the frameworks' own functions ---------------------------------------------


def test_an_orthogonal_matrix_is_orthonormal_along_its_shorter_side_as_in_torch(client):
    ours = make_in_torch("orthogonal", (40, 24), client, gain=2.0).T
    theirs = torch.nn.init.orthogonal_(torch.empty(24, 40), gain=2.0).numpy()
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-5)


def test_eye_is_that_of_torch(client):
    ours = weightinit.torch.eye_(torch.empty(4, 6), seed=42, name="k", client=client)
    assert torch.equal(ours, torch.nn.init.eye_(torch.empty(4, 6)))


def test_identity_is_that_of_keras(client):
    theirs = keras.ops.convert_to_numpy(keras.initializers.Identity(gain=3.0)((6, 4)))
    np.testing.assert_array_equal(make_in_keras("identity", (6, 4), client, gain=3.0), theirs)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 2, 3, 5), (4, 2, 2, 4)])
def test_dirac_with_its_center_is_that_of_torch(shape, groups, client):
    options = {"seed": 42, "name": "k", "client": client}
    ours = weightinit.torch.dirac_(torch.empty(shape), groups, center="torch", **options)
    assert torch.equal(ours, torch.nn.init.dirac_(torch.empty(shape), groups))


def test_sparse_along_the_other_axis_has_the_zeros_of_torch(client):
    ours = weightinit.torch.sparse_(
        torch.empty(10, 6), 0.25, sparsity_axis="O", seed=42, name="k", client=client
    )
    theirs = torch.nn.init.sparse_(torch.empty(10, 6), 0.25)
    assert torch.equal(ours.eq(0).sum(0), theirs.eq(0).sum(0))


def test_sparse_has_its_zeros_among_the_inputs_of_each_output(client):
    zeros = (make_in_torch("sparse", (10, 6), client, sparsity=0.25) == 0).sum(axis=0)
    assert zeros.tolist() == [3] * 6  # ceil(0.25 · 10)


def test_trunc_normal_is_cut_at_values_as_in_torch(client):
    tensor = torch.empty(200, 100)
    drawn = weightinit.torch.trunc_normal_(
        tensor, mean=1.0, std=0.5, a=0.5, b=3.0, seed=42, name="k", client=client
    ).numpy()
    assert drawn.min() >= 0.5
    assert drawn.max() <= 3.0
    expected = truncnorm(-1, 4, loc=1.0, scale=0.5)
    error = expected.std() / np.sqrt(drawn.size)
    assert abs(drawn.mean() - expected.mean()) < 4 * error  # 4 standard errors


@pytest.mark.parametrize(("lower", "upper"), [(-2.0, 2.0), (-3.0, 3.0), (0.0, 1.0)])
def test_truncated_normal_is_cut_at_multiples_of_sigma_as_in_jax(lower, upper, client):
    made = weightinit.jax.truncated_normal(0.5, lower=lower, upper=upper, seed=42, name="k", client=client)
    ours = np.asarray(made(None, (100, 100)))
    theirs = jax.nn.initializers.truncated_normal(0.5, lower=lower, upper=upper)(
        jax.random.key(0), (100, 100)
    )
    spread = truncnorm(lower, upper, scale=0.5).std() / 100
    assert ours.min() >= lower / 2
    assert ours.max() <= upper / 2
    assert abs(ours.mean() - float(theirs.mean())) < 4 * np.sqrt(2) * spread


def test_a_convolution_of_delta_orthogonal_has_an_orthogonal_centre(client):
    kernel = make_in_jax("delta_orthogonal", (3, 3, 4, 6), client).copy()
    centre = kernel[1, 1].copy()
    kernel[1, 1] = 0
    assert not kernel.any()
    np.testing.assert_allclose(centre @ centre.T, np.eye(4), atol=1e-6)


def test_the_columns_of_an_orthogonal_matrix_of_jax_may_be_its_first_axis(client):
    made = weightinit.jax.orthogonal(column_axis=-2, seed=42, name="k", client=client)
    np.testing.assert_array_equal(np.asarray(made(None, (4, 6))).T, make_in_jax("orthogonal", (6, 4), client))


def test_preserve_keeps_the_variance_through_the_activation_that_jax_is_told(client):
    made = weightinit.jax.preserve_normal(activation="relu", seed=42, name="k", client=client)
    he = weightinit.jax.he_normal(seed=42, name="k", client=client)  # which is the same for a ReLU
    np.testing.assert_array_equal(made(None, (6, 4)), he(None, (6, 4)))


# --- conventions ----------------------------------------------------------------------------------

# Each framework's own, and those of its arguments that ours does not have, or has in another place.
THEIRS = [
    (weightinit.torch.orthogonal_, torch.nn.init.orthogonal_),
    (weightinit.torch.dirac_, torch.nn.init.dirac_),
    (weightinit.torch.sparse_, torch.nn.init.sparse_),
    (weightinit.torch.normal_, torch.nn.init.normal_),
    (weightinit.torch.trunc_normal_, torch.nn.init.trunc_normal_),
    (weightinit.torch.uniform_, torch.nn.init.uniform_),
    (weightinit.torch.constant_, torch.nn.init.constant_),
    (weightinit.keras.Orthogonal, keras.initializers.Orthogonal),
    (weightinit.keras.Identity, keras.initializers.Identity),
    (weightinit.keras.RandomNormal, keras.initializers.RandomNormal),
    (weightinit.keras.TruncatedNormal, keras.initializers.TruncatedNormal),
    (weightinit.keras.RandomUniform, keras.initializers.RandomUniform),
    (weightinit.keras.Constant, keras.initializers.Constant),
    (weightinit.jax.orthogonal, jax.nn.initializers.orthogonal),
    (weightinit.jax.delta_orthogonal, jax.nn.initializers.delta_orthogonal),
    (weightinit.jax.normal, jax.nn.initializers.normal),
    (weightinit.jax.truncated_normal, jax.nn.initializers.truncated_normal),
    (weightinit.jax.uniform, jax.nn.initializers.uniform),
    (weightinit.jax.constant, jax.nn.initializers.constant),
]
OTHER = {"seed", "generator"}  # we have a seed of our own


def list_arguments(function):
    """Return the positional arguments and their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return [
        (one.name, one.default)
        for one in parameters
        if one.kind is one.POSITIONAL_OR_KEYWORD and one.name not in OTHER
    ]


@pytest.mark.parametrize(("ours", "theirs"), THEIRS)
def test_the_arguments_and_defaults_are_the_frameworks_own(ours, theirs):
    assert list_arguments(ours) == list_arguments(theirs)


@pytest.mark.parametrize("framework", PACKAGES)
def test_a_package_exports_each_name(framework):
    index = list(PACKAGES).index(framework)
    assert {row.spelled[index] for row in VALUES.values()} <= set(PACKAGES[framework].__all__)


@pytest.mark.parametrize(("name", "shape", "arguments"), SAME)
def test_an_initializer_of_keras_survives_its_configuration(name, shape, arguments, client):
    made = getattr(weightinit.keras, VALUES[name].spelled[1])(seed=42, name="k", **arguments[1])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(again) is type(made)
    assert again.specify(shape, "float32") == made.specify(shape, "float32")


def test_an_initializer_of_jax_is_pickled():
    made = weightinit.jax.uniform(1.0, seed=42, name="k")
    assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize("row", VALUES.values(), ids=VALUES)
def test_the_page_has_a_row_for_each_initializer(row):
    spelled = " | ".join(f"`{name}`" for name in row.spelled)
    assert f"| {spelled} | {row.values} | {row.source} |" in read_page("initializers.md").splitlines()
