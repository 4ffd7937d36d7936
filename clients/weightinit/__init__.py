"""Initial weights for neural networks, the same ones wherever they are asked for."""

from weightinit.aio import AsyncClient
from weightinit.client import Client
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
    NotFound,
    NotWeightinit,
    OutputFailed,
    RateLimited,
    RequestRejected,
    ServerError,
    ServerStalled,
    SpecRejected,
    Truncated,
    Unauthorized,
    WeightinitError,
    WrongLength,
    WrongRange,
)
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
    "DigestMismatch",
    "DigestMissing",
    "EndpointsDisagree",
    "FieldError",
    "NotFound",
    "NotWeightinit",
    "OutputFailed",
    "Parameters",
    "RateLimited",
    "RequestRejected",
    "Retry",
    "ServerError",
    "ServerStalled",
    "Spec",
    "SpecRejected",
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
