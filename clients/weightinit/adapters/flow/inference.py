"""The result of following a kernel's output, and how the results of its parts or uses are merged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from weightinit.adapters.actions import Certainty
from weightinit.adapters.flow.functions import GATED, describe_function

ATTENTION = 3  # queries, keys, values


@dataclass(frozen=True, slots=True)
class Inference:
    """Which activation follows a kernel, the reason, and how certain it is.

    `parts` are the kernels packed along the axis of its outputs, by name, in order, each with its length and
    what follows it; empty for a single kernel. `outputs` is the number of outputs of each kernel, where
    kernels of one size are interleaved. `slope` is that of a leaky ReLU below zero.
    """

    activation: str | None
    reason: str = ""
    certainty: Certainty = "certain"
    parts: Mapping[str, tuple[int, "Inference"]] = field(default_factory=dict)
    outputs: int | None = None
    slope: float | None = None

    @property
    def function(self) -> str:
        """The activation with its slope, or "none", for messages and comparisons."""
        return describe_function(self.activation, self.slope) or "none"


NOTHING = Inference(None, "No activation follows.")


def pack(parts: Sequence[tuple[int, Inference]]) -> Inference:
    """Return the inference for concatenated kernels, each given with its number of outputs."""
    *scored, last = (one for _, one in parts)
    # An activation after the product of the values and the scores is a guess.
    ends = all(one == NOTHING for one in scored) and (last == NOTHING or last.certainty == "guessed")
    is_attention = len(parts) == ATTENTION and ends
    names = "qkv" if is_attention else [str(number) for number in range(len(parts))]
    packed = dict(zip(names, parts, strict=True))
    return Inference(None, f"Its outputs are split into {len(parts)} kernels.", parts=packed)


def choose(found: Sequence[Inference]) -> Inference:
    """Return what follows the first use of a kernel that is not unknown; a guess if other uses differ."""
    first = next((one for one in found if one.certainty != "unknown"), found[0])
    others = sorted({one.function for one in found} - {first.function})
    if first.parts or not others or first.certainty == "unknown":
        return first
    reason = f"{first.reason} Other uses are followed by {' and '.join(others)}."
    return replace(first, certainty="guessed", reason=reason)


def are_gated(inferences: Sequence[Inference]) -> bool:
    """Return whether the parts are the halves of a gated unit, which are initialized alike."""
    names = {inference.activation for inference in inferences}
    return any(GATED[name] in names for name in names if name in GATED)


def merge(inferences: Sequence[Inference], why: str = "") -> Inference:
    """Merge what follows the parts of one kernel; `why` says why it may pack several kernels."""
    gated = next((one for one in inferences if one.activation in GATED.values()), None)
    unknown = next((one for one in inferences if one.certainty == "unknown"), None)
    first = gated or unknown or next((one for one in inferences if one.activation), inferences[0])
    is_same = len({one.function for one in inferences}) == 1
    if gated or first.certainty == "unknown" or (is_same and not why):
        return first
    cause = why or "its outputs are used in several ways"
    return replace(first, certainty="guessed", reason=f"{first.reason} It may pack several kernels: {cause}.")


def doubt(why: str) -> Inference:
    """Return the inference "unknown", with the reason."""
    return Inference(None, f"What follows could not be seen: {why}.", "unknown")
