"""Signals: what a node of a graph holds of a kernel's output x, by its values on a grid."""

import math
from dataclasses import dataclass

import numpy as np

from weightinit.adapters.flow.functions import DENSITY, GRID, Recognition, is_linear, recognize
from weightinit.adapters.flow.graph import Array, Arrays, Node, Role, Structure, freeze, substitute

UNRECOGNIZED = Recognition(None, math.nan, math.nan)

# A node that multiplies, and the factor from another kernel.
Gate = tuple[Node, Node]


@dataclass(frozen=True, slots=True)
class Signal:
    """What a node holds of x: its values on the grid, None for x itself.

    `scale` x + `shift` is what x was last seen as: behind a factor and a bias. `named` is the node that is an
    activation of x by itself, where all else is a function of it. A `reduced` signal is a pooled one, and a
    constant beside one that is not; `pooled` are its values before that, where they were no longer x. `gates`
    are the factors from other kernels: the node that multiplies, and the factor. A `mixed` signal is a sum of
    elements, weighed by what is no kernel; a `picked` one the largest of several outputs. `beside` are the
    names of other functions of x that lie beside it.
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
        """Whether it is a number that was measured, and stands for no signal."""
        return self.reduced and self.values is not None and self.pooled is None and self.named is None

    @property
    def is_plain(self) -> bool:
        """Whether it is x itself."""
        return self.values is None and self.named is None


class Evaluator:
    """Evaluates the nodes of a graph on the grid, with the framework's own operations.

    Models repeat their activations, so results are kept: a call on the same arrays is made once.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._grid = arrays.make(GRID)
        self._filled: dict[float, Array] = {}
        # With the arrays that the key has the ids of, so that no others get these.
        self._known: dict[Structure, tuple[Array, list[Array]]] = {}
        self._slopes: dict[int, tuple[Array, float | None]] = {}

    def evaluate(self, node: Node, own: dict[Node, Signal]) -> Array:
        """Evaluate a node. What is not x is what changes least: 1 as a factor, 0 as a term.

        Raises what the operation does, and TypeError where nothing computes the node.
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
        """Call what computes a node on copies, which an operation may change in place."""

        def copy(source: Node) -> Array:
            return self._arrays.make(self._arrays.read(given[source]))

        if node.call is None:
            raise TypeError("nothing computes it")
        return node.call(*substitute(node.arguments, copy), **substitute(node.keywords, copy))

    def get_values(self, signal: Signal) -> Array:
        """Return the values of a signal: a copy, which an operation may change in place."""
        return self._arrays.make(self._arrays.read(self._look_up(signal)))

    def _look_up(self, signal: Signal) -> Array:
        """Return the values of a signal, not to be changed."""
        if signal.values is not None:
            return signal.values
        if signal.named is None:
            return self._grid
        return self.evaluate(
            signal.named, {one: Signal() for one in signal.named.inputs if not one.is_constant}
        )

    def read(self, values: Array) -> Array:
        """Read values as an array of NumPy's."""
        return self._arrays.read(values)

    def fill(self, value: float) -> Array:
        """Return values that are the same everywhere."""
        if value not in self._filled:
            self._filled[value] = self._arrays.make(np.full_like(GRID, value))
        return self._filled[value]

    def expect(self, values: Array) -> Array:
        """Return the mean of many elements: what is expected of one."""
        read = np.asarray(self._arrays.read(values), dtype=np.float64)
        return self.fill(float(np.trapezoid(read * DENSITY, GRID)))

    def find_slope(self, values: Array) -> float | None:
        """Return the factor of x in a x + b; None for another function."""
        if id(values) not in self._slopes:
            self._slopes[id(values)] = values, self._measure_slope(values)
        return self._slopes[id(values)][1]

    def _measure_slope(self, values: Array) -> float | None:
        read = self._arrays.read(values)
        if getattr(read, "shape", None) != GRID.shape or not is_linear(np.asarray(read, dtype=np.float64)):
            return None
        return float((read[-1] - read[0]) / (GRID[-1] - GRID[0]))

    def is_linear(self, signal: Signal) -> bool:
        """Tell whether a signal is a x + b."""
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
        """Name the activation that a signal is by itself."""
        return self.identify(signal)[0]

    def identify(self, signal: Signal) -> tuple[str | None, float | None]:
        """Return the name of the activation that a signal is by itself, and the slope of a leaky ReLU.

        It is known by its values, which its arguments may change. One whose values are random, or take
        parameters without memory, keeps its own name.
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
