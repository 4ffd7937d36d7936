"""Tensors: the tensors of a model and their parts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import SupportsFloat

from weightinit.models.validation import locate, name_tensor, read_flag, read_list, read_object, read_text
from weightinit.spec.dtypes import TENSOR_DTYPES, Dtype, find_range
from weightinit.spec.fields import LayerFields, merge_defaults
from weightinit.spec.layer import (
    Shape,
    Spec,
    describe,
    name_dtype,
    read_any_shape,
    read_shape,
    refuse,
    to_plain,
)
from weightinit.spec.slices import TensorSlice

LAYER = tuple(LayerFields.__annotations__)
PART_FIELDS = ("name", "shape", *LAYER, "slice", "copy")
CONSTANT = ("name", "shape", "constant")
MAX_SHOWN = 4  # parts in a line


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a tensor, drawn or of one constant value; created by `Part.of` and `Part.constant`.

    `shape` is the part's own, rows first. `spec` is that of the whole drawn tensor, and `rows` the
    half-open range of its rows that is used, None for all. A `copy` repeats the draws of another part on
    purpose, which the service refuses otherwise. Raises SpecRejected unless there is exactly one of spec and
    value.
    """

    shape: tuple[int, ...]
    spec: Spec | None = None
    value: float | None = None
    # Python 3.11 cannot hash a slice.
    rows: slice | None = field(default=None, hash=False)
    copy: bool = False

    def __post_init__(self) -> None:
        if (self.spec is None) == (self.value is None):
            received = "neither" if self.spec is None else "both"
            raise refuse("part", "must have either a spec or a value", received)

    @classmethod
    def of(cls, spec: Spec, rows: str | slice | None = None, *, copy: bool = False) -> "Part":
        """Return a part that is drawn, with all rows of its spec's tensor or some. Raises SpecRejected.

        >>> Part.of(Spec((100, 8), name="embedding"), "1:100").shape
        (99, 8)
        """
        tensor_slice = TensorSlice.of(rows, spec.shape)
        if tensor_slice.shape[1:] != spec.shape[1:] or not tensor_slice.shape[0]:
            raise refuse("slice", f"must be a range of rows, start:stop within 0:{spec.shape[0]}", rows)
        if not tensor_slice.text:
            return cls(tensor_slice.shape, spec, copy=copy)
        start, _, stop = tensor_slice.text.partition(":")
        return cls(tensor_slice.shape, spec, rows=slice(int(start), int(stop)), copy=copy)

    @classmethod
    def constant(cls, shape: Shape, value: float) -> "Part":
        """Return a part with one constant value. Raises SpecRejected.

        Its shape may be () for a scalar, or have axes of length 0.

        >>> Part.constant(64, 1).value, Part.constant((), 1).shape
        (1.0, ())
        """
        return cls(read_any_shape(shape), value=_read_value(value))

    def __repr__(self) -> str:
        """Return the call that creates it."""
        if self.spec is None:
            return f"Part.constant({self.shape}, {self.value!r})"
        rows = "" if self.rows is None else f", {self.slice_text!r}"
        return f"Part.of({self.spec!r}{rows}{', copy=True' if self.copy else ''})"

    @property
    def slice_text(self) -> str | None:
        """The rows as the service writes them, such as `1:100`; None for all."""
        return self.rows and f"{self.rows.start}:{self.rows.stop}"

    def summarize(self, tensor: str) -> str:
        """Describe the values in a line; `tensor` is the tensor's name."""
        if self.spec is None:
            return f"constant {self.value:g}"
        given = self.to_json(tensor)
        return (
            ", ".join(f"{name}={describe(value)}" for name, value in given.items() if name != "shape")
            or "drawn"
        )

    @classmethod
    def from_json(cls, entry: object, name: str, defaults: Mapping[str, object]) -> "Part":
        """Return the part of a JSON entry, given the tensor's name, and the defaults with its dtype.

        Raises SpecRejected.
        """
        known = CONSTANT if isinstance(entry, Mapping) and "constant" in entry else PART_FIELDS
        given = read_object(entry, *known)
        if "shape" not in given:
            raise refuse("shape", "is required", None)
        if "constant" in given:
            return cls(read_any_shape(given["shape"]), value=_read_value(given["constant"]))
        shape = read_shape(given["shape"])
        values = {"name": name, **merge_defaults(defaults, given), "shape": shape}
        rows, copy = values.pop("slice", None), values.pop("copy", False)
        read_text("name", values["name"])
        # The service validates the other fields.
        rows = rows if rows is None else read_text("slice", rows)
        return cls.of(Spec(**values), rows, copy=read_flag("copy", copy))

    def to_json(self, name: str) -> dict[str, object]:
        """Return the JSON of the part of a tensor with this name, without defaults and the tensor's dtype."""
        if self.spec is None:
            return {"shape": list(self.shape), "constant": self.value}
        written: dict[str, object] = {} if self.spec.name == name else {"name": self.spec.name or ""}
        written |= {"shape": list(self.spec.shape)}
        for row in fields(Spec):
            value = getattr(self.spec, row.name)
            if row.name in LAYER and value != row.default:
                written[row.name] = to_plain(value)
        written |= {} if self.rows is None else {"slice": self.slice_text}
        return written | ({"copy": True} if self.copy else {})


def _read_value(value: object) -> float:
    try:
        number = (
            float(value) if isinstance(value, SupportsFloat) and not isinstance(value, bool) else math.nan
        )
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise refuse("constant", "must be a finite number", value)
    return number + 0.0  # -0.0 becomes 0.0


# The fields that a model may have defaults for.
COMMON = (*LAYER, "dtype")
TENSOR_FIELDS = ("name", "shape", *COMMON)
STACKED = ("name", "shape", "dtype", "parts")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a model: its name, shape and dtype, and the parts that are stacked along axis 0.

    There is at least one part; `TensorSpec.of` computes the shape. A tensor with a single constant part
    may be a scalar or have no elements; integers and bool are for constants only. Raises SpecRejected if
    the parts do not fit together.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        with locate(name_tensor(self.name)):
            object.__setattr__(self, "dtype", name_dtype(self.dtype, TENSOR_DTYPES))
            if (stacked := _stack(self.parts)) != self.shape:
                raise refuse("shape", f"must be that of its parts, stacked: {describe(stacked)}", self.shape)
            for part in self.parts:
                if part.spec and part.spec.dtype != self.dtype:
                    raise refuse("parts", f"must have the tensor's dtype, {self.dtype}", part.spec.dtype)
                if part.value is not None:
                    check_constant(part.value, self.dtype)

    @classmethod
    def of(cls, name: str, *parts: Part, dtype: str | None = None) -> "TensorSpec":
        """Return a tensor made of parts. Default dtype: that of the drawn parts, or float32.

        >>> TensorSpec.of("bias", Part.constant(64, 0), Part.constant(64, 1)).shape
        (128,)
        """
        drawn = [part.spec.dtype for part in parts if part.spec]
        with locate(name_tensor(name)):
            shape = _stack(parts)
        return cls(name, shape, dtype or (drawn[0] if drawn else "float32"), parts)

    def __repr__(self) -> str:
        """Return the call that creates it, with the first of many parts."""
        parts = "".join(f", {part!r}" for part in self.parts[:MAX_SHOWN])
        more = f", ... {len(self.parts) - MAX_SHOWN} more" if len(self.parts) > MAX_SHOWN else ""
        dtypes = {part.spec.dtype for part in self.parts if part.spec} or {"float32"}
        dtype = f", dtype={self.dtype!r}" if self.dtype not in dtypes else ""
        return f"TensorSpec.of({describe(self.name)}{parts}{more}{dtype})"

    @property
    def format(self) -> Dtype:
        """The dtype's entry in TENSOR_DTYPES."""
        return TENSOR_DTYPES[self.dtype]

    @property
    def elements(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return self.elements * self.format.itemsize

    def summarize(self) -> str:
        """Describe the values in a line.

        >>> TensorSpec.of("fc", Part.of(Spec((784, 300), activation="relu", name="fc"))).summarize()
        "activation='relu'"
        """
        return " | ".join(part.summarize(self.name) for part in self.parts[:MAX_SHOWN]) + (
            f" | and {len(self.parts) - MAX_SHOWN} more" if len(self.parts) > MAX_SHOWN else ""
        )

    def reseed(self, seed: int) -> "TensorSpec":
        """Return the tensor with another seed."""
        if all(part.spec is None or part.spec.seed == seed for part in self.parts):
            return self
        parts = (
            replace(part, spec=replace(part.spec, seed=seed)) if part.spec else part for part in self.parts
        )
        return replace(self, parts=tuple(parts))

    @classmethod
    def from_json(cls, entry: Mapping[str, object], defaults: Mapping[str, object]) -> "TensorSpec":
        """Return the tensor of a JSON entry, given the model's defaults. Raises SpecRejected."""
        name = read_text("name", entry.get("name"))
        with locate(name_tensor(name)):
            given = dict(read_object(entry, *_find_fields(entry)))
            dtype = name_dtype(given.pop("dtype", defaults.get("dtype", "float32")), TENSOR_DTYPES)
            defaults = {**defaults, "dtype": dtype}
            if "parts" in given:
                parts = _read_parts(read_list("parts", given["parts"]), name, defaults)
                shape = read_any_shape(given.get("shape"))
            else:
                parts = (Part.from_json(given, name, defaults),)
                shape = parts[0].shape
        return cls(name, shape, dtype, parts)

    def to_json(self) -> dict[str, object]:
        """Return the JSON to publish. A single part that is the whole tensor is written inline."""
        dtype = {} if self.dtype == "float32" else {"dtype": self.dtype}
        first = self.parts[0]
        is_whole = len(self.parts) == 1 and first.rows is None and not first.copy
        if is_whole and (not first.spec or first.spec.name == self.name):
            return {"name": self.name, **first.to_json(self.name), **dtype}
        parts = [part.to_json(self.name) for part in self.parts]
        return {"name": self.name, "shape": list(self.shape), **dtype, "parts": parts}


def check_constant(value: float, dtype: str) -> None:
    """Check that an integer dtype can represent a constant. Raises SpecRejected."""
    limits = find_range(dtype)
    if limits and not (value.is_integer() and limits[0] <= value <= limits[1]):
        raise refuse("constant", f"must be an integer from {limits[0]} to {limits[1]}, for {dtype}", value)


def _find_fields(entry: Mapping[str, object]) -> tuple[str, ...]:
    if "parts" in entry:
        return STACKED
    return (*CONSTANT, "dtype") if "constant" in entry else TENSOR_FIELDS


def _read_parts(entries: list[object], name: str, defaults: Mapping[str, object]) -> tuple[Part, ...]:
    parts = []
    for number, entry in enumerate(entries):
        with locate(f"parts[{number}]"):
            parts.append(Part.from_json(entry, name, defaults))
    return tuple(parts)


def _stack(parts: tuple[Part, ...]) -> tuple[int, ...]:
    """Return the shape of parts stacked along axis 0. Raises SpecRejected."""
    shapes = [part.shape for part in parts]
    if shapes == [()]:
        return ()
    if len({shape[1:] for shape in shapes}) != 1 or () in shapes:
        raise refuse("parts", "must be at least one, of equal shapes except for their rows", shapes)
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])
