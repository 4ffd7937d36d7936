"""Decide which activation follows a kernel, from the ends of its output.

`Follower.infer` is the entry point of this package: each framework's adapter calls it for each kernel of its
graph. The first activation in order of execution is chosen. The result is "guessed" where other paths have
other activations, and "unknown" where the first end has no known function. A kernel whose output is split
into disjoint ranges of channels is reported as several packed kernels.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from weightinit.adapters.flow.ends import UNNAMED, End
from weightinit.adapters.flow.graph import Arrays, Node, Role
from weightinit.adapters.flow.inference import NOTHING, Inference, are_gated, doubt, merge, pack
from weightinit.adapters.flow.ways import Region, Walker

MAX_PARTS = 8

# Where a signal ends: nodes, and the positions of the signal among their inputs.
Places = frozenset[tuple[Node, int]]


@dataclass(slots=True)
class Part:
    """Channels of a kernel that reach the same ends, and the activations that follow them.

    `is_placed` is False where their indices are unknown.
    """

    channels: set[int] = field(default_factory=set)
    inferences: list[Inference] = field(default_factory=list)
    is_placed: bool = True

    def fold(self, count: int) -> int:
        """Map channels of stacked kernels to those of one; return how many kernels have the rarest one."""
        found = Counter(number % count for number in self.channels)
        self.channels = set(found)
        return found.most_common()[-1][1] if found else 0


class Follower:
    """Follows the outputs of a graph's kernels. `outside` is the reason reported at the graph's outputs."""

    def __init__(self, arrays: Arrays, outside: str = "") -> None:
        self._walker = Walker(arrays)
        self._outside = outside

    def infer(self, start: Node, copies: int = 1) -> Inference:
        """Return which activation follows the output of a kernel, and which kernels it packs.

        `copies` is the number of stacked kernels whose outputs are concatenated in `start`.
        """
        region = self._walker.explore(start)
        if not region.parts:
            return self._decide(region.ends)
        whole = [self._decide(region.ends)] if region.ends else []
        groups = list(self._group_parts(region).values())
        count = start.shape[start.axis] // copies if start.shape else 0
        if copies > 1:
            times = [part.fold(count) for part in groups]
            if all(len(part.channels) == count for part in groups):  # whole kernels, used apart
                return merge([*(one for part in groups for one in part.inferences), *whole])
            for part, several in zip(groups, times, strict=True):
                part.is_placed &= several == copies
        return decide_parts(sorted(groups, key=lambda part: sorted(part.channels)), whole, count)

    def _group_parts(self, region: Region) -> dict[Places, Part]:
        """Group the parts of a kernel's output by the places where they end.

        Heads and rotary embeddings split a kernel too; their parts reach the same ends together.
        """
        groups: dict[Places, Part] = {}
        for node, channels, around in self._list_parts(region):
            located = self._locate_ends(node, around)
            places = frozenset(
                (end.node, place)
                for end, owner in located
                for place, source in enumerate(end.node.inputs)
                if source in owner.signals
            )
            part = groups.setdefault(places, Part())
            part.channels.update(channels or [])
            part.inferences.append(self._decide([end for end, _ in located]))
            part.is_placed &= channels is not None
        return groups

    def _list_parts(self, region: Region) -> Iterator[tuple[Node, list[int] | None, Region]]:
        """Yield the parts of a kernel's output and their channels; for a part split into gates, each gate."""
        for node, channels in region.parts.items():
            inner = self._walker.explore(node, region.held[node])
            if inner.ends or not inner.parts or any(one.is_plain for one in inner.held.values()):
                yield node, channels, region
                continue
            reached = {*region.signals, node, *inner.signals}
            for gate in inner.parts:
                yield gate, self._walker.find_channels(region.start, gate, reached), inner

    def _locate_ends(self, part: Node, around: Region) -> list[tuple[End, Region]]:
        """Return the ends of a part and of the parts that it is split into, each with its region."""
        region = self._walker.explore(part, around.held[part])
        inner = [found for piece in region.parts for found in self._locate_ends(piece, region)]
        return [*((end, region) for end in region.ends), *inner]

    def _decide(self, ends: Sequence[End]) -> Inference:
        """Return what follows, given the ends of all paths: the first activation counts."""
        # A pooled copy of the signal, which may gate it, is another signal.
        direct = [end for end in ends if not end.reduced] or ends
        ordered = sorted((end for end in direct if end.name != "none"), key=lambda end: end.place)
        if ordered:
            return describe_first(ordered, has_others=len(ordered) < len(direct))
        if not ends:
            return doubt("its output is not used")
        if self._outside and any(end.node.role is Role.OUTPUT for end in direct):
            return doubt(self._outside)
        if any(end.why == UNNAMED for end in direct):
            return replace(NOTHING, reason="Its sums reach no known activation.", certainty="guessed")
        return NOTHING


def describe_first(ends: Sequence[End], *, has_others: bool) -> Inference:
    """Describe the first of the ends with an activation; `has_others` if other paths have none."""
    first = ends[0]
    if first.name is None:
        return doubt(first.why)
    label = first.cause.label if first.cause else first.node.label
    if first.guessed:
        return Inference(first.name, f"{label} follows first, then others.", "guessed")
    seen = Inference(first.name, f"{label} follows.", slope=first.slope)
    if first.mixed:
        reason = f"{label} follows a product with something other than a kernel."
        return replace(seen, reason=reason, certainty="guessed")
    others = {end.function for end in ends} | first.beside
    others -= {first.function}
    if has_others:
        others.add("none")
    if others:
        listed = " and ".join(sorted(others))
        return replace(seen, reason=f"{label} follows; on other paths {listed}.", certainty="guessed")
    return seen


def decide_parts(parts: Sequence[Part], whole: Sequence[Inference], count: int) -> Inference:
    """Decide on a kernel of `count` outputs that is split: parts with disjoint channels are several kernels.

    `whole` is what follows where the output is not split.
    """
    found = [*(one for part in parts for one in part.inferences), *whole]
    if not all(part.is_placed for part in parts):
        return merge(found, "it is split, and its shape is not known")
    if whole or len(parts) == 1 or are_gated(found):
        return merge(found)
    listed = [number for part in parts for number in sorted(part.channels)]
    if len(parts) > MAX_PARTS or sorted(listed) != list(range(count)):
        return merge(found, "parts of it are used in several ways")
    if listed == sorted(listed):
        return pack([(len(part.channels), merge(part.inferences)) for part in parts])
    lengths = {len(part.channels) for part in parts}
    if len(lengths) > 1:
        return merge(found, "kernels of several sizes lie between each other")
    return replace(merge(found), outputs=lengths.pop())
