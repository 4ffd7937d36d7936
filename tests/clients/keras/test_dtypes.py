"""All dtypes of the service, and mixed precision."""

import keras
import numpy as np
import pytest
from weightinit import SpecRejected
from weightinit.keras import HeUniform

from tests.clients.drawing import draw


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_layer_of_a_dtype_gets_that_dtype(client, dtype):
    layer = keras.layers.Dense(7, dtype=dtype, kernel_initializer=HeUniform(seed=42, name="k", client=client))
    layer.build((None, 5))
    (kernel, _) = layer.get_weights()
    np.testing.assert_array_equal(kernel, draw(5, 7, name="k", scheme="he", dtype=dtype))
    assert keras.backend.standardize_dtype(layer.kernel.dtype) == dtype


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 unless it is enabled")
def test_float64_is_float64(client):
    kernel = HeUniform(seed=42, name="k", client=client)((5, 7), dtype="float64")
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(kernel), draw(5, 7, name="k", scheme="he", dtype="float64")
    )


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="others have float64")
def test_float64_is_float32_on_jax_and_jax_says_so(client):
    with pytest.warns(UserWarning, match="float64 requested in asarray is not available"):
        kernel = HeUniform(seed=42, name="k", client=client)((5, 7), dtype="float64")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(kernel), draw(5, 7, name="k", scheme="he"))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_keeps_variables_in_float32(client, policy):
    layer = keras.layers.Dense(
        7, dtype=policy, kernel_initializer=HeUniform(seed=42, name="k", client=client)
    )
    layer.build((None, 5))
    np.testing.assert_array_equal(layer.get_weights()[0], draw(5, 7, name="k", scheme="he"))


def test_without_a_dtype_it_is_that_of_the_configuration(client):
    keras.config.set_floatx("float16")
    try:
        kernel = HeUniform(seed=42, name="k", client=client)((5, 7))
    finally:
        keras.config.set_floatx("float32")
    assert keras.backend.standardize_dtype(kernel.dtype) == "float16"


@pytest.mark.parametrize("dtype", ["int32", "bool", "float8_e4m3fn", "complex64"])
def test_a_dtype_that_weights_do_not_come_in_is_refused(client, dtype):
    with pytest.raises(SpecRejected, match=f"dtype must be one of float32, .*; received '{dtype}'"):
        HeUniform(seed=42, name="k", client=client)((5, 7), dtype=dtype)
