"""Tensors: the tensors of a model and their parts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from weightinit.models.parts import CONSTANT, LAYER, VALUES, Part, drop_axis
from weightinit.models.validation import locate, name_tensor, read_list, read_object, read_text
from weightinit.spec.dtypes import TENSOR_DTYPES, Dtype, find_range
from weightinit.spec.layer import (
    describe,
    name_dtype,
    read_any_shape,
    refuse,
)

MAX_SHOWN = 4  # parts in a line

# The fields that a model may have defaults for.
COMMON = (*LAYER, "dtype")
TENSOR_FIELDS = ("name", "shape", *COMMON)
STACKED = ("name", "shape", "dtype", "axis", "parts")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a model: its name, shape and dtype, and the parts that are stacked along an axis.

    There is at least one part; `TensorSpec.of` computes the shape. A tensor with a single constant part
    may be a scalar or have no elements; integers and bool are for constants and ranges only. Raises
    SpecRejected if the parts do not fit together.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    parts: tuple[Part, ...]
    axis: int = 0

    def __post_init__(self) -> None:
        with locate(name_tensor(self.name)):
            object.__setattr__(self, "dtype", name_dtype(self.dtype, TENSOR_DTYPES))
            if (stacked := _stack(self.parts, self.axis)) != self.shape:
                raise refuse("shape", f"must be that of its parts, stacked: {describe(stacked)}", self.shape)
            for part in self.parts:
                if part.spec and part.spec.dtype != self.dtype:
                    raise refuse("parts", f"must have the tensor's dtype, {self.dtype}", part.spec.dtype)
                if part.value is not None:
                    check_constant(part.value, self.dtype)

    @classmethod
    def of(cls, name: str, *parts: Part, dtype: str | None = None, axis: int = 0) -> "TensorSpec":
        """Return a tensor made of parts. Default dtype: that of the drawn parts, or float32.

        >>> TensorSpec.of("bias", Part.constant(64, 0), Part.constant(64, 1)).shape
        (128,)
        """
        drawn = [part.spec.dtype for part in parts if part.spec]
        with locate(name_tensor(name)):
            shape = _stack(parts, axis)
        return cls(name, shape, dtype or (drawn[0] if drawn else "float32"), parts, axis)

    def __repr__(self) -> str:
        """Return the call that creates it, with the first of many parts."""
        parts = "".join(f", {part!r}" for part in self.parts[:MAX_SHOWN])
        more = f", ... {len(self.parts) - MAX_SHOWN} more" if len(self.parts) > MAX_SHOWN else ""
        dtypes = {part.spec.dtype for part in self.parts if part.spec} or {"float32"}
        dtype = f", dtype={self.dtype!r}" if self.dtype not in dtypes else ""
        axis = f", axis={self.axis}" if self.axis else ""
        return f"TensorSpec.of({describe(self.name)}{parts}{more}{dtype}{axis})"

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

        >>> from weightinit.spec.layer import Spec
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
            axis = read_axis(given.get("axis", 0))
            if "parts" in given:
                parts = _read_parts(read_list("parts", given["parts"]), name, defaults, axis)
                shape = read_any_shape(given.get("shape"))
            else:
                parts = (Part.from_json(given, name, defaults),)
                shape = parts[0].shape
        return cls(name, shape, dtype, parts, axis)

    def to_json(self) -> dict[str, object]:
        """Return the JSON to publish. A single part that is the whole tensor is written inline."""
        dtype = {} if self.dtype == "float32" else {"dtype": self.dtype}
        first = self.parts[0]
        is_whole = len(self.parts) == 1 and first.rows is None and not first.copy
        if is_whole and (not first.spec or first.spec.name == self.name):
            return {"name": self.name, **first.to_json(self.name), **dtype}
        parts = [part.to_json(self.name) for part in self.parts]
        axis = {"axis": self.axis} if self.axis else {}
        return {"name": self.name, "shape": list(self.shape), **dtype, **axis, "parts": parts}


def check_constant(value: float, dtype: str) -> None:
    """Check that an integer dtype can represent a constant. Raises SpecRejected."""
    limits = find_range(dtype)
    if limits and not (value.is_integer() and limits[0] <= value <= limits[1]):
        raise refuse("constant", f"must be an integer from {limits[0]} to {limits[1]}, for {dtype}", value)


def _find_fields(entry: Mapping[str, object]) -> tuple[str, ...]:
    if "parts" in entry:
        return STACKED
    if "values" in entry:
        return (*VALUES, "dtype")
    return (*CONSTANT, "dtype") if "constant" in entry else TENSOR_FIELDS


def read_axis(value: object) -> int:
    """Return the axis of a stack. Raises SpecRejected."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise refuse("axis", "must be an integer of at least 0", value)
    return value


def _read_parts(
    entries: list[object], name: str, defaults: Mapping[str, object], axis: int
) -> tuple[Part, ...]:
    parts = []
    for number, entry in enumerate(entries):
        with locate(f"parts[{number}]"):
            parts.append(Part.from_json(entry, name, defaults, axis))
    return tuple(parts)


def _stack(parts: tuple[Part, ...], axis: int) -> tuple[int, ...]:
    """Return the shape of parts stacked along an axis. Raises SpecRejected."""
    shapes = [part.shape for part in parts]
    if shapes == [()]:
        return ()
    others = {(len(shape), drop_axis(shape, axis)) for shape in shapes}
    if len(others) != 1 or min(len(shape) for shape in shapes) <= axis:
        along = "their rows" if axis == 0 else f"axis {axis}"
        raise refuse("parts", f"must be at least one, of equal shapes except for {along}", shapes)
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])
