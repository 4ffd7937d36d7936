"""Specs: the fields of a layer's weights, as in a query."""

import operator
import reprlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, Unpack

from weightinit.errors import FieldError, SpecRejected
from weightinit.spec.dtypes import DTYPES, Dtype
from weightinit.spec.fields import VALUE_FIELDS, SpecFields, imply_scheme

MAX_TEXT_LENGTH = 80
MAX_ITEMS = 8
MAX_DEPTH = 2

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = MAX_TEXT_LENGTH
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = MAX_ITEMS
_REPR.maxlevel = MAX_DEPTH


def describe(value: object) -> str:
    """Return the repr of a value, shortened if it is long.

    >>> describe((784, 300)), describe([1] * 1000)
    ('(784, 300)', '[1, 1, 1, 1, 1, 1, 1, 1, ...]')
    """
    return _REPR.repr(value)


def shorten(text: str) -> str:
    """Cut text to a readable length.

    >>> shorten("fc1"), len(shorten("fc1" * 1000))
    ('fc1', 81)
    """
    return text if len(text) <= MAX_TEXT_LENGTH else text[:MAX_TEXT_LENGTH] + "…"


Shape = int | Iterable[int]


@dataclass(frozen=True, slots=True)
class Spec:
    """The fields that determine a layer's weights.

    The service validates them; the client checks only that the shape is made of positive integers and the
    dtype is one of DTYPES. Weights require a name. An empty one draws what the service draws without a name.
    """

    shape: tuple[int, ...]
    layout: str = "keras"
    groups: int = 1
    transposed: bool = False
    stride: tuple[int, ...] | None = None
    fan_in: int | None = None
    fan_out: int | None = None
    fans_as: str | None = None
    activation: str | None = None
    activation_parameter: tuple[float, ...] | None = None
    scheme: str = "auto"
    scale: float | None = None
    mode: str | None = None
    negative_slope: float | None = None
    gain: float | None = None
    distribution: str | None = None
    stddev: float | None = None
    parent_stddev: float | None = None
    limit: float | None = None
    lower: float | None = None
    upper: float | None = None
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    sparsity: float | None = None
    sparsity_axis: str = "I"
    center: str = "same"
    constant: float | None = None
    dtype: str = "float32"
    seed: int | str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        # torch.Size, lists and NumPy's dtypes become plain values; a frozen dataclass is set this way.
        object.__setattr__(self, "shape", read_shape(self.shape))
        object.__setattr__(self, "dtype", name_dtype(self.dtype))
        for name in ("stride", "activation_parameter"):  # of one number or several
            object.__setattr__(self, name, _read_list(getattr(self, name)))
        if self.scheme == "auto":
            given = {name: getattr(self, name) for name in VALUE_FIELDS}
            object.__setattr__(self, "scheme", imply_scheme(given))

    @classmethod
    def of(cls, shape: "Spec | Shape", **changes: Unpack[SpecFields]) -> "Spec":
        """Return a spec of a shape and keywords, or a spec with some fields changed. Raises SpecRejected.

        >>> Spec.of([784, 300], activation="relu").shape
        (784, 300)
        """
        values: dict[str, Any] = {**changes}
        return replace(shape, **values) if isinstance(shape, Spec) else cls(read_shape(shape), **values)

    def __repr__(self) -> str:
        """Return the call that creates it, without defaults."""
        given = ((row.name, getattr(self, row.name)) for row in fields(self) if row.default is not MISSING)
        defaults = {row.name: row.default for row in fields(self)}
        changes = [f", {name}={describe(value)}" for name, value in given if value != defaults[name]]
        return f"Spec({self.shape}{''.join(changes)})"

    @property
    def format(self) -> Dtype:
        """The dtype's entry in DTYPES."""
        return DTYPES[self.dtype]

    def to_query(self) -> dict[str, str]:
        """Return the fields that differ from their defaults as query parameters. Raises SpecRejected.

        >>> Spec((784, 300), activation="relu", scale=0.5, seed=42).to_query()
        {'shape': '784,300', 'activation': 'relu', 'scale': '0.5', 'seed': '42'}
        """
        values = {}
        for row in fields(self):
            value = getattr(self, row.name)
            if row.name == "name" and not value:
                continue  # the service draws the same without a name as with an empty one
            if row.default is MISSING or value != row.default:
                values[row.name] = _write_value(row.name, value)
        return values


def refuse(field: str, rule: str, received: object) -> SpecRejected:
    """Return the error for a field that the client rejects before any request."""
    text = describe(received)
    message = f"{field} {rule}; received {text}"
    error = FieldError(field, rule, text, message)
    return SpecRejected(message, detail=message, errors=[error])


def to_plain(value: object) -> object:
    """Convert NumPy's numbers to Python's, and tuples to lists, for JSON; return other values unchanged.

    >>> import numpy as np
    >>> to_plain(np.int64(2)), to_plain(np.float32(0.5)), to_plain("relu"), to_plain((np.int64(2), 1))
    (2, 0.5, 'relu', [2, 1])
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    try:
        return operator.index(value)  # type: ignore[arg-type]  # or TypeError
    except TypeError:
        return float(value) if hasattr(value, "__float__") else value


def read_shape(shape: object) -> tuple[int, ...]:
    """Return a shape as a tuple, given one length or several, each at least 1. Raises SpecRejected."""
    lengths = _read_lengths(shape)
    if not lengths or min(lengths) < 1:
        raise refuse("shape", "must have at least one axis, and each at least 1", lengths)
    return lengths


def read_any_shape(shape: object) -> tuple[int, ...]:
    """Return the shape of a constant, which may have no axes, or axes of length 0. Raises SpecRejected.

    >>> read_any_shape(()), read_any_shape([0, 3])
    ((), (0, 3))
    """
    lengths = _read_lengths(shape)
    if min(lengths, default=0) < 0:
        raise refuse("shape", "must have axes of at least 0", lengths)
    return lengths


def _read_list(value: Any) -> tuple[Any, ...] | None:  # noqa: ANN401 - the service validates it
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value if value is None else (value,)
    return tuple(value)


def _read_lengths(shape: object) -> tuple[int, ...]:
    axes: Iterable[Any] = shape if isinstance(shape, Iterable) else (shape,)
    try:
        return tuple(operator.index(length) for length in axes)
    except TypeError:
        raise refuse("shape", "must be made of integers", shape) from None


def name_dtype(dtype: object, known: Iterable[str] = DTYPES) -> str:
    """Return the name of a known dtype, which may be given as NumPy's. Raises SpecRejected."""
    known = tuple(known)
    name = dtype if isinstance(dtype, str) else None
    if name is None and dtype is not None:  # NumPy reads None as float64
        import numpy as np  # noqa: PLC0415 - slow to import, and needed for its own dtypes only

        with suppress(TypeError):
            name = np.dtype(dtype).name  # type: ignore[call-overload]  # any object, or TypeError
    if name not in known:
        raise refuse("dtype", f"must be one of {', '.join(known)}", dtype)
    return str(name)


def _write_value(field: str, value: object) -> str:
    """Format a value for a query: decimal numbers, lists with commas, true or false, text unchanged."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise refuse(field, "must be valid Unicode, without lone surrogates", value) from None
        return value
    if isinstance(value, tuple):
        return ",".join(str(to_plain(item)) for item in value)
    plain = to_plain(value)
    return str(plain).lower() if isinstance(plain, bool) else str(plain)
