"""Initialize JAX arrays and pytrees from the service, on any devices, and with JAX's own interface."""

from weightinit.adapters.report import Report, Row
from weightinit.adapters.rules import ModelRejected
from weightinit.deprecation import make_getattr
from weightinit.jax.arrays import sharded
from weightinit.jax.check import check
from weightinit.jax.initialize import initialize, plan
from weightinit.jax.initializers import Initializer, initializer
from weightinit.jax.models import Applied
from weightinit.jax.named import (
    constant,
    delta_orthogonal,
    dirac,
    glorot_normal,
    glorot_truncated_normal,
    glorot_uniform,
    he_normal,
    he_truncated_normal,
    he_uniform,
    identity,
    kaiming_normal,
    kaiming_truncated_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_truncated_normal,
    lecun_uniform,
    normal,
    ones,
    orthogonal,
    preserve_normal,
    preserve_truncated_normal,
    preserve_uniform,
    sparse,
    truncated_normal,
    uniform,
    variance_scaling,
    xavier_normal,
    xavier_truncated_normal,
    xavier_uniform,
    zeros,
)
from weightinit.jax.publish import publish

__all__ = [
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

__getattr__ = make_getattr(
    __name__,
    {"describe": ("weightinit.jax.initialize", "describe_leaves")},
    {"describe": "weightinit.jax.plan"},
)
