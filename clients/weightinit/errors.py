"""Errors: one tree. Messages of requests name the request, the URL and what to do.

```
WeightinitError
├── ConfigurationError      a setting is invalid                        (also ValueError)
├── BufferMismatch          `out` does not fit the tensor               (also ValueError)
├── ConnectionFailed        no endpoint responded                     * (also ConnectionError)
│   ├── CertificateRejected the server's certificate is not trusted
│   └── Offline             not in the cache, and WEIGHTINIT_OFFLINE is set
├── ServerStalled           timeout                                   * (also TimeoutError)
├── NotWeightinit           the response is not weightinit's
├── RequestRejected         any other 4xx
│   ├── SpecRejected        422: the spec is invalid                    (also ValueError)
│   ├── Unauthorized        401, 403
│   ├── NotFound            404
│   ├── NameTaken           409: the name is taken or retired
│   ├── Retired             410: the name is retired
│   └── RateLimited         429                                       *
├── ServerError             5xx; 501, 505, 507 are not retried        *
├── BrokenTransfer          the body does not match its headers       *
│   ├── Truncated           too few bytes                             *
│   ├── WrongRange          another range than requested              *
│   └── DigestMismatch      the SHA-256 does not match                *
├── WrongLength             the announced size is not the tensor's
├── DigestMissing           a digest was required and not sent
├── EndpointsDisagree       two endpoints serve different tensors
└── OutputFailed            a file could not be written or read         (also OSError)
```

Requests that fail with a starred error are retried; it is raised after the last attempt.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

# ruff: noqa: N818 - the names say what happened, and the base class that they are errors


class WeightinitError(Exception):
    """The base class of the client's errors. `str(error)` is one line."""

    retryable: bool = False


class ConfigurationError(WeightinitError, ValueError):
    """A setting, from an argument or the environment, is invalid."""


class BufferMismatch(WeightinitError, ValueError):
    """`out` has the wrong size, shape or dtype, is read-only, or is not C-contiguous."""


class ConnectionFailed(WeightinitError, ConnectionError):
    """The connection failed, or was closed before a response."""

    retryable = True


class CertificateRejected(ConnectionFailed):
    """The server's certificate is not trusted."""

    retryable = False


class Offline(ConnectionFailed):
    """The cache does not have the response, and offline mode (WEIGHTINIT_OFFLINE) allows no request."""

    retryable = False


class ServerStalled(WeightinitError, TimeoutError):
    """The server sent nothing within the timeout."""

    retryable = True


class NotWeightinit(WeightinitError):
    """The response is not from a weightinit service."""


class RequestRejected(WeightinitError):
    """The service rejected the request. `status` and `detail` are those of the response."""

    def __init__(self, message: str, *, status: int | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class FieldError:
    """A rule that a field of a spec violates, as the service reports it."""

    field: str
    rule: str
    received: str
    message: str


class SpecRejected(RequestRejected, ValueError):
    """The spec is invalid; `errors` has the violated rules by field.

    Most come from the service (status 422). The client checks a few rules itself before any request, such
    as that a shape is made of integers (status None).
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        detail: str = "",
        errors: Iterable[FieldError] = (),
    ) -> None:
        super().__init__(message, status=status, detail=detail)
        self.errors = tuple(errors)


class Unauthorized(RequestRejected):
    """The token is missing, unknown or not permitted (401, 403)."""


class NotFound(RequestRejected):
    """The service does not have the requested resource (404)."""


class NameTaken(RequestRejected):
    """The name is taken by another model, or retired (409); `model` is that model's id."""

    def __init__(self, message: str, *, status: int | None = None, detail: str = "", model: str = "") -> None:
        super().__init__(message, status=status, detail=detail)
        self.model = model


class Retired(RequestRejected):
    """The name is retired (410). Its model is still available by its id, `model`."""

    def __init__(self, message: str, *, status: int | None = None, detail: str = "", model: str = "") -> None:
        super().__init__(message, status=status, detail=detail)
        self.model = model


class RateLimited(RequestRejected):
    """Too many requests (429). `retry_after` is in seconds, None if the service sends none."""

    retryable = True

    def __init__(
        self, message: str, *, status: int | None = None, detail: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, status=status, detail=detail)
        self.retry_after = retry_after


class ServerError(WeightinitError):
    """The service failed (5xx). `retry_after` is in seconds, None if the service sends none."""

    # Not supported (RFC 9110, sections 15.6.2 and 15.6.6), or a quota or disk is full (RFC 4918, section
    # 11.5): a retry is useless.
    LASTING: ClassVar[frozenset[int]] = frozenset({501, 505, 507})

    def __init__(
        self, message: str, *, status: int = 500, detail: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.retryable = status not in self.LASTING


class BrokenTransfer(WeightinitError):
    """The body does not match the response's headers."""

    retryable = True


class Truncated(BrokenTransfer):
    """The connection was closed before all announced bytes arrived."""


class WrongRange(BrokenTransfer):
    """A partial response has another range, or is of another tensor, than requested."""


class DigestMismatch(BrokenTransfer):
    """The received bytes do not match the digest that the service sent (RFC 9530)."""


class WrongLength(WeightinitError):
    """The response has another size than the requested tensor."""


class DigestMissing(WeightinitError):
    """Verification is on, and the service sent no digest."""


class EndpointsDisagree(WeightinitError):
    """Two endpoints sent different entity tags for one request: they are not replicas."""


class OutputFailed(WeightinitError, OSError):
    """A file could not be written or read."""


class CacheWarning(UserWarning):
    """The cache on disk could not be used; results are not affected."""


# ruff: noqa: N818 - the names say what happened, and the base class that they are errors
