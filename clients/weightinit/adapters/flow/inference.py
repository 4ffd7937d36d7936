"""Inferences: what a graph shows of a kernel, and how those of its parts or uses become one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from weightinit.adapters.actions import Certainty
from weightinit.adapters.flow.functions import GATED, describe_function

ATTENTION = 3  # queries, keys, values


@dataclass(frozen=True, slots=True)
class Inference:
    """What a model shows of a kernel: the activation that follows, why, and how certain that is.

    `parts` are the kernels that it packs along the axis of its outputs, by name, in order; each with its
    length and what follows it. Empty for one kernel. `outputs` is the number of outputs of each, where
    kernels of one size lie between each other. `slope` is that of a leaky ReLU below zero.
    """

    activation: str | None
    reason: str = ""
    certainty: Certainty = "certain"
    parts: Mapping[str, tuple[int, "Inference"]] = field(default_factory=dict)
    outputs: int | None = None
    slope: float | None = None

    @property
    def function(self) -> str:
        """What follows, for people, and to compare with others."""
        return describe_function(self.activation, self.slope) or "none"


NOTHING = Inference(None, "No activation follows.")


def pack(parts: Sequence[tuple[int, Inference]]) -> Inference:
    """Pack what follows kernels that lie one behind the other, each with its number of outputs."""
    *scored, last = (one for _, one in parts)
    # The values may meet an activation behind their product with the scores, which is a guess.
    ends = all(one == NOTHING for one in scored) and (last == NOTHING or last.certainty == "guessed")
    is_attention = len(parts) == ATTENTION and ends
    names = "qkv" if is_attention else [str(number) for number in range(len(parts))]
    packed = dict(zip(names, parts, strict=True))
    return Inference(None, f"Its outputs are split into {len(parts)} kernels.", parts=packed)


def choose(found: Sequence[Inference]) -> Inference:
    """Choose what follows the first use of a kernel of which something is known; others may disagree."""
    first = next((one for one in found if one.certainty != "unknown"), found[0])
    others = sorted({one.function for one in found} - {first.function})
    if first.parts or not others or first.certainty == "unknown":
        return first
    reason = f"{first.reason} Other uses are followed by {' and '.join(others)}."
    return replace(first, certainty="guessed", reason=reason)


def are_gated(inferences: Sequence[Inference]) -> bool:
    """Tell whether parts are the halves of a gated unit, which one scheme suits."""
    names = {inference.activation for inference in inferences}
    return any(GATED[name] in names for name in names if name in GATED)


def merge(inferences: Sequence[Inference], why: str = "") -> Inference:
    """Merge what follows the parts of a kernel that stays whole; `why` says that it may pack several."""
    gated = next((one for one in inferences if one.activation in GATED.values()), None)
    unknown = next((one for one in inferences if one.certainty == "unknown"), None)
    first = gated or unknown or next((one for one in inferences if one.activation), inferences[0])
    is_same = len({one.function for one in inferences}) == 1
    if gated or first.certainty == "unknown" or (is_same and not why):
        return first
    cause = why or "its outputs are used in several ways"
    return replace(first, certainty="guessed", reason=f"{first.reason} It may pack several kernels: {cause}.")


def doubt(why: str) -> Inference:
    """Find that what follows could not be seen, and why."""
    return Inference(None, f"What follows could not be seen: {why}.", "unknown")
