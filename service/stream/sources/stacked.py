"""Stacked tensors: parts that lie side by side in memory, because they are stacked along a later axis."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.stream.tensor import Fill, Source

#: Elements of a line from which on its parts are written in place, since their calls cost little then.
LONG = 8192
#: Elements of lines that are written at a time, in a buffer.
BLOCK = 1 << 17


@dataclass(frozen=True)
class StackedTensor:
    """Sources of which each line of memory has `widths` consecutive elements, one after the other.

    A line has all elements with the same indices on the axes before that of the stack. The sources have the
    same dtype and the same number of lines.
    """

    sources: tuple[Source, ...]
    widths: tuple[int, ...]

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.sources[0].itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return sum(source.nbytes for source in self.sources)

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that determines the bytes, except the stream version."""
        return ("stacked", self.widths, tuple(source.identity for source in self.sources))

    @property
    def is_elementwise(self) -> bool:
        """Whether each element is computed alone."""
        return all(source.is_elementwise for source in self.sources)

    @cached_property
    def _fills(self) -> tuple[Fill, ...]:
        return tuple(source.bind() for source in self.sources)

    def bind(self) -> Fill:
        """Return the function that writes the little-endian bytes of consecutive elements into an array."""
        return self._fill

    def _fill(self, start: int, out: NDArray[np.uint8], /) -> None:
        line, count = sum(self.widths), out.size // self.itemsize
        if line >= LONG:
            self._fill_in_place(start, line, out)
            return
        step = max(BLOCK // line, 1)
        first, last = start // line, -(-(start + count) // line)
        for row in range(first, last, step):
            rows = range(row, min(row + step, last))
            block = self._write_lines(rows, line)
            begin, end = max(start, row * line), min(start + count, rows.stop * line)
            taken = slice((begin - row * line) * self.itemsize, (end - row * line) * self.itemsize)
            out[(begin - start) * self.itemsize : (end - start) * self.itemsize] = block[taken]

    def _write_lines(self, rows: range, line: int) -> NDArray[np.uint8]:
        """Return the bytes of whole lines."""
        size, at = self.itemsize, 0
        block = np.empty((len(rows), line * size), np.uint8)
        for fill, width in zip(self._fills, self.widths, strict=True):
            own = np.empty(len(rows) * width * size, np.uint8)
            fill(rows.start * width, own)
            block[:, at : at + width * size] = own.reshape(len(rows), -1)
            at += width * size
        return block.reshape(-1)

    def _fill_in_place(self, start: int, line: int, out: NDArray[np.uint8]) -> None:
        for fill, first, begin, end in self._list_runs(start, start + out.size // self.itemsize, line):
            fill(first, out[(begin - start) * self.itemsize : (end - start) * self.itemsize])

    def _list_runs(self, start: int, stop: int, line: int) -> Iterator[tuple[Fill, int, int, int]]:
        """Yield, for each part of each line, its first element and where its run begins and ends."""
        for row in range(start // line, -(-stop // line)):
            at = row * line
            for fill, width in zip(self._fills, self.widths, strict=True):
                begin, end = max(start, at), min(stop, at + width)
                if begin < end:
                    yield fill, row * width + begin - at, begin, end
                at += width
