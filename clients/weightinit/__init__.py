"""Initial weights for neural networks, the same wherever they are requested.

Names are imported on first use (PEP 562), because httpx and NumPy take ten times as long as the rest.
"""

import importlib
import typing

from weightinit.version import __version__

if typing.TYPE_CHECKING:
    from weightinit.async_client import AsyncClient
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
        NameTaken,
        NotFound,
        NotWeightinit,
        Offline,
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
    from weightinit.local import service
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
    "Offline",
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
    "service",
    "weights",
]

# The modules that define these names, the fastest to import first.
_MODULES = (
    "errors",
    "spec.layer",
    "spec.parameters",
    "models",
    "transport.retry",
    "client",
    "default",
    "local",
    "async_client",
)
# Submodules that are available after `import weightinit`.
_SUBMODULES = (
    "arrays",
    "async_client",
    "cache",
    "client",
    "default",
    "deprecation",
    "download",
    "errors",
    "models",
    "settings",
    "spec",
    "transport",
)
_RENAMED = {
    "DecidedPart": ("weightinit", "PartParameters"),
    "DecidedTensor": ("weightinit", "TensorParameters"),
    "read_document": ("weightinit", "read_model"),
}

if not typing.TYPE_CHECKING:  # or a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name in __all__:
            modules = (importlib.import_module(f"{__name__}.{module}") for module in _MODULES)
            globals()[name] = next(vars(module)[name] for module in modules if name in vars(module))
            return globals()[name]
        if name in _SUBMODULES:
            importlib.import_module(f"{__name__}.async_client")
            return importlib.import_module(f"{__name__}.{name}")
        deprecation = importlib.import_module(f"{__name__}.deprecation")
        return deprecation.make_getattr(__name__, _RENAMED)(name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__, *_SUBMODULES})
