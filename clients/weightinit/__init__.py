"""Initial weights for neural networks, the same wherever they are requested."""

from weightinit.async_client import AsyncClient
from weightinit.client import Client
from weightinit.default import default_client, parameters, weights
from weightinit.deprecation import make_getattr as _make_getattr
from weightinit.errors import (
    BrokenTransfer,
    BufferMismatch,
    CacheWarning,
    CertificateRejected,
    ConfigurationError,
    ConnectionFailed,
    DigestMismatch,
    DigestMissing,
    EndpointsDisagree,
    FieldError,
    NameTaken,
    NotFound,
    NotWeightinit,
    OutputFailed,
    RateLimited,
    RequestRejected,
    Retired,
    ServerError,
    ServerStalled,
    SpecRejected,
    Truncated,
    Unauthorized,
    WeightinitError,
    WrongLength,
    WrongRange,
)
from weightinit.models import (
    Model,
    NameEntry,
    Part,
    PartParameters,
    Publication,
    Retirement,
    TensorParameters,
    TensorSpec,
    read_model,
)
from weightinit.spec.layer import Spec
from weightinit.spec.parameters import Parameters
from weightinit.transport.retry import Retry
from weightinit.version import __version__

__all__ = [
    "AsyncClient",
    "BrokenTransfer",
    "BufferMismatch",
    "CacheWarning",
    "CertificateRejected",
    "Client",
    "ConfigurationError",
    "ConnectionFailed",
    "DigestMismatch",
    "DigestMissing",
    "EndpointsDisagree",
    "FieldError",
    "Model",
    "NameEntry",
    "NameTaken",
    "NotFound",
    "NotWeightinit",
    "OutputFailed",
    "Parameters",
    "Part",
    "PartParameters",
    "Publication",
    "RateLimited",
    "RequestRejected",
    "Retired",
    "Retirement",
    "Retry",
    "ServerError",
    "ServerStalled",
    "Spec",
    "SpecRejected",
    "TensorParameters",
    "TensorSpec",
    "Truncated",
    "Unauthorized",
    "WeightinitError",
    "WrongLength",
    "WrongRange",
    "__version__",
    "default_client",
    "parameters",
    "read_model",
    "weights",
]

__getattr__ = _make_getattr(
    __name__,
    {
        "DecidedPart": ("weightinit", "PartParameters"),
        "DecidedTensor": ("weightinit", "TensorParameters"),
        "read_document": ("weightinit", "read_model"),
    },
)
