"""Find which outputs (channels) of a kernel a node of the graph holds.

Each channel of a kernel's output is numbered, from one, and an array of these numbers is passed through the
operations between the kernel (the start) and the node. The numbers in the result are the channels that the
node holds. Zeros come from padding or masks and are not channels. `ways.Walker` uses this to detect kernels
whose outputs are split.
"""

import contextlib
from collections.abc import Container, Hashable, Sequence

import numpy as np

from weightinit.adapters.flow.graph import Array, Arrays, Node, Role, freeze, substitute

MAX_RANK = 5  # of tensors in a model: a batch of videos has five axes


class ChannelFinder:
    """Finds the channels that a node holds, by passing their numbers through the operations before it.

    Models repeat their blocks, so results are cached by the operations on the path.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._known: dict[Hashable, list[int] | None] = {}
        self._moved: dict[Node, Array] = {}  # of the last start, whose parts share most of their paths

    def find(self, start: Node, node: Node, reached: Container[Node]) -> list[int] | None:
        """Return the indices, from zero, of the channels of a start that a node holds.

        `reached` are the nodes derived from the start. Returns None where shapes are unknown or an operation
        fails on the numbers.
        """
        if start.shape is None:
            return None
        way = find_way(start, node, reached)
        try:
            key = start.shape, start.axis, _describe_way(start, way)
            if key not in self._known:
                self._known[key] = self._list(start, way)
            return self._known[key]
        except TypeError:  # an argument that has no hash
            return self._list(start, way)

    def picks(self, start: Node, node: Node, reached: Container[Node]) -> bool:
        """Return whether a reduction picks one of several channels, as maxout does.

        The reduction is tested for oddness, f(-v) = -f(v): a mean, and a maximum over equal values, are odd.
        Where shapes are unknown, values that differ along all axes are tried.
        """
        source = next(one for one in node.inputs if one in reached)
        if start.shape is None:
            tried = [np.arange(2.0**rank).reshape([2] * rank) for rank in range(MAX_RANK, 0, -1)]
        else:
            moved = self._move(start, [] if source is start else find_way(start, source, reached))
            tried = [] if moved is None else [np.asarray(self._arrays.read(moved), dtype=float)]
        for values in tried:
            with contextlib.suppress(Exception):  # any operation of a framework, on stand-ins
                reduced = [self._call(node, self._arrays.make(sign * values)) for sign in (1.0, -1.0)]
                return not np.array_equal(reduced[0], -reduced[1])
        return False

    def _call(self, node: Node, array: Array) -> Array:
        """Call a node's operation on an array in place of its inputs that are not constants."""
        if node.call is None:
            raise TypeError("nothing computes it")

        def get(source: Node) -> Array:
            return source.tensor if source.is_constant else array

        made = node.call(*substitute(node.arguments, get), **substitute(node.keywords, get))
        return np.asarray(self._arrays.read(made if node.output is None else made[node.output]))

    def _list(self, start: Node, way: Sequence[Node]) -> list[int] | None:
        """Return the sorted indices of the channels at the end of a path, or None if they cannot be moved."""
        moved = self._move(start, way)
        if moved is None:
            return None
        held = np.asarray(self._arrays.read(moved))
        once = held[tuple(slice(1) if stride == 0 else slice(None) for stride in held.strides)]
        counted = np.rint(np.real(once)).astype(np.int64).ravel()
        if counted.max(initial=0) > (start.shape or ())[start.axis]:
            return None  # the operation read uninitialized memory
        return np.flatnonzero(np.bincount(counted[counted > 0])[1:]).tolist()

    def _move(self, start: Node, way: Sequence[Node]) -> Array | None:
        if start not in self._moved:
            shape = start.shape or ()
            self._moved = {start: self._arrays.make_indices(shape[start.axis], shape, start.axis)}
        with contextlib.suppress(Exception):  # any operation of a framework, on stand-ins
            return _move(self._moved, start, way, self._arrays)
        copied = np.ascontiguousarray(self._arrays.read(self._moved[start]))
        with contextlib.suppress(Exception):  # broadcast views, which take no memory, may have failed
            return _move({start: self._arrays.make(copied)}, start, way, self._arrays)
        return None


def _describe_way(start: Node, way: Sequence[Node]) -> Hashable:
    """Return a hashable key of how a path moves elements: its calls and their arguments."""
    places: dict[Node, int] = {start: 0}

    def tell(source: Node) -> Hashable:
        return places.get(source, (source.is_mask, source.shape))

    calls: list[Hashable] = []
    for step in way:
        if is_moving(step):
            calls.append((step.call, step.output, freeze((step.arguments, step.keywords), tell)))
            places[step] = len(calls)
        else:
            places[step] = next(places[source] for source in step.inputs if source in places)
    return places[way[-1]] if way else 0, *calls


def is_moving(step: Node) -> bool:
    """Return whether a node moves elements without changing their values."""
    return step.role in {Role.MOVE, Role.SPLIT} and step.call is not None


def _move(numbers: dict[Node, Array], start: Node, way: Sequence[Node], arrays: Arrays) -> Array:
    """Pass channel numbers along a path and return them at its end.

    `numbers` maps nodes to their numbers computed so far, and is updated.
    """
    on_way = {start, *way}

    def get(source: Node) -> Array:
        if source in on_way:
            return numbers[source]
        return arrays.make_filled(0 if source.is_mask else 0.0, source.shape or ())

    for step in way:
        if step in numbers:
            continue
        if is_moving(step) and step.call is not None:
            moved = step.call(*substitute(step.arguments, get), **substitute(step.keywords, get))
            numbers[step] = moved if step.output is None else moved[step.output]
        else:
            numbers[step] = numbers[next(source for source in step.inputs if source in on_way)]
    return numbers[way[-1] if way else start]


def find_way(start: Node, node: Node, reached: Container[Node]) -> list[Node]:
    """Return the nodes on a path from a start to a node derived from it, in order, without the start."""
    way = [node]
    while way[-1] is not start:
        way.append(next(source for source in way[-1].inputs if source in reached))
    return way[-2::-1]
