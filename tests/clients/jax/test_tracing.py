"""Under tracing, nothing is fetched until a compiled function runs."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from weightinit.jax import initializer

from tests.clients.drawing import draw

KEY = jax.random.key(42)


def test_under_jit_the_weights_are_the_same(client):
    made = initializer(seed=42, name="k", client=client)
    np.testing.assert_array_equal(jax.jit(lambda key: made(key, (5, 7)))(KEY), draw(5, 7, name="k"))


def test_under_jit_the_key_is_the_seed_too(client):
    made = initializer(client=client)
    np.testing.assert_array_equal(jax.jit(lambda key: made(key, (5, 7)))(KEY), draw(5, 7))


def test_under_jit_a_key_from_outside_is_too(client):
    made = initializer(client=client)
    np.testing.assert_array_equal(jax.jit(lambda: made(KEY, (5, 7)))(), draw(5, 7))


def test_a_compiled_function_asks_whenever_it_runs(counting):
    made = jax.jit(lambda key: initializer(client=counting)(key, (5, 7)))
    jax.block_until_ready([made(KEY), made(KEY)])
    assert counting.asked == [((5, 7), None)] * 2


@pytest.mark.parametrize("said", [{}, {"seed": 42, "name": "k"}])
def test_an_abstract_evaluation_asks_nothing(counting, said):
    made = initializer(client=counting, **said)
    found = jax.eval_shape(lambda key: made(key, (5, 7), jnp.bfloat16), KEY)
    assert (found.shape, found.dtype) == ((5, 7), jnp.bfloat16)
    assert counting.asked == []


def test_a_batch_of_keys_makes_a_batch_of_weights(client):
    made = initializer(client=client)
    keys = jax.random.split(KEY, 3)
    batch = jax.vmap(lambda key: made(key, (5, 7)))(keys)
    np.testing.assert_array_equal(batch, [made(key, (5, 7)) for key in keys])


def test_a_scan_over_keys_makes_a_stack_of_weights(client):
    made = initializer(client=client)
    keys = jax.random.split(KEY, 3)
    _, stack = jax.lax.scan(lambda carry, key: (carry, made(key, (5, 7))), None, keys)
    np.testing.assert_array_equal(stack, [made(key, (5, 7)) for key in keys])


def test_a_failure_in_a_compiled_function_has_the_client_s_words(make_client, caplog):
    caplog.set_level(logging.CRITICAL)  # JAX logs the traceback too
    made = initializer(client=make_client("http://127.0.0.1:9", retries=0))
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"http://127.0.0.1:9 cannot be reached"):
        jax.block_until_ready(jax.jit(lambda key: made(key, (5, 7)))(KEY))


def test_a_spec_that_cannot_be_is_refused_while_tracing(client):
    made = initializer(client=client)
    with pytest.raises(ValueError, match="dtype must be one of"):
        jax.eval_shape(lambda key: made(key, (5, 7), jnp.int32), KEY)
