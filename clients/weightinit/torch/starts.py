"""Starts: what a block of a parameter begins as."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from weightinit.parameters import Parameters
from weightinit.spec import LayerFields, Spec


@dataclass(frozen=True, slots=True)
class Draw:
    """Weights of a layer."""

    layer: LayerFields

    @property
    def wants_activation(self) -> bool:
        """Whether the scheme follows from an activation that is not known yet."""
        return "activation" not in self.layer and self.layer.get("scheme", "auto") == "auto"


@dataclass(frozen=True, slots=True)
class Given:
    """What a published model draws, and what is decided for it: rows of a spec's tensor, from `first` on."""

    spec: Spec
    decided: Parameters
    first: int = 0


@dataclass(frozen=True, slots=True)
class Constant:
    """One value everywhere."""

    value: float


@dataclass(frozen=True, slots=True)
class Keep:
    """What is there already, because somebody says so."""


@dataclass(frozen=True, slots=True)
class Skip:
    """What is there already, because nobody says how it starts."""


Start = Draw | Given | Constant | Keep | Skip


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a parameter, all of them where `rows` is None, that start as one tensor: named by a suffix."""

    start: Start
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

    >>> find_layout([Block(Keep()), Block(Draw({"layout": "OI"}))]), find_layout([Block(Keep())])
    ('OI', '')
    """
    return next((block.start.layer["layout"] for block in blocks if isinstance(block.start, Draw)), "")


def split_rows(
    rows: Mapping[str, int], starts: Mapping[str, Start], reasons: Mapping[str, str]
) -> list[Block]:
    """Split a parameter along axis 0 into named blocks of so many rows.

    >>> blocks = split_rows({"q": 4, "k": 2}, {"q": Keep(), "k": Keep()}, {"q": "", "k": ""})
    >>> [(block.suffix, block.rows) for block in blocks]
    [('.q', slice(0, 4, None)), ('.k', slice(4, 6, None))]
    """
    blocks, first = [], 0
    for name, count in rows.items():
        blocks.append(Block(starts[name], reasons[name], f".{name}", slice(first, first + count)))
        first += count
    return blocks
