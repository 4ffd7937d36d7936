"""Representations (RFC 9110, section 3.2): the bytes of tensors in a media type. Any span can be drawn."""

import hashlib
import mmap
import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Self

import numpy as np
import orjson
from numpy.typing import NDArray

from service.api.content.formats import make_npy_header
from service.api.http.media_types import NPY, OCTET_STREAM
from service.api.http.ranges import Span
from service.core import TensorDtypeName
from service.stream import STREAM_VERSION, Source, Tensor

MEDIA_TYPES = (NPY, OCTET_STREAM)  # the first is the default
SUFFIXES = {NPY: ".npy", OCTET_STREAM: ".bin"}

# Bytes drawn and sent at a time. Smaller chunks switch threads more often, larger ones take more memory for
# each stalled client. A multiple of every itemsize.
CHUNK = 384 * 1024
ALIGNMENT = 8  # the largest itemsize; headers are a multiple of it
SPARE = 2 * ALIGNMENT  # bytes that a buffer has beyond its span
SLACK = mmap.PAGESIZE  # the longest part of a header that is sent with the first chunk
MAX_INLINE_SOURCES = 64  # drawn on the event loop; the first draw of a source takes 15 µs
CACHE_CONTROL = "public, max-age=31536000, immutable"
RELEASE_CACHE_CONTROL = "public, max-age=3600"  # for content that may change with a release, such as reasons


class Buffers:
    """Memory for chunks: blocks of one size, a few of which are reused.

    Blocks are mapped, because the allocator would keep the memory of stalled clients in fragments. A new
    block costs a page fault for each page.
    """

    def __init__(self, size: int, kept: int) -> None:
        self._size, self._kept = size, kept
        self._free: list[NDArray[np.uint8]] = []

    def take(self, size: int) -> NDArray[np.uint8]:
        """Take a buffer, which is reused when neither it nor a memoryview of it is alive.

        A server may keep a memoryview until it is sent: that keeps the array alive, and the array the block.
        A slice of the array would keep only the memory alive, not the array.
        """
        if not self._size // 2 < size <= self._size:
            return np.empty(size, np.uint8)  # too small to be worth a block, or too large for one
        try:
            block = self._free.pop()
        except IndexError:
            block = np.frombuffer(
                mmap.mmap(-1, self._size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8
            )
        buffer = block[:size]
        weakref.finalize(buffer, self._give_back, block).atexit = False
        return buffer

    def _give_back(self, block: NDArray[np.uint8]) -> None:
        if len(self._free) < self._kept:
            self._free.append(block)


BUFFERS = Buffers(CHUNK + SLACK, kept=16)


@dataclass(frozen=True)
class Representation:
    """Bytes in a media type: a header, which may be empty, then the elements of the sources.

    Each source starts at a multiple of its itemsize.
    """

    media_type: str
    header: bytes
    sources: tuple[Source, ...]

    @classmethod
    def of(cls, tensor: Tensor, media_type: str) -> Self:
        """Make the representation of a tensor in one of MEDIA_TYPES."""
        return cls.of_sources((tensor,), tensor.shape, tensor.dtype, media_type)

    @classmethod
    def of_sources(
        cls, sources: tuple[Source, ...], shape: tuple[int, ...], dtype: TensorDtypeName, media_type: str
    ) -> Self:
        """Make the representation of a tensor from its sources, in one of MEDIA_TYPES."""
        return cls(media_type, make_npy_header(shape, dtype) if media_type == NPY else b"", sources)

    @cached_property
    def stops(self) -> list[int]:
        """The offset in bytes of the end of each source."""
        return list(accumulate((source.nbytes for source in self.sources), initial=len(self.header)))[1:]

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.stops[-1] if self.sources else len(self.header)

    def is_cheap(self, span: Span) -> bool:
        """Return whether the sources of a span are so few and simple that the event loop may draw it."""
        first, last = bisect_right(self.stops, span.start), bisect_left(self.stops, span.stop)
        few = last - first < MAX_INLINE_SOURCES
        return few and all(source.is_elementwise for source in self.sources[first : last + 1])

    def split(self, span: Span) -> Iterator[Span]:
        """Split a span at chunk boundaries, counted from the first element."""
        start, offset = span.start, len(self.header)
        while start < span.stop:
            end = offset + ((start - offset) // CHUNK + 1) * CHUNK
            if offset - SLACK < start < offset:
                end += CHUNK  # send a short header with the first chunk
            yield Span(start, min(end, span.stop))
            start = end

    def draw(self, span: Span) -> memoryview:
        """Draw the bytes of a span into a new buffer."""
        return self.draw_into(span.start, span.stop, BUFFERS.take(span.stop - span.start + SPARE))

    def draw_into(self, start: int, stop: int, buffer: NDArray[np.uint8]) -> memoryview:
        """Draw the bytes from start to stop into a buffer, and return a view of them.

        The buffer has SPARE bytes more than the span: bytes keep their alignment modulo ALIGNMENT, and an
        element that the span cuts in two is drawn whole.
        """
        begin = start % ALIGNMENT
        header = self.header[start:stop]
        if header:
            buffer[begin : begin + len(header)] = np.frombuffer(header, np.uint8)
        number = bisect_right(self.stops, start)
        first = self.stops[number - 1] if number else len(self.header)
        while number < len(self.sources) and first < stop:
            source, last = self.sources[number], self.stops[number]
            itemsize = source.itemsize
            element = max(start - first, 0) // itemsize
            end = -(-(min(stop, last) - first) // itemsize)
            at = begin + first + element * itemsize - start
            source.bind()(element, buffer[at : at + (end - element) * itemsize])
            first, number = last, number + 1
        return buffer.data[begin : begin + stop - start]


def compute_etag(representation: Representation) -> str:
    """Compute the strong entity tag of a representation, without drawing its bytes.

    It is a digest of everything that determines the bytes. Specs that differ only in spelling share it.
    """
    header = hashlib.sha256(representation.header).hexdigest()
    sources = [source.identity for source in representation.sources]
    identity = orjson.dumps((STREAM_VERSION, representation.media_type, header, sources))
    return f'"{hashlib.sha256(identity).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class Content:
    """A representation with its entity tag and header fields: the content of a response (RFC 9110, 6.4)."""

    whole: Representation
    etag: str
    headers: dict[str, str]

    @classmethod
    def of(cls, whole: Representation, headers: dict[str, str]) -> Self:
        """Make the content of a representation. `headers` are added to those of every content."""
        etag = compute_etag(whole)
        _ = whole.stops  # computed here, because contents of many sources are made in a thread
        fields = {
            "Content-Type": whole.media_type,
            "ETag": etag,
            "Cache-Control": CACHE_CONTROL,
            "Vary": "Accept",
            "Accept-Ranges": "bytes",
            "Weightinit-Stream": str(STREAM_VERSION),
            **headers,
        }
        return cls(whole, etag, fields)
