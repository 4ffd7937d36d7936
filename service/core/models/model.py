"""Models: a seed and named tensors, addressed by the SHA-256 of their canonical form."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import rfc8785

from service.core.models.tensors import ModelTensor


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
