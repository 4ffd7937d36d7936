"""JAX: initializers with JAX's signature, arrays over devices, and pytrees, over the client."""

from weightinit.adapters.rules import ModelRejected
from weightinit.jax.arrays import sharded
from weightinit.jax.initialize import describe, initialize
from weightinit.jax.initializers import Initializer, initializer
from weightinit.jax.named import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    variance_scaling,
    xavier_normal,
    xavier_uniform,
)

__all__ = [
    "Initializer",
    "ModelRejected",
    "describe",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "initialize",
    "initializer",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "sharded",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
]
