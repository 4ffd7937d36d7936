"""Tensors: what one tensor of a model is, put together of its parts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from weightinit.descriptions import describe
from weightinit.dtypes import DTYPES, Dtype
from weightinit.models.parts import CONSTANT, LAYER, Part
from weightinit.models.reading import locate, name_tensor, read_list, read_object, read_text
from weightinit.spec import name_dtype, read_shape, refuse

# What a model may have defaults of.
COMMON = (*LAYER, "dtype")
TENSOR_FIELDS = ("name", "shape", *COMMON)
STACKED = ("name", "shape", "dtype", "parts")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a model: its name, shape and dtype, and the parts that are stacked along axis 0.

    There is always at least one part, and `TensorSpec.of` adds up the shape. Raises SpecRejected where
    parts do not fit each other.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        with locate(name_tensor(self.name)):
            object.__setattr__(self, "dtype", name_dtype(self.dtype))
            if (stacked := _stack(self.parts)) != self.shape:
                raise refuse("shape", f"must be that of its parts, stacked: {describe(stacked)}", self.shape)
            for part in self.parts:
                if part.spec and part.spec.dtype != self.dtype:
                    raise refuse("parts", f"must have the tensor's dtype, {self.dtype}", part.spec.dtype)

    @classmethod
    def of(cls, name: str, *parts: Part, dtype: str | None = None) -> "TensorSpec":
        """Make a tensor of its parts. The dtype is theirs if none is given, float32 if none is drawn.

        >>> TensorSpec.of("bias", Part.constant(64, 0), Part.constant(64, 1)).shape
        (128,)
        """
        drawn = [part.spec.dtype for part in parts if part.spec]
        with locate(name_tensor(name)):
            shape = _stack(parts)
        return cls(name, shape, dtype or (drawn[0] if drawn else "float32"), parts)

    @property
    def format(self) -> Dtype:
        """The dtype's row of DTYPES."""
        return DTYPES[self.dtype]

    @property
    def elements(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they have."""
        return self.elements * self.format.itemsize

    def reseed(self, seed: int) -> "TensorSpec":
        """Return the tensor as a seed draws it."""
        if all(part.spec is None or part.spec.seed == seed for part in self.parts):
            return self
        parts = (
            replace(part, spec=replace(part.spec, seed=seed)) if part.spec else part for part in self.parts
        )
        return replace(self, parts=tuple(parts))

    @classmethod
    def from_json(cls, entry: Mapping[str, object], defaults: Mapping[str, object]) -> "TensorSpec":
        """Read a tensor of a model, given the model's defaults. Raises SpecRejected."""
        name = read_text("name", entry.get("name"))
        with locate(name_tensor(name)):
            said = dict(read_object(entry, *_find_fields(entry)))
            dtype = name_dtype(said.pop("dtype", defaults.get("dtype", "float32")))
            defaults = {**defaults, "dtype": dtype}
            if "parts" in said:
                parts = _read_parts(read_list("parts", said["parts"]), name, defaults)
                shape = read_shape(said.get("shape"))
            else:
                parts = (Part.from_json(said, name, defaults),)
                shape = parts[0].shape
        return cls(name, shape, dtype, parts)

    def to_json(self) -> dict[str, object]:
        """Write what is POSTed. A single part that is the whole tensor is written inline."""
        dtype = {} if self.dtype == "float32" else {"dtype": self.dtype}
        first = self.parts[0]
        if len(self.parts) == 1 and first.rows is None and (not first.spec or first.spec.name == self.name):
            return {"name": self.name, **first.to_json(self.name), **dtype}
        parts = [part.to_json(self.name) for part in self.parts]
        return {"name": self.name, "shape": list(self.shape), **dtype, "parts": parts}


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
    """Stack shapes along axis 0. Raises SpecRejected."""
    shapes = [part.shape for part in parts]
    if len({shape[1:] for shape in shapes}) != 1:
        raise refuse("parts", "must be at least one, of equal shapes but for their rows", shapes)
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])
