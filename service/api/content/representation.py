"""Representations: the bytes of tensors in a media type, any cut of which can be drawn alone."""

import mmap
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.api.content.buffers import Buffers
from service.api.content.formats import make_npy_header
from service.api.http.ranges import Span
from service.core import DtypeName
from service.stream import Source, Tensor

NPY = "application/x-npy"
RAW = "application/octet-stream"
MEDIA_TYPES = (NPY, RAW)  # the first is for those who do not mind
SUFFIXES = {NPY: ".npy", RAW: ".bin"}

# Bytes drawn and sent at a time: smaller ones cost more hand-overs between threads for each byte, larger ones
# more memory for each stalled reader. A multiple of every itemsize.
CHUNK = 384 * 1024
ALIGNMENT = 8  # the largest itemsize; headers are a multiple of it
SPARE = 2 * ALIGNMENT  # bytes around a span in its buffer
SLACK = mmap.PAGESIZE  # the longest part of a header that goes with a chunk
BUFFERS = Buffers(CHUNK + SLACK, kept=16)


@dataclass(frozen=True)
class Representation:
    """Bytes in a media type: a header, which may be empty, then the elements of sources, one after another.

    Every source starts at a multiple of its itemsize.
    """

    media_type: str
    header: bytes
    sources: tuple[Source, ...]

    @classmethod
    def of(cls, tensor: Tensor, media_type: str) -> Self:
        """Represent a tensor in one of its media types."""
        return cls.of_sources((tensor,), tensor.shape, tensor.dtype, media_type)

    @classmethod
    def of_sources(
        cls, sources: tuple[Source, ...], shape: tuple[int, ...], dtype: DtypeName, media_type: str
    ) -> Self:
        """Represent the tensor that sources make, in one of its media types."""
        return cls(media_type, make_npy_header(shape, dtype) if media_type == NPY else b"", sources)

    @cached_property
    def stops(self) -> list[int]:
        """Where each source ends, in bytes of the whole."""
        return list(accumulate((source.nbytes for source in self.sources), initial=len(self.header)))[1:]

    @property
    def length(self) -> int:
        """How many bytes there are in all."""
        return self.stops[-1] if self.sources else len(self.header)

    def split(self, span: Span) -> Iterator[Span]:
        """Split a span where chunks of the elements end, so that each covers whole ones but at the ends."""
        start, offset = span.start, len(self.header)
        while start < span.stop:
            end = offset + ((start - offset) // CHUNK + 1) * CHUNK
            if offset - SLACK < start < offset:
                end += CHUNK  # a short header goes with the first chunk
            yield Span(start, min(end, span.stop))
            start = end

    def draw(self, span: Span) -> memoryview:
        """Draw the bytes of a span into a buffer of their own."""
        return self.draw_into(span.start, span.stop, BUFFERS.take(span.stop - span.start + SPARE))

    def draw_into(self, start: int, stop: int, buffer: NDArray[np.uint8]) -> memoryview:
        """Draw the bytes from start to stop into a buffer, and return where they are in it.

        The buffer has SPARE bytes more than the span. A place in it is the same multiple of ALIGNMENT as in
        the whole, and an element that the span cuts in two is drawn whole.
        """
        begin = start % ALIGNMENT
        header = self.header[start:stop]
        if header:
            buffer[begin : begin + len(header)] = np.frombuffer(header, np.uint8)
        number = bisect_right(self.stops, start)
        while number < len(self._fills) and (first := self._fills[number][0]) < stop:
            _, itemsize, fill = self._fills[number]
            element = max(start - first, 0) // itemsize
            end = -(-(min(stop, self.stops[number]) - first) // itemsize)
            at = begin + first + element * itemsize - start
            fill(element, buffer[at : at + (end - element) * itemsize])
            number += 1
        return buffer.data[begin : begin + stop - start]

    @cached_property
    def _fills(self) -> list[tuple[int, int, Callable[[int, NDArray[np.uint8]], None]]]:
        """Where each source begins, in bytes of the whole, its itemsize, and its `fill`."""
        starts = [len(self.header), *self.stops]
        return [
            (start, source.itemsize, source.fill) for start, source in zip(starts, self.sources, strict=False)
        ]
