"""Initializers have JAX's signature and draw the weights of seed and name, or of the key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import weightinit.jax
from weightinit import SpecRejected
from weightinit.jax import initializer
from weightinit.jax.initializers import derive_seed

from tests.clients.drawing import draw

KEY = jax.random.key(42)


def make(client, **said):
    return initializer(seed=42, name="k", client=client, **said)


def test_the_weights_are_those_of_seed_and_name(client):
    np.testing.assert_array_equal(
        make(client, activation="relu")(KEY, (5, 7)), draw(5, 7, name="k", activation="relu")
    )


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((5, 7), {}),
        ((3, 5, 7), {}),
        ((3, 3, 5, 7), {"groups": 7}),
        ((6, 2, 3), {"layout": "IOO"}),
        ((2, 3, 6), {"layout": "IIO"}),
        ((7,), {"fan_in": 5, "fan_out": 7}),
    ],
)
def test_a_layout_is_keras_order_or_the_one_given(client, shape, said):
    np.testing.assert_array_equal(make(client, **said)(KEY, shape), draw(*shape, name="k", **said))


def test_the_array_is_of_the_memory_that_was_fetched_into(client, monkeypatch):
    fetched = []
    monkeypatch.setattr(
        client, "weights", lambda *asked: fetched.append(type(client).weights(client, *asked)) or fetched[-1]
    )
    kernel = make(client)(KEY, (5, 7))
    assert np.shares_memory(np.asarray(kernel), fetched[0])


def test_an_initializer_with_a_seed_may_be_called_while_tracing(client):
    doubled = jax.jit(lambda: 2 * make(client)(None, (5, 7)))()
    np.testing.assert_array_equal(doubled, 2 * draw(5, 7, name="k"))


@pytest.mark.parametrize("key", [None, jax.random.key(7), jax.random.PRNGKey(7)])
def test_with_a_seed_the_key_is_not_looked_at(client, key):
    np.testing.assert_array_equal(make(client)(key, (5, 7)), draw(5, 7, name="k"))


@pytest.mark.parametrize("key", [jax.random.key(42), jax.random.PRNGKey(42)])
def test_without_a_seed_the_key_is_the_seed(client, key):
    np.testing.assert_array_equal(initializer(client=client)(key, (5, 7)), draw(5, 7))


def test_without_a_seed_a_name_counts_too(client):
    np.testing.assert_array_equal(initializer(name="k", client=client)(KEY, (5, 7)), draw(5, 7, name="k"))


def test_split_keys_make_different_weights(client):
    first, second = (initializer(client=client)(key, (5, 7)) for key in jax.random.split(KEY))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("words", "seed"),
    [
        ([0, 42], 42),
        ([1, 0], 2**32),
        ([2**32 - 1, 2**32 - 1], 2**64 - 1),
        # The first eight bytes of the SHA-256 of 0000002a, four times.
        ([42, 42, 42, 42], 0x78492FC2DA565C6F),
    ],
)
def test_the_seed_of_a_key(words, seed):
    assert derive_seed(np.array(words, np.uint32)) == seed


def test_keys_of_other_generators_do_too(client):
    key = jax.random.key(42, impl="rbg")
    seed = derive_seed(np.asarray(jax.random.key_data(key)))
    np.testing.assert_array_equal(initializer(client=client)(key, (5, 7)), draw(5, 7, seed=seed))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_dtype_that_is_asked_for(client, dtype):
    weights = make(client)(KEY, (5, 7), jnp.dtype(dtype))
    assert weights.dtype == dtype
    np.testing.assert_array_equal(weights, draw(5, 7, name="k", dtype=dtype))


def test_without_a_dtype_it_is_that_of_the_initializer(client):
    assert make(client, dtype=jnp.bfloat16)(KEY, (5, 7)).dtype == jnp.bfloat16


def test_without_any_dtype_it_is_jax_s(client):
    assert make(client)(KEY, (5, 7)).dtype == jnp.float32


def test_float64_is_float32_unless_it_is_enabled(client):
    np.testing.assert_array_equal(make(client)(KEY, (5, 7), jnp.float64), draw(5, 7, name="k"))


def test_float64_is_float64_where_it_is_enabled(client):
    with jax.enable_x64(True):
        weights = make(client)(KEY, (5, 7))
    np.testing.assert_array_equal(weights, draw(5, 7, name="k", dtype="float64"))


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.complex64, jnp.float8_e4m3fn, jax.dtypes.float0, bool])
def test_a_dtype_that_weights_do_not_come_in_is_refused(client, dtype):
    with pytest.raises(SpecRejected, match="dtype must be one of float32, float64, float16, bfloat16"):
        make(client)(KEY, (5, 7), dtype)


def test_a_seed_needs_a_name():
    with pytest.raises(TypeError, match="an initializer with a seed needs a name"):
        initializer(seed=42)


def test_no_seed_needs_a_key():
    with pytest.raises(TypeError, match="an initializer without a seed needs a key"):
        initializer()(None, (5, 7))


def test_several_keys_are_refused(client):
    with pytest.raises(ValueError, match=r"an initializer takes one key; received an array of shape \(2,\)"):
        initializer(client=client)(jax.random.split(KEY), (5, 7))


def test_an_unknown_keyword_is_refused_at_once():
    with pytest.raises(TypeError, match="activatoin"):
        initializer(activatoin="relu")


def test_the_service_says_what_is_wrong_with_a_shape(client):
    with pytest.raises(SpecRejected, match="of rank 1 has no fans: set both fan_in and fan_out"):
        make(client)(KEY, (7,))


def test_equal_arguments_make_equal_initializers(client):
    assert make(client, activation="relu") == make(None, activation="relu")
    assert hash(make(client, activation="relu")) == hash(make(None, activation="relu"))


def test_the_default_client_is_asked_where_none_is_given(service):
    np.testing.assert_array_equal(initializer()(KEY, (5, 7)), draw(5, 7))


def test_the_exported_names_are_these():
    assert weightinit.jax.__all__ == [
        "Applied",
        "Initializer",
        "ModelRejected",
        "Report",
        "Row",
        "check",
        "constant",
        "delta_orthogonal",
        "dirac",
        "glorot_normal",
        "glorot_truncated_normal",
        "glorot_uniform",
        "he_normal",
        "he_truncated_normal",
        "he_uniform",
        "identity",
        "initialize",
        "initializer",
        "kaiming_normal",
        "kaiming_truncated_normal",
        "kaiming_uniform",
        "lecun_normal",
        "lecun_truncated_normal",
        "lecun_uniform",
        "normal",
        "ones",
        "orthogonal",
        "plan",
        "preserve_normal",
        "preserve_truncated_normal",
        "preserve_uniform",
        "publish",
        "sharded",
        "sparse",
        "truncated_normal",
        "uniform",
        "variance_scaling",
        "xavier_normal",
        "xavier_truncated_normal",
        "xavier_uniform",
        "zeros",
    ]
