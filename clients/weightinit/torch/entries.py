"""Entries: the tensors of a plan, how each starts, and why."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import torch

from weightinit.spec.layer import LayerFields, Spec
from weightinit.spec.parameters import Parameters
from weightinit.torch.fill import name_dtype
from weightinit.torch.walk import NamedTensor


@dataclass(frozen=True, slots=True)
class Draw:
    """Weights of a layer."""

    layer: LayerFields

    @property
    def wants_activation(self) -> bool:
        """Whether the scheme follows from an activation that is not known yet."""
        return "activation" not in self.layer and self.layer.get("scheme", "auto") == "auto"


@dataclass(frozen=True, slots=True)
class PublishedDraw:
    """What a published model draws, and what is decided for it: rows of a spec's tensor, from `first` on."""

    spec: Spec
    decided: Parameters
    first: int = 0


@dataclass(frozen=True, slots=True)
class Constant:
    """One value everywhere."""

    value: float


@dataclass(frozen=True, slots=True)
class Leave:
    """What is there already, because somebody says so."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What is there already, because nobody says how it starts."""


Action = Draw | PublishedDraw | Constant | Leave | Unknown


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a parameter, all of them where `rows` is None, that start as one tensor: named by a suffix."""

    start: Action
    reason: str = ""
    suffix: str = ""
    rows: slice | None = None

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Tell whether a parameter of that shape can start so: a flattened kernel has no axes to name."""
        return not isinstance(self.start, Draw) or len(self.start.layer["layout"]) == len(shape)

    def extend(self, names: Iterable[str]) -> list[str]:
        """Extend the names of a parameter to those of the block."""
        return [f"{name}{self.suffix}" for name in names]


def find_layout(blocks: Iterable[Block]) -> str:
    """Find the axes of a parameter, the same for all its blocks that are drawn; "" where none is.

    >>> find_layout([Block(Leave()), Block(Draw({"layout": "OI"}))]), find_layout([Block(Leave())])
    ('OI', '')
    """
    return next((block.start.layer["layout"] for block in blocks if isinstance(block.start, Draw)), "")


def split_rows(
    rows: Mapping[str, int], starts: Mapping[str, Action], reasons: Mapping[str, str]
) -> list[Block]:
    """Split a parameter along axis 0 into named blocks of so many rows.

    >>> blocks = split_rows({"q": 4, "k": 2}, {"q": Leave(), "k": Leave()}, {"q": "", "k": ""})
    >>> [(block.suffix, block.rows) for block in blocks]
    [('.q', slice(0, 4, None)), ('.k', slice(4, 6, None))]
    """
    blocks, first = [], 0
    for name, count in rows.items():
        blocks.append(Block(starts[name], reasons[name], f".{name}", slice(first, first + count)))
        first += count
    return blocks


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """A tensor of a plan: a parameter, or `rows` of it that are a tensor of their own.

    `aliases` are the other names of a tied parameter.
    """

    name: str
    aliases: tuple[str, ...]
    parameter: torch.Tensor
    rows: slice | None
    start: Action
    reason: str

    @classmethod
    def of(cls, place: NamedTensor, block: Block) -> Self:
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
        if isinstance(self.start, PublishedDraw):
            return replace(self.start.spec, dtype=name_dtype(self.parameter))
        if not isinstance(self.start, Draw):
            return None
        dtype = name_dtype(self.parameter)
        return Spec.of(self.shape, dtype=dtype, seed=seed, name=rename(self.name), **self.start.layer)
