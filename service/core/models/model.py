"""Models: a seed and named tensors, addressed by the SHA-256 of their canonical form."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import rfc8785

from service.core.dtypes import DTYPES, DtypeName
from service.core.parameters import Parameters
from service.core.slices import Slices, format_slices
from service.core.spec import LayerSpec

DEFAULT_DTYPE: DtypeName = "float32"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows that are drawn: a box of the tensor that a spec with a seed describes, whole in all axes but 0."""

    spec: LayerSpec
    parameters: Parameters
    slices: Slices

    @property
    def name(self) -> str:
        """The name that the draws depend on."""
        return self.spec.name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the rows."""
        return tuple(cut.stop - cut.start for cut in self.slices)

    @property
    def dtype(self) -> DtypeName:
        """The dtype."""
        return self.spec.dtype

    @property
    def cut(self) -> str:
        """Which rows of the spec's tensor these are, as text; empty for all."""
        return format_slices(self.slices, self.spec.shape)

    def describe(self) -> dict[str, Any]:
        """Return the fields of the canonical form; those that equal their default are left out."""
        said = self.spec.model_dump(exclude_defaults=True, exclude={"seed"})
        said |= {"name": self.name, "shape": list(self.spec.shape), "layout": self.parameters.layout}
        return said | ({"slice": self.cut} if self.cut else {})


@dataclass(frozen=True, slots=True)
class Constant:
    """Rows of one value."""

    name: str
    shape: tuple[int, ...]
    dtype: DtypeName
    value: float

    def describe(self) -> dict[str, Any]:
        """Return the fields of the canonical form; those that equal their default are left out."""
        said = {"name": self.name, "shape": list(self.shape), "constant": self.value}
        return said | describe_dtype(self.dtype)


Part = Drawn | Constant


@dataclass(frozen=True, slots=True)
class ModelTensor:
    """A tensor of a model: parts of one dtype, stacked along axis 0."""

    name: str
    shape: tuple[int, ...]
    dtype: DtypeName
    parts: tuple[Part, ...]

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return DTYPES[self.dtype].itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.elements * self.itemsize

    def describe(self) -> dict[str, Any]:
        """Return the fields of the canonical form, in which a tensor's only part stands in its place."""
        described = [part.describe() for part in self.parts]
        if len(described) == 1 and described[0]["name"] == self.name and "slice" not in described[0]:
            return described[0]
        for part in described:
            part.pop("dtype", None)
            if part["name"] == self.name:
                del part["name"]
        said = {"name": self.name, "shape": list(self.shape), "parts": described}
        return said | describe_dtype(self.dtype)


def describe_dtype(dtype: DtypeName) -> dict[str, DtypeName]:
    """Return a dtype's field, unless it is the default."""
    return {} if dtype == DEFAULT_DTYPE else {"dtype": dtype}


@dataclass(frozen=True)
class Model:
    """What a model starts from. Its tensors are in the order of their names' bytes."""

    seed: int
    stream: int
    tensors: tuple[ModelTensor, ...]

    @classmethod
    def of(cls, seed: int, stream: int, tensors: Iterable[ModelTensor]) -> Self:
        """Make a model of tensors in any order."""
        return cls(seed, stream, tuple(sorted(tensors, key=lambda tensor: tensor.name.encode())))

    @cached_property
    def canonical(self) -> bytes:
        """The canonical form: JSON as RFC 8785 writes it, so that anyone who has it can compute the id.

        The seed is text, since numbers are doubles there.
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
        """How many elements all tensors have."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return sum(tensor.nbytes for tensor in self.tensors)
