"""Modules of Flax Linen and NNX accept the initializers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from weightinit.jax import he_normal, initializer

from tests.clients.drawing import draw

KEY = jax.random.key(0)


def init(module, *shape, **options):
    """The kernel of a linen module for inputs of a shape."""
    return module.init(KEY, jnp.zeros(shape), **options)["params"]["kernel"]


def make(client, **said):
    return initializer(seed=42, name="k", activation="relu", client=client, **said)


@pytest.mark.parametrize(
    ("module", "inputs", "shape"),
    [
        (lambda k: nn.Dense(7, kernel_init=k), (1, 5), (5, 7)),
        (lambda k: nn.Conv(7, (3,), kernel_init=k), (1, 8, 5), (3, 5, 7)),
        (lambda k: nn.Conv(7, (3, 3), kernel_init=k), (1, 8, 8, 5), (3, 3, 5, 7)),
        (lambda k: nn.ConvTranspose(7, (3, 3), kernel_init=k), (1, 8, 8, 5), (3, 3, 5, 7)),
    ],
)
def test_a_module_of_linen_gets_its_kernel(client, module, inputs, shape):
    np.testing.assert_array_equal(
        init(module(make(client)), *inputs), draw(*shape, name="k", activation="relu")
    )


def test_linen_flattens_the_kernel_of_a_general_dense_layer_and_its_heads_keep_their_place(client):
    kernel = init(nn.DenseGeneral((2, 3), kernel_init=make(client)), 1, 6)
    np.testing.assert_array_equal(kernel, draw(6, 2, 3, name="k", activation="relu", layout="IOO"))


def test_linen_s_attention_has_the_kernels_of_its_keys(client):
    module = nn.MultiHeadDotProductAttention(2, kernel_init=initializer(client=client))
    params = module.init(KEY, jnp.zeros((1, 4, 6)))["params"]
    assert params["query"]["kernel"].shape == (6, 2, 3)
    assert not np.array_equal(params["query"]["kernel"], params["key"]["kernel"])


def test_linen_s_parameters_of_one_s_own(client):
    class Module(nn.Module):
        @nn.compact
        def __call__(self, inputs):
            return inputs @ self.param("table", make(client), (5, 7), jnp.bfloat16)

    params = Module().init(KEY, jnp.zeros((1, 5)))["params"]
    np.testing.assert_array_equal(params["table"], draw(5, 7, name="k", activation="relu", dtype="bfloat16"))


def test_linen_under_jit_starts_as_without(client):
    module = nn.Dense(7, kernel_init=he_normal(client=client))
    eager = module.init(KEY, jnp.zeros((1, 5)))["params"]["kernel"]
    compiled = jax.jit(module.init)(KEY, jnp.zeros((1, 5)))["params"]["kernel"]
    np.testing.assert_array_equal(eager, compiled)


def test_linen_s_stacked_layers_have_keys_of_their_own(client):
    stack = nn.vmap(
        nn.Dense, variable_axes={"params": 0}, split_rngs={"params": True}, in_axes=None, axis_size=3
    )
    kernel = init(stack(7, kernel_init=initializer(client=client)), 1, 5)
    assert kernel.shape == (3, 5, 7)
    assert len({layer.tobytes() for layer in np.asarray(kernel)}) == 3


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (lambda k: nnx.Linear(5, 7, kernel_init=k, rngs=nnx.Rngs(0)), (5, 7)),
        (lambda k: nnx.Conv(5, 7, (3, 3), kernel_init=k, rngs=nnx.Rngs(0)), (3, 3, 5, 7)),
        (lambda k: nnx.Einsum("nta,ab->ntb", (5, 7), kernel_init=k, rngs=nnx.Rngs(0)), (5, 7)),
    ],
)
def test_a_module_of_nnx_gets_its_kernel(client, module, shape):
    made = module(make(client))
    np.testing.assert_array_equal(made.kernel[...], draw(*shape, name="k", activation="relu"))


def test_nnx_has_the_kernel_of_its_key(client):
    made = initializer(client=client)
    layer = nnx.Linear(5, 7, kernel_init=made, rngs=nnx.Rngs(42))
    np.testing.assert_array_equal(layer.kernel[...], made(nnx.Rngs(42).params(), (5, 7)))


def test_nnx_evaluates_abstractly_without_asking(counting):
    model = nnx.eval_shape(lambda: nnx.Linear(5, 7, kernel_init=make(counting), rngs=nnx.Rngs(0)))
    assert model.kernel.shape == (5, 7)
    assert counting.asked == []


def test_nnx_under_jit_starts_as_without(client):
    def build():
        return nnx.Linear(5, 7, kernel_init=he_normal(client=client), rngs=nnx.Rngs(0))

    np.testing.assert_array_equal(nnx.jit(build)().kernel[...], build().kernel[...])
