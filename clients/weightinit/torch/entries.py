"""Entries: the tensors of a plan, how each starts, and why."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import torch

from weightinit.spec import Spec
from weightinit.torch.names import Place
from weightinit.torch.starts import Block, Draw, Given, Start
from weightinit.torch.tensors import name_dtype


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor of a plan: a parameter, or `rows` of it that are a tensor of their own.

    `aliases` are the other names of a tied parameter.
    """

    name: str
    aliases: tuple[str, ...]
    parameter: torch.Tensor
    rows: slice | None
    start: Start
    reason: str

    @classmethod
    def of(cls, place: Place, block: Block) -> Self:
        """Make the entry of a parameter's block."""
        name, *aliases = block.extend(place.names)
        return cls(name, tuple(aliases), place.parameter, block.rows, block.start, block.reason)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor."""
        whole = tuple(self.parameter.shape)
        return whole if self.rows is None else (self.rows.stop - self.rows.start, *whole[1:])

    def make_spec(self, seed: int, rename: Callable[[str], str] = str) -> Spec | None:
        """Make the spec of a tensor that is drawn; None for others. Raises TensorRejected, SpecRejected.

        What a published model says has a seed and a name already.
        """
        if isinstance(self.start, Given):
            return replace(self.start.spec, dtype=name_dtype(self.parameter))
        if not isinstance(self.start, Draw):
            return None
        dtype = name_dtype(self.parameter)
        return Spec.of(self.shape, dtype=dtype, seed=seed, name=rename(self.name), **self.start.layer)
