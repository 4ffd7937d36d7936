"""Actions: how a tensor of a model is initialized, and the blocks that one tensor packs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from weightinit.spec.fields import LayerFields, find_scheme
from weightinit.spec.layer import Spec
from weightinit.spec.parameters import Parameters

# The certainty of an action: found in the model, a rule or a published model; likely, with a reason why it
# may be wrong; or unknown.
Certainty = Literal["certain", "guessed", "unknown"]
CERTAINTIES: tuple[Certainty, ...] = ("certain", "guessed", "unknown")  # from the most to the least

# Numbers between these may have been set on purpose; others are uninitialized memory.
SMALLEST, LARGEST = 1e-8, 1e4


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw the weights of a layer."""

    layer: LayerFields

    @property
    def wants_activation(self) -> bool:
        """Whether the scheme depends on an activation that is not known yet."""
        scheme = self.layer.get("scheme", "auto")
        return "activation" not in self.layer and (scheme == "auto" or self.preserves)

    @property
    def preserves(self) -> bool:
        """Whether the scheme keeps the variance through the activation."""
        return find_scheme(self.layer.get("scheme")) == "preserve"


@dataclass(frozen=True, slots=True)
class PublishedDraw:
    """Draw the rows of a spec's tensor from `first` on, as a published model does.

    Or as a layer's own initializer does: then `parameters` is None until the service resolves them.
    """

    spec: Spec
    parameters: Parameters | None
    first: int = 0


@dataclass(frozen=True, slots=True)
class Constant:
    """Set all elements to one value."""

    value: float


@dataclass(frozen=True, slots=True)
class Leave:
    """Keep the tensor's values: because of a rule (`by_rule`), or its framework or author set them."""

    by_rule: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Keep the tensor's values, because how to initialize it is unknown."""


Action = Draw | PublishedDraw | Constant | Leave | Unknown


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a tensor with its own action and name, which ends in `suffix`.

    The part is the half-open `rows` along `axis`; None for the whole tensor.
    """

    action: Action
    reason: str = ""
    suffix: str = ""
    rows: slice | None = None
    axis: int = 0
    certainty: Certainty = "certain"

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether the layout has a letter for each axis of a shape; not if the kernel is flattened."""
        return not isinstance(self.action, Draw) or len(self.action.layer["layout"]) == len(shape)

    def extend(self, names: Iterable[str]) -> list[str]:
        """Return the names of the block, given those of its tensor."""
        return [f"{name}{self.suffix}" for name in names]


# Why a table is drawn as a head.
TIED = (
    "The table of an embedding that is a head, too: σ = 1/√d, so that logits have a variance of 1, as with"
    " the shared weights of Vaswani et al. (2017), section 3.4."
)


def draw_head(rows: int, width: int) -> Draw:
    """Return the draw of an embedding's table that is also a head, with the fans of the head."""
    return Draw({"layout": "IO", "fan_in": width, "fan_out": rows, "scheme": "lecun", "activation": None})


def find_layout(blocks: Iterable[Block]) -> str:
    """Return the layout of a tensor's drawn blocks, the same for all; "" if none is drawn.

    >>> find_layout([Block(Leave()), Block(Draw({"layout": "OI"}))]), find_layout([Block(Leave())])
    ('OI', '')
    """
    return next((block.action.layer["layout"] for block in blocks if isinstance(block.action, Draw)), "")


def split_axis(
    lengths: Mapping[str, int], actions: Mapping[str, Action], reasons: Mapping[str, str], axis: int = 0
) -> list[Block]:
    """Split a tensor along an axis into named blocks of the given lengths.

    >>> blocks = split_axis({"q": 4, "k": 2}, {"q": Leave(), "k": Leave()}, {"q": "", "k": ""})
    >>> [(block.suffix, block.rows) for block in blocks]
    [('.q', slice(0, 4, None)), ('.k', slice(4, 6, None))]
    """
    blocks, first = [], 0
    for name, count in lengths.items():
        blocks.append(Block(actions[name], reasons[name], f".{name}", slice(first, first + count), axis))
        first += count
    return blocks
