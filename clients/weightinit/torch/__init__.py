"""PyTorch: tensors, modules and sharded models started from the service.

>>> import weightinit.torch
>>> weightinit.torch.init_(model.fc1.weight, activation="relu", seed=42, name="fc1")  # doctest: +SKIP
>>> print(weightinit.torch.initialize_(model, seed=42))  # doctest: +SKIP
"""

from weightinit.adapters.rules import ModelRejected, TensorRejected, UnknownActivationWarning
from weightinit.torch.entries import PlannedTensor
from weightinit.torch.initialize import initialize_
from weightinit.torch.initializers import (
    glorot_normal_,
    glorot_truncated_normal_,
    glorot_uniform_,
    he_normal_,
    he_truncated_normal_,
    he_uniform_,
    init_,
    kaiming_normal_,
    kaiming_truncated_normal_,
    kaiming_uniform_,
    lecun_normal_,
    lecun_truncated_normal_,
    lecun_uniform_,
    variance_scaling_,
    xavier_normal_,
    xavier_truncated_normal_,
    xavier_uniform_,
)
from weightinit.torch.plan import plan_module
from weightinit.torch.publish import publish
from weightinit.torch.report import Report, Row

__all__ = [
    "ModelRejected",
    "PlannedTensor",
    "Report",
    "Row",
    "TensorRejected",
    "UnknownActivationWarning",
    "glorot_normal_",
    "glorot_truncated_normal_",
    "glorot_uniform_",
    "he_normal_",
    "he_truncated_normal_",
    "he_uniform_",
    "init_",
    "initialize_",
    "kaiming_normal_",
    "kaiming_truncated_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_truncated_normal_",
    "lecun_uniform_",
    "plan_module",
    "publish",
    "variance_scaling_",
    "xavier_normal_",
    "xavier_truncated_normal_",
    "xavier_uniform_",
]
