"""Buffers: memory for chunks, used again once nobody reads it any more.

The allocator would keep what stalled readers once held, in pieces; a block that is mapped goes back to the
system. A fresh one costs a page fault for every page, so the last few are kept.
"""

import mmap
import weakref

import numpy as np
from numpy.typing import NDArray


class Buffers:
    """Blocks of one size, of which a few are kept for the next who ask."""

    def __init__(self, size: int, kept: int) -> None:
        self._size, self._kept = size, kept
        self._free: list[NDArray[np.uint8]] = []

    def take(self, size: int) -> NDArray[np.uint8]:
        """Take a buffer, which comes back when neither it nor a memoryview of it is alive.

        A server may hold on to what it was given to send: its memoryview keeps the array, and the array the
        block. A slice of the array does not keep the array, only its memory.
        """
        if not self._size // 2 < size <= self._size:
            return np.empty(size, np.uint8)  # too little to be worth a block, or too much for one
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
