"""Tensors of a model: what is drawn, what is one value everywhere, and what is stacked of both."""

import math
from dataclasses import dataclass
from typing import Any

from service.core.box import Box, format_box
from service.core.dtypes import DTYPES, DtypeName
from service.core.parameters import Parameters
from service.core.spec import LayerSpec

DEFAULT_DTYPE: DtypeName = "float32"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows that are drawn: a box of the tensor that a spec with a seed describes, whole in all axes but 0."""

    spec: LayerSpec
    parameters: Parameters
    box: Box

    @property
    def name(self) -> str:
        """The name that the draws depend on."""
        return self.spec.name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the rows."""
        return tuple(cut.stop - cut.start for cut in self.box)

    @property
    def dtype(self) -> DtypeName:
        """The dtype."""
        return self.spec.dtype

    @property
    def cut(self) -> str:
        """Which rows of the spec's tensor these are, as text; empty for all."""
        return format_box(self.box, self.spec.shape)

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
