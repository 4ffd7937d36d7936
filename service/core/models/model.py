"""Models: a seed and named tensors, addressed by the SHA-256 of their canonical form."""

import hashlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Self

import rfc8785

from service.core.dtypes import TENSOR_DTYPES, DtypeName, TensorDtypeName
from service.core.errors import name_tensor
from service.core.layer.parameters import Parameters
from service.core.layer.spec import LayerSpec
from service.core.models.values import Rule
from service.core.slices import Slices, compute_shape, format_slices

DEFAULT_DTYPE: DtypeName = "float32"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn part of a tensor: the whole tensor of a spec, or a slice of one axis.

    A `copy` repeats the draws of another part on purpose, as a teacher those of its student.
    """

    spec: LayerSpec
    parameters: Parameters
    slices: Slices
    copy: bool = False

    @property
    def name(self) -> str:
        """The name that the key of the draws is derived from."""
        return self.spec.name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the rows."""
        return compute_shape(self.slices)

    @property
    def dtype(self) -> DtypeName:
        """The dtype of the rows."""
        return self.spec.dtype

    @property
    def slice_text(self) -> str:
        """The rows as text, `start:stop`, or an empty text for all rows."""
        return format_slices(self.slices, self.spec.shape)

    def describe(self) -> dict[str, Any]:
        """Return the fields of the canonical form, without those that have their default."""
        fields = self.spec.model_dump(exclude_defaults=True, exclude={"seed"})
        fields |= {"name": self.name, "shape": list(self.spec.shape), "layout": self.parameters.layout}
        fields |= {"slice": self.slice_text} if self.slice_text else {}
        return fields | ({"copy": True} if self.copy else {})


@dataclass(frozen=True, slots=True)
class Constant:
    """A part with one value everywhere. It may have no axes, no elements, or an integer dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: TensorDtypeName
    value: float

    def describe(self) -> dict[str, Any]:
        """Return the fields of the canonical form, without those that have their default."""
        fields = {"name": self.name, "shape": list(self.shape), "constant": self.value}
        return fields | describe_dtype(self.dtype)


@dataclass(frozen=True, slots=True)
class Values:
    """A part whose elements follow from their place, by a rule. Rules that draw use the model's seed."""

    name: str
    shape: tuple[int, ...]
    dtype: TensorDtypeName
    rule: Rule
    seed: int

    def describe(self) -> dict[str, Any]:
        """Return the fields of the canonical form, without those that have their default."""
        fields = {"name": self.name, "shape": list(self.shape), **self.rule.describe()}
        return fields | describe_dtype(self.dtype)


Part = Drawn | Constant | Values


@dataclass(frozen=True)
class ModelTensor:
    """A tensor of a model: parts of one dtype, stacked along an axis."""

    name: str
    shape: tuple[int, ...]
    dtype: TensorDtypeName
    parts: tuple[Part, ...]
    axis: int = 0

    @cached_property
    def row_stops(self) -> list[int]:
        """The end of each part on the axis of the stack."""
        return list(accumulate(part.shape[self.axis] for part in self.parts))

    def find_parts(self, slices: Slices) -> range:
        """Return the numbers of the parts that a slice meets. Parts without rows may be among them."""
        if not slices:
            return range(len(self.parts))
        rows = slices[self.axis]
        stops = self.row_stops
        return range(bisect_right(stops, rows.start), min(bisect_left(stops, rows.stop) + 1, len(stops)))

    def locate(self, number: int) -> str:
        """Return the path of a part, as errors have it: that of the tensor if it is the only part."""
        path = name_tensor(number, {"name": self.name})
        return path if len(self.parts) == 1 else f"{path}.parts[{number}]"

    @property
    def elements(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return TENSOR_DTYPES[self.dtype].itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.elements * self.itemsize

    def describe(self) -> dict[str, Any]:
        """Return the fields of the canonical form. A single part that is the whole tensor is inlined."""
        described = [part.describe() for part in self.parts]
        first, *others = described
        if not others and first["name"] == self.name and first.keys().isdisjoint({"slice", "copy"}):
            return first
        for part in described:
            part.pop("dtype", None)
            if part["name"] == self.name:
                del part["name"]
        fields = {"name": self.name, "shape": list(self.shape), "parts": described}
        return fields | ({"axis": self.axis} if self.axis else {}) | describe_dtype(self.dtype)


def describe_dtype(dtype: TensorDtypeName) -> dict[str, TensorDtypeName]:
    """Return the field of a dtype unless it is the default."""
    return {} if dtype == DEFAULT_DTYPE else {"dtype": dtype}


@dataclass(frozen=True)
class Model:
    """A model: its seed, stream version, and tensors in the order of their names' bytes."""

    seed: int
    stream: int
    tensors: tuple[ModelTensor, ...]

    @classmethod
    def of(cls, seed: int, stream: int, tensors: Iterable[ModelTensor]) -> Self:
        """Make a model from tensors in any order."""
        return cls(seed, stream, tuple(sorted(tensors, key=lambda tensor: tensor.name.encode())))

    @cached_property
    def canonical(self) -> bytes:
        """The canonical form: JSON by RFC 8785, so that anyone can compute the id.

        The seed is text, because RFC 8785 writes numbers as doubles.
        """
        tensors = [tensor.describe() for tensor in self.tensors]
        return rfc8785.dumps({"seed": str(self.seed), "stream": self.stream, "tensors": tensors})

    @cached_property
    def id(self) -> str:
        """The SHA-256 of the canonical form, in lower-case hexadecimal digits."""
        return hashlib.sha256(self.canonical).hexdigest()

    @cached_property
    def by_name(self) -> Mapping[str, ModelTensor]:
        """The tensors by their names."""
        return {tensor.name: tensor for tensor in self.tensors}

    @property
    def elements(self) -> int:
        """The number of elements of all tensors."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors)
