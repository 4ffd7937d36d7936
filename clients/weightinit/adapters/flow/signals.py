"""Signals: the value of a node as a function of one kernel's output x.

A node on the path from a kernel holds f(x), elementwise. `Evaluator` computes f on the points of GRID with
the framework's own operations, so that `functions` can recognize it. Other tensors that an operation takes
are replaced by stand-ins: arrays that change the result least.
"""

import math
from dataclasses import dataclass

import numpy as np

from weightinit.adapters.flow.functions import DENSITY, GRID, Recognition, is_linear, recognize
from weightinit.adapters.flow.graph import Array, Arrays, Node, Role, Structure, freeze, substitute

UNRECOGNIZED = Recognition(None, math.nan, math.nan)

# A node that multiplies, and its factor, which derives from another kernel.
Gate = tuple[Node, Node]


@dataclass(frozen=True, slots=True)
class Signal:
    """The function of x that a node holds, by its values on the grid; None for x itself.

    `scale` · x + `shift` is the last linear form of the signal. `named` is the activation's node, where the
    signal is that activation of x. A `reduced` signal was pooled, and is a constant next to one that was not;
    `pooled` are its values before pooling. `gates` are the factors that derive from other kernels. A `mixed`
    signal is a sum of elements weighted by something other than a kernel; a `picked` one is the largest of
    several outputs. `beside` names the other functions of x that are concatenated with it.
    """

    values: Array = None
    scale: float = 1.0
    shift: float = 0.0
    named: Node | None = None
    last: Node | None = None
    reduced: bool = False
    pooled: Array = None
    gates: tuple[Gate, ...] = ()
    mixed: bool = False
    picked: bool = False
    beside: frozenset[str] = frozenset()

    @property
    def is_statistic(self) -> bool:
        """Whether it is a measured number, such as a variance, and not a signal."""
        return self.reduced and self.values is not None and self.pooled is None and self.named is None

    @property
    def is_plain(self) -> bool:
        """Whether it is x itself."""
        return self.values is None and self.named is None


class Evaluator:
    """Evaluates the nodes of a graph on the grid, with the framework's own operations.

    Models repeat their activations, so results are cached by operation and arrays.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._grid = arrays.make(GRID)
        self._filled: dict[float, Array] = {}
        # Keeps the arrays whose ids are in the key alive, so that the ids are not reused.
        self._known: dict[Structure, tuple[Array, list[Array]]] = {}
        self._slopes: dict[int, tuple[Array, float | None]] = {}

    def evaluate(self, node: Node, own: dict[Node, Signal]) -> Array:
        """Return a node's values. Inputs other than x are stand-ins: 1 as a factor, 0 as a term.

        Raises what the operation raises, and TypeError for a node without an operation.
        """
        mixed = len({own[source].reduced for source in own}) > 1
        given: dict[Node, Array] = {}

        def tell(source: Node) -> int:
            if source not in given:
                signal = own.get(source)
                values = self._stand_in(source, node) if signal is None else self._look_up(signal)
                given[source] = self.expect(values) if signal and mixed and signal.reduced else values
            return id(given[source])

        described = freeze((node.arguments, node.keywords), tell)
        try:
            known = self._known.get((node.call, described))
        except TypeError:  # an argument that has no hash
            return self._call(node, given)
        if known is None:
            known = self._known[node.call, described] = self._call(node, given), list(given.values())
        return known[0]

    def _call(self, node: Node, given: dict[Node, Array]) -> Array:
        """Call a node's operation on copies, because it may change them in place."""

        def copy(source: Node) -> Array:
            return self._arrays.make(self._arrays.read(given[source]))

        if node.call is None:
            raise TypeError("nothing computes it")
        return node.call(*substitute(node.arguments, copy), **substitute(node.keywords, copy))

    def get_values(self, signal: Signal) -> Array:
        """Return a copy of a signal's values, which may be changed in place."""
        return self._arrays.make(self._arrays.read(self._look_up(signal)))

    def _look_up(self, signal: Signal) -> Array:
        """Return a signal's values, which must not be changed."""
        if signal.values is not None:
            return signal.values
        if signal.named is None:
            return self._grid
        return self.evaluate(
            signal.named, {one: Signal() for one in signal.named.inputs if not one.is_constant}
        )

    def read(self, values: Array) -> Array:
        """Return values as a NumPy array."""
        return self._arrays.read(values)

    def fill(self, value: float) -> Array:
        """Return an array of the grid's shape that is filled with a value."""
        if value not in self._filled:
            self._filled[value] = self._arrays.make(np.full_like(GRID, value))
        return self._filled[value]

    def expect(self, values: Array) -> Array:
        """Return an array of the expected value for a standard normal x."""
        read = np.asarray(self._arrays.read(values), dtype=np.float64)
        return self.fill(float(np.trapezoid(read * DENSITY, GRID)))

    def find_slope(self, values: Array) -> float | None:
        """Return a if the values are a · x + b, else None."""
        if id(values) not in self._slopes:
            self._slopes[id(values)] = values, self._measure_slope(values)
        return self._slopes[id(values)][1]

    def _measure_slope(self, values: Array) -> float | None:
        read = self._arrays.read(values)
        if getattr(read, "shape", None) != GRID.shape or not is_linear(np.asarray(read, dtype=np.float64)):
            return None
        return float((read[-1] - read[0]) / (GRID[-1] - GRID[0]))

    def is_linear(self, signal: Signal) -> bool:
        """Return whether a signal is a · x + b."""
        if signal.values is None:
            return signal.named is None
        return self.find_slope(signal.values) is not None

    def recognize(self, signal: Signal) -> Recognition:
        """Recognize the function of x that a signal is."""
        values = self._look_up(signal) if signal.pooled is None else signal.pooled
        read = self._arrays.read(values)
        if not hasattr(read, "shape"):
            return UNRECOGNIZED
        return recognize(read, signal.scale, signal.shift)

    def name(self, signal: Signal) -> str | None:
        """Return the name of the activation of x that a signal is."""
        return self.identify(signal)[0]

    def identify(self, signal: Signal) -> tuple[str | None, float | None]:
        """Return the name of the activation of x that a signal is, and the slope of a leaky ReLU.

        Values are compared first, because arguments can change a function. An activation with random values,
        or with parameters that are not in memory, has the name of its operation.
        """
        try:
            found = self.recognize(signal)
        except Exception:  # noqa: BLE001 - any operation of a framework, on stand-ins
            found = UNRECOGNIZED
        if found.name not in {None, "none"}:
            return found.name, found.slope
        return signal.named.activation if signal.named else None, None

    def _stand_in(self, source: Node, node: Node) -> Array:
        uniform = None
        if source.is_constant and source.tensor is not None:
            uniform = self._arrays.find_uniform(source.tensor)
        if node.role is Role.ADD:
            return self.fill(uniform or 0.0)
        if node.role is Role.MULTIPLY:
            return self.fill(uniform or 1.0)
        if source.is_mask:
            return self.fill(1.0) > 0
        return self.fill(1.0 if uniform is None else uniform)
