"""JAX: initializers with JAX's signature, arrays over devices, and pytrees, over the client."""

from weightinit.adapters.rules import ModelRejected
from weightinit.jax.arrays import sharded
from weightinit.jax.initialize import describe, initialize
from weightinit.jax.initializers import (
    Initializer,
    glorot_normal,
    glorot_truncated_normal,
    glorot_uniform,
    he_normal,
    he_truncated_normal,
    he_uniform,
    initializer,
    kaiming_normal,
    kaiming_truncated_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_truncated_normal,
    lecun_uniform,
    variance_scaling,
    xavier_normal,
    xavier_truncated_normal,
    xavier_uniform,
)

__all__ = [
    "Initializer",
    "ModelRejected",
    "describe",
    "glorot_normal",
    "glorot_truncated_normal",
    "glorot_uniform",
    "he_normal",
    "he_truncated_normal",
    "he_uniform",
    "initialize",
    "initializer",
    "kaiming_normal",
    "kaiming_truncated_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_truncated_normal",
    "lecun_uniform",
    "sharded",
    "variance_scaling",
    "xavier_normal",
    "xavier_truncated_normal",
    "xavier_uniform",
]
