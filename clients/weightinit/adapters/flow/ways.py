"""Walk all paths from a kernel's output through the graph, up to where each ends.

A walk begins at a start, the node of a kernel's output x. Its region is all nodes derived from it, each with
the signal that it holds. A signal ends at the next kernel, a product of two signals, a norm behind an
activation, or an output of the model. Moves, norms and residual additions leave it as it is; other functions
are evaluated on a grid. A node that takes only some channels of the start is a part, which is walked as a
start of its own.
"""

import heapq
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace

from weightinit.adapters.flow.channels import ChannelFinder
from weightinit.adapters.flow.ends import End, Finisher
from weightinit.adapters.flow.functions import GRID, describe_function
from weightinit.adapters.flow.graph import BLENDING, PASSING, Arrays, Node, Role, comes_of, is_projected
from weightinit.adapters.flow.signals import Evaluator, Signal

MAX_FACTORS = 3
MAX_STEPS = 20_000

# Tensors split behind a bounded function are the gates of a recurrent cell, each with a kernel of its own.
# Behind other functions a split makes no difference: schemes for rectifiers do not use the number of outputs.
BOUNDED = frozenset(["hard_sigmoid", "hard_tanh", "sigmoid", "tanh"])
PLAIN = Signal()


@dataclass(slots=True)
class Region:
    """The nodes derived from one start: their signals, the ends, and the parts of the start's outputs.

    `parts` maps each part to its channels, None where they are unknown; `held` maps it to the signal that it
    starts with. `begins` is the signal of the start: x itself, or what the part held in another region.
    """

    start: Node
    begins: Signal = PLAIN
    signals: dict[Node, Signal] = field(default_factory=dict)
    ends: list[End] = field(default_factory=list)
    parts: dict[Node, list[int] | None] = field(default_factory=dict)
    held: dict[Node, Signal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.signals[self.start] = self.begins

    def find_own(self, node: Node) -> dict[Node, Signal]:
        """Return the inputs of a node that derive from the start, with their signals."""
        return {source: self.signals[source] for source in node.inputs if source in self.signals}


class Walker:
    """Walks the paths of a graph from each start once."""

    def __init__(self, arrays: Arrays) -> None:
        self._channels = ChannelFinder(arrays)
        self._values = Evaluator(arrays)
        self._ends = Finisher(self._values, lambda source: self.explore(source).signals)
        self._regions: dict[Node, Region] = {}
        self._projected: dict[Node, bool] = {}

    def explore(self, start: Node, begins: Signal = PLAIN) -> Region:
        """Return the region of a start, walked in order of execution. `begins` is the signal of the start."""
        if start in self._regions and begins is PLAIN:
            return self._regions[start]
        region = Region(start, begins)
        if begins is PLAIN:
            self._regions[start] = region
        pending = [(user.index, user) for user in dict.fromkeys(start.users)]
        heapq.heapify(pending)
        queued = {node for _, node in pending}
        for _ in range(MAX_STEPS):
            if not pending:
                return region
            _, node = heapq.heappop(pending)
            signal = self._step(node, region)
            if signal is None:
                continue
            region.signals[node] = signal
            for user in node.users:
                if user not in queued:
                    queued.add(user)
                    heapq.heappush(pending, (user.index, user))
        region.ends.append(End(pending[0][1], None, why=f"it is used in more than {MAX_STEPS:,} places"))
        return region

    def find_channels(self, start: Node, node: Node, reached: Container[Node]) -> list[int] | None:
        """Return the channels of a start that a node holds; None where they are unknown."""
        return self._channels.find(start, node, reached)

    def _step(self, node: Node, region: Region) -> Signal | None:
        """Return a node's signal; None where it ends, which is recorded, or where it is not followed."""
        own = region.find_own(node)
        masks = sum(source.is_mask for source in own)
        if node.role in BLENDING or (node.role is Role.MOVE and 0 < masks < len(own)):
            return self._blend(node, own, region)
        others = any(not (source in own or source.is_constant) for source in node.inputs)
        chooses = node.role is Role.MOVE and masks and others
        if node.role is Role.IGNORED or node.is_mask or chooses:
            return None
        if node.role is Role.STATISTIC:
            return Signal(self._values.fill(1.0), reduced=True)
        if node.role is Role.SPLIT and self._note_part(node, own, region):
            return None
        is_linear = all(self._values.is_linear(signal) for signal in own.values())
        if node.role is Role.MIX:
            is_gated = any(signal.gates for signal in own.values())
            passes = is_linear and not is_gated and self._is_mixed(node, own)
        else:
            passes = node.role in PASSING and (is_linear or node.role is not Role.NORM)
        if passes:
            return self._pass(node, own, region)
        if node.role is Role.ACTIVATION and is_linear:
            is_mixed = any(signal.mixed for signal in own.values())
            region.ends.append(End(node, node.activation, node, mixed=is_mixed))
        else:
            region.ends += self._ends.finish_all(node, own)
        return None

    def _note_part(self, node: Node, own: dict[Node, Signal], region: Region) -> bool:
        """Return whether a node takes only some of the outputs, and record it if so."""
        start, signal = region.start, next(iter(own.values()))
        is_linear = self._values.is_linear(signal)
        if signal.mixed or signal.gates:
            return False
        if not (is_linear or (not signal.reduced and self._values.name(signal) in BOUNDED)):
            return False
        channels = self.find_channels(region.start, node, region.signals)
        if channels is not None and start.shape is not None and len(channels) == start.shape[start.axis]:
            return False
        if channels is None or channels:  # an empty selection is not a part
            region.parts[node] = channels
            region.held[node] = PLAIN if is_linear else signal
        return True

    def _is_mixed(self, node: Node, own: Container[Node]) -> bool:
        """Return whether a product sums elements of a signal: no other operand derives from a kernel.

        So the values of attention are followed further, while queries and keys, multiplied by each other,
        end.
        """
        mine = [source for source in node.inputs if source in own]
        others = [source for source in node.inputs if source not in own]
        if node.values is not None:
            return mine == [node.values]
        if len(mine) > 1 or not others:
            return False
        for source in others:
            if source not in self._projected:
                self._projected[source] = is_projected(source)
        return not any(self._projected[source] for source in others)

    def _pass(self, node: Node, own: dict[Node, Signal], region: Region) -> Signal:
        """Return the signal behind a node that passes it on; of several, the first that is not linear."""
        signals = list(own.values())
        chosen = next((signal for signal in signals if not self._values.is_linear(signal)), signals[0])
        if node.role is Role.MIX:
            return replace(chosen, mixed=True)
        if node.role is Role.NORM:
            return Signal(gates=chosen.gates, mixed=chosen.mixed)
        if node.role is not Role.REDUCE:
            return self._join(chosen, signals) if len(signals) > 1 else chosen
        if self._values.is_linear(chosen):
            picked = chosen.picked or self._channels.picks(region.start, node, region.signals)
            return replace(chosen, reduced=True, pooled=chosen.values, picked=picked)
        pooled = self._values.get_values(chosen)
        return replace(chosen, reduced=True, values=self._values.expect(pooled), pooled=pooled)

    def _join(self, chosen: Signal, signals: Iterable[Signal]) -> Signal:
        """Record in a signal the names of the other signals that it is concatenated with."""
        if self._values.is_linear(chosen):
            return chosen
        names = {
            "none" if self._values.is_linear(signal) else self._describe(signal)
            for signal in signals
            if not signal.reduced
        }
        return replace(chosen, beside=chosen.beside | (names - {self._describe(chosen)}))

    def _describe(self, signal: Signal) -> str:
        return describe_function(*self._values.identify(signal)) or "something unknown"

    # --- functions of each element ----------------------------------------------------------------

    def _blend(self, node: Node, own: dict[Node, Signal], region: Region) -> Signal | None:
        """Return the signal behind an elementwise function, which may take other tensors too."""
        foreign = [source for source in node.inputs if source not in own and not source.is_constant]
        signals = list(own.values())
        if foreign and not self._admits(node, foreign, own, region):
            return None
        gates = tuple(dict.fromkeys(gate for signal in signals for gate in signal.gates))
        mixed = any(signal.mixed for signal in signals)
        if node.role is Role.MULTIPLY and not foreign and self._is_softmax(signals):
            region.ends.append(End(node, "softmax", node, mixed=mixed))
            return None
        if node.role is Role.MULTIPLY:
            gates += tuple((node, source) for source in foreign if not comes_of(region.start, source))
        seen = next((signal for signal in signals if (signal.scale, signal.shift) != (1.0, 0.0)), signals[0])
        made = Signal(
            scale=seen.scale,
            shift=seen.shift,
            gates=gates,
            mixed=mixed,
            picked=all(signal.picked for signal in signals),
            beside=frozenset(name for signal in signals for name in signal.beside),
        )
        if node.role is Role.ADD and foreign and len(own) == 1 and signals[0].is_plain:
            return made  # a residual addition: still x
        if node.activation and not foreign and len(own) == 1 and signals[0].is_plain:
            return replace(made, named=node, last=node)  # evaluated on demand
        found = self._evaluate(node, own, region, made, has_foreign=bool(foreign))
        is_choice = len(own) > 1 and any(source.is_mask for source in node.inputs if source not in own)
        return self._join(found, signals) if found and is_choice else found

    def _evaluate(
        self, node: Node, own: dict[Node, Signal], region: Region, made: Signal, *, has_foreign: bool
    ) -> Signal | None:
        """Evaluate a node on the grid and complete its signal `made`; None where the signal ends."""
        signals = list(own.values())
        try:
            values = self._values.evaluate(node, own)
            slope = self._values.find_slope(values)
        except Exception as error:  # noqa: BLE001 - any operation of a framework, on stand-ins
            region.ends.append(End(node, None, node, f"{node.label} cannot be evaluated ({error})"))
            return None
        if node.is_mask:
            return replace(made, values=values)
        made = replace(made, reduced=all(signal.reduced for signal in signals))
        if slope is not None:
            if node.role is Role.ELEMENTWISE and sum(signal.is_plain for signal in signals) > 1:
                region.ends.append(End(node, None, node, f"{node.label} takes two signals"))
                return None
            shift = float(self._values.read(values)[len(GRID) // 2])
            pooled = values if made.reduced else None
            linear = replace(made, values=values, scale=slope, shift=shift, last=node, pooled=pooled)
            return made if has_foreign else linear
        named = {signal.named for signal in signals}
        was_linear = all(self._values.is_linear(signal) for signal in signals)
        if was_linear and len(signals) > 1 and node.role is Role.ADD:
            return made  # rotary embeddings add other, negated elements of x: they do not cancel
        pooled = values if made.reduced and was_linear else None
        if node.role is Role.MULTIPLY and len(signals) == 1 and not has_foreign:
            pooled = signals[0].pooled  # a mean, written as a sum divided by a number
        return replace(
            made,
            values=values,
            last=node,
            named=named.pop() if node.activation and len(named) == 1 else None,
            pooled=pooled,
        )

    def _is_softmax(self, signals: Sequence[Signal]) -> bool:
        """Return whether an exponential is multiplied by a function of its sum: their ratio is a softmax."""
        if {signal.reduced for signal in signals} != {False, True}:
            return False
        names = {signal.reduced: self._values.recognize(signal).name for signal in signals}
        return names == {False: "exponential", True: "exponential"}

    def _admits(self, node: Node, foreign: Iterable[Node], own: dict[Node, Signal], region: Region) -> bool:
        """Return whether signals continue where another tensor is added or multiplied; record ends if not."""
        if all(source.is_mask or source.role is Role.IGNORED for source in foreign):
            return True
        if node.role is Role.ELEMENTWISE:
            region.ends.append(End(node, None, node, f"{node.label} takes two signals"))
            return False
        settled = {source: signal for source, signal in own.items() if not self._values.is_linear(signal)}
        if not settled or (node.role is Role.MULTIPLY and _meets_itself(node, region)):
            return True
        region.ends += self._ends.finish_all(node, settled)
        return False


def _meets_itself(node: Node, region: Region) -> bool:
    """Return whether x itself is a factor further on: sigmoid(x) · u · x is a gate in another order."""
    pending = [node]
    for _ in range(MAX_FACTORS):
        users = [user for known in pending for user in known.users]
        factors = [source for user in users if user.role is Role.MULTIPLY for source in user.inputs]
        if any(source in region.signals and region.signals[source].is_plain for source in factors):
            return True
        pending = [user for user in users if user.role in {Role.MULTIPLY, Role.MOVE}]
    return False
