"""Errors: one tree, in which every message names the request, the URL and what to do.

```
WeightinitError
├── ConfigurationError      a setting cannot be used                    (also ValueError)
├── BufferMismatch          `out` cannot take the tensor                (also ValueError)
├── ConnectionFailed        no endpoint answered                      * (also ConnectionError)
│   ├── CertificateRejected its certificate is not trusted
│   └── Offline             none may be asked: WEIGHTINIT_OFFLINE
├── ServerStalled           it stopped sending                        * (also TimeoutError)
├── NotWeightinit           something else answered
├── RequestRejected         any other 4xx
│   ├── SpecRejected        422: the spec cannot be honoured            (also ValueError)
│   ├── Unauthorized        401, 403
│   ├── NotFound            404
│   ├── NameTaken           409: the name stands for another model, or is retired
│   ├── Retired             410: the name is no longer to be used
│   └── RateLimited         429                                       *
├── ServerError             5xx; all but 501 and 505                  *
├── BrokenTransfer          what arrived is not what was announced    *
│   ├── Truncated           too few bytes                             *
│   ├── WrongRange          another part than the one requested      *
│   └── DigestMismatch      the bytes do not match their digest       *
├── WrongLength             announced bytes are not as many as the tensor's
├── DigestMissing           a digest was required and not sent
├── EndpointsDisagree       two endpoints name different tensors
└── OutputFailed            a file could not be written                 (also OSError)
```

Those with a star are tried again, and raised when the attempts are spent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

# ruff: noqa: N818 - the names say what happened, and the root says that they are errors


class WeightinitError(Exception):
    """The root of what the client raises. `str(error)` is one line for a person."""

    retryable: bool = False


class ConfigurationError(WeightinitError, ValueError):
    """A setting, given as an argument or by the environment, cannot be used."""


class BufferMismatch(WeightinitError, ValueError):
    """The destination has another size, shape or dtype, or cannot be written in one piece."""


class ConnectionFailed(WeightinitError, ConnectionError):
    """No connection, or one that broke before an answer came."""

    retryable = True


class CertificateRejected(ConnectionFailed):
    """The server's certificate is not one that this machine trusts."""

    retryable = False


class Offline(ConnectionFailed):
    """No endpoint may be asked, as WEIGHTINIT_OFFLINE says, and the cache does not have the answer."""

    retryable = False


class ServerStalled(WeightinitError, TimeoutError):
    """Nothing came for as long as the timeout allows."""

    retryable = True


class NotWeightinit(WeightinitError):
    """What answered at this URL does not speak as weightinit does."""


class RequestRejected(WeightinitError):
    """The service refuses the request. `status` is the answer's, `detail` its own words."""

    def __init__(self, message: str, *, status: int | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class FieldError:
    """One rule that one field of a spec broke, in the service's words."""

    field: str
    rule: str
    received: str
    message: str


class SpecRejected(RequestRejected, ValueError):
    """The spec cannot be honoured; `errors` says why, field by field.

    Most come from the service (status 422). What the client has to know itself, such as a shape made of
    integers, is refused in the same form before any request (status None).
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
    """The service wants another token, or none that it knows was sent (401, 403)."""


class NotFound(RequestRejected):
    """The service knows no such thing (404)."""


class NameTaken(RequestRejected):
    """The name stands for another model, and does so forever (409); `model` is that one's id."""

    def __init__(self, message: str, *, status: int | None = None, detail: str = "", model: str = "") -> None:
        super().__init__(message, status=status, detail=detail)
        self.model = model


class Retired(RequestRejected):
    """The name was retired (410). What it stood for can still be had by `model`, its id."""

    def __init__(self, message: str, *, status: int | None = None, detail: str = "", model: str = "") -> None:
        super().__init__(message, status=status, detail=detail)
        self.model = model


class RateLimited(RequestRejected):
    """The service asks to come back later (429), after `retry_after` seconds where it says so."""

    retryable = True

    def __init__(
        self, message: str, *, status: int | None = None, detail: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, status=status, detail=detail)
        self.retry_after = retry_after


class ServerError(WeightinitError):
    """The service failed (5xx). `retry_after` is in seconds, where it says so."""

    # RFC 9110, sections 15.6.2 and 15.6.6: what is not supported will not be in a second.
    LASTING: ClassVar[frozenset[int]] = frozenset({501, 505})

    def __init__(
        self, message: str, *, status: int = 500, detail: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.retryable = status not in self.LASTING


class BrokenTransfer(WeightinitError):
    """What arrived is not what was announced."""

    retryable = True


class Truncated(BrokenTransfer):
    """The connection ended before all the bytes that were announced had come."""


class WrongRange(BrokenTransfer):
    """A partial answer is another part, or a part of another tensor, than the one requested."""


class DigestMismatch(BrokenTransfer):
    """The bytes that arrived do not have the digest that the service announced (RFC 9530)."""


class WrongLength(WeightinitError):
    """The answer has another size than the tensor that was requested."""


class DigestMissing(WeightinitError):
    """The bytes had to be verified, and the service sent no digest to verify them by."""


class EndpointsDisagree(WeightinitError):
    """Two endpoints answer one request with different entity tags: they are not replicas."""


class OutputFailed(WeightinitError, OSError):
    """A file could not be written."""


class CacheWarning(UserWarning):
    """The cache on disk could not be used; the answer is right all the same."""


# ruff: noqa: N818 - the names say what happened, and the root says that they are errors
