"""Initial weights for neural networks, the same ones wherever they are asked for."""

from weightinit.aio import AsyncClient
from weightinit.client import Client
from weightinit.decisions import DecidedPart, DecidedTensor
from weightinit.default import default_client, parameters, weights
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
from weightinit.models import Model, Part, TensorSpec
from weightinit.names import NameEntry, Publication, Retirement
from weightinit.parameters import Parameters
from weightinit.retry import Retry
from weightinit.spec import Spec
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
    "DecidedPart",
    "DecidedTensor",
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
    "TensorSpec",
    "Truncated",
    "Unauthorized",
    "WeightinitError",
    "WrongLength",
    "WrongRange",
    "__version__",
    "default_client",
    "parameters",
    "weights",
]
