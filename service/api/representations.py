"""Representations: the bytes of a tensor in a media type, any cut of which can be drawn alone."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from service.api.buffers import Buffers
from service.api.npy import make_npy_header
from service.api.ranges import Span
from service.stream import Tensor

NPY = "application/x-npy"
RAW = "application/octet-stream"
MEDIA_TYPES = (NPY, RAW)  # the first is for those who do not mind
SUFFIXES = {NPY: ".npy", RAW: ".bin"}

# Bytes drawn and sent at a time: smaller ones cost more hand-overs between threads for each byte, larger ones
# more memory for each stalled reader. A multiple of every itemsize.
CHUNK = 384 * 1024
ALIGNMENT = 8
BUFFERS = Buffers(CHUNK + mmap.PAGESIZE, kept=16)  # the first chunk has the header before it


@dataclass(frozen=True, slots=True)
class Representation:
    """The bytes of a tensor in a media type: a header, which may be empty, then the elements."""

    media_type: str
    header: bytes
    tensor: Tensor

    @classmethod
    def of(cls, tensor: Tensor, media_type: str) -> "Representation":
        """Represent a tensor in one of our media types."""
        header = make_npy_header(tensor.shape, tensor.dtype) if media_type == NPY else b""
        return cls(media_type, header, tensor)

    @property
    def length(self) -> int:
        """How many bytes there are in all."""
        return len(self.header) + self.tensor.nbytes

    def split(self, span: Span) -> Iterator[Span]:
        """Split a span where chunks of the tensor end, so that each covers whole elements but at the ends."""
        start, offset = span.start, len(self.header)
        while start < span.stop:
            end = offset + (max(start - offset, 0) // CHUNK + 1) * CHUNK
            yield Span(start, min(end, span.stop))
            start = end

    def draw(self, span: Span) -> memoryview:
        """Draw the bytes of a span into a buffer that nobody else has."""
        header = self.header[span.start : span.stop]
        itemsize, offset = self.tensor.itemsize, len(self.header)
        first, last = max(span.start - offset, 0), max(span.stop - offset, 0)
        element, skipped = divmod(first, itemsize)
        elements = -(-last // itemsize) - element
        at = -(-len(header) // ALIGNMENT) * ALIGNMENT
        buffer = BUFFERS.take(at + elements * itemsize)
        begin = at + skipped - len(header)
        if header:
            buffer[begin:at] = np.frombuffer(header, np.uint8)
        if elements:
            self.tensor.fill(element, buffer[at:])
        return buffer.data[begin : begin + span.length]
