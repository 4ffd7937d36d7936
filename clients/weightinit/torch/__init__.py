"""Initialize PyTorch tensors, modules and sharded models from the service.

>>> import weightinit.torch
>>> weightinit.torch.init_(model.fc1.weight, activation="relu", seed=42, name="fc1")  # doctest: +SKIP
>>> print(weightinit.torch.initialize_(model, seed=42))  # doctest: +SKIP
"""

from weightinit.adapters.report import Report, Row
from weightinit.adapters.rules import (
    ModelRejected,
    StaleCopyWarning,
    TensorRejected,
    UnknownActivationWarning,
    UnpublishedTensorWarning,
)
from weightinit.deprecation import make_getattr
from weightinit.torch.check import check
from weightinit.torch.initialize import initialize, initialize_, plan
from weightinit.torch.initializers import init_
from weightinit.torch.keeping.kept import UnsetTensorWarning
from weightinit.torch.named import (
    constant_,
    delta_orthogonal_,
    dirac_,
    eye_,
    glorot_normal_,
    glorot_truncated_normal_,
    glorot_uniform_,
    he_normal_,
    he_truncated_normal_,
    he_uniform_,
    kaiming_normal_,
    kaiming_truncated_normal_,
    kaiming_uniform_,
    lecun_normal_,
    lecun_truncated_normal_,
    lecun_uniform_,
    normal_,
    ones_,
    orthogonal_,
    preserve_normal_,
    preserve_truncated_normal_,
    preserve_uniform_,
    sparse_,
    trunc_normal_,
    uniform_,
    variance_scaling_,
    xavier_normal_,
    xavier_truncated_normal_,
    xavier_uniform_,
    zeros_,
)
from weightinit.torch.publish import publish

__all__ = [
    "ModelRejected",
    "Report",
    "Row",
    "StaleCopyWarning",
    "TensorRejected",
    "UnknownActivationWarning",
    "UnpublishedTensorWarning",
    "UnsetTensorWarning",
    "check",
    "constant_",
    "delta_orthogonal_",
    "dirac_",
    "eye_",
    "glorot_normal_",
    "glorot_truncated_normal_",
    "glorot_uniform_",
    "he_normal_",
    "he_truncated_normal_",
    "he_uniform_",
    "init_",
    "initialize",
    "initialize_",
    "kaiming_normal_",
    "kaiming_truncated_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_truncated_normal_",
    "lecun_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "plan",
    "preserve_normal_",
    "preserve_truncated_normal_",
    "preserve_uniform_",
    "publish",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "variance_scaling_",
    "xavier_normal_",
    "xavier_truncated_normal_",
    "xavier_uniform_",
    "zeros_",
]

__getattr__ = make_getattr(
    __name__,
    {
        "Entry": ("weightinit.adapters.plan", "PlannedTensor"),
        "plan_module": ("weightinit.torch.plan", "plan_parameters"),
    },
    {"plan_module": "weightinit.torch.plan"},
)
