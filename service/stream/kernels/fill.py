"""Fill: the kernel that the service calls, compiled once and cached on disk."""

import hashlib
from pathlib import Path

import numpy as np
from numba import config, float64, int64, njit, types, uint32, uint64

from service.core import dtypes
from service.stream.kernels.encode import encode_tabled, encode_uniform
from service.stream.kernels.intrinsics import prefetch
from service.stream.kernels.philox import TILE, draw_tile
from service.stream.kernels.positions import draw_scattered, is_dense, list_steps, locate
from service.stream.kernels.transforms import UNIFORM, transform_table

HERE = Path(__file__).parent
NO_TILE = np.uint64(0xFFFFFFFFFFFFFFFF)
UNIT = 2.0**-31  # unit of measure_uniform; multiplying the factor by it is exact
BLOCK = 1024


@njit(nogil=True)
def convert(words, count, distribution_code, tables, factor, bound, dtype_code, index, y, out):
    """Convert count words, at most BLOCK, to the elements of out, a buffer of bytes."""
    if distribution_code == UNIFORM:
        encode_uniform(dtype_code, words, y, factor * UNIT, bound, out)
    else:
        transform_table(words[: (count + 3) & ~3], tables[distribution_code - 1], y, index)
        encode_tabled(dtype_code, words, y, factor, bound, out)


@njit(nogil=True)
def copy_words(key, positions, start, tile_words, held, words):
    """Copy the draws of consecutive elements from their tiles. Return the tile in tile_words."""
    done = 0
    while done < words.size:
        position, left = locate(positions, start + done)
        tile, first = position >> uint64(12), int64(position & uint64(TILE - 1))
        held = hold_tile(key, tile, tile_words, held)
        count = min(left, TILE - first, words.size - done)
        for j in range(count):
            words[done + j] = tile_words[first + j]
        done += count
    return held


@njit(nogil=True)
def take_words(key, positions, start, count, tile_words, held, words):
    """Return the number of the tile in tile_words, and an array that starts with the draws of count elements.

    It is a view of tile_words if one tile has all of them, and otherwise words.
    """
    position, left = locate(positions, start)
    first = int64(position & uint64(TILE - 1))
    if min(left, TILE - first) >= count:
        return hold_tile(key, position >> uint64(12), tile_words, held), tile_words[first:]
    return copy_words(key, positions, start, tile_words, held, words[:count]), words


@njit(nogil=True)
def hold_tile(key, tile, tile_words, held):
    """Draw a tile into tile_words unless it is there already. Return its number."""
    if tile != held:
        draw_tile(key, tile, tile_words[:TILE])
    return tile


def digest_sources(folder: Path, *others: Path) -> str:
    """Return a digest, 16 hexadecimal digits, of the source files in a folder and other files."""
    sources = b"".join(path.read_bytes() for path in (*sorted(folder.glob("*.py")), *others))
    return hashlib.sha256(sources).hexdigest()[:16]


# Numba checks only the file of the cached function for changes, not the files of its callees. So the name of
# the cache directory has a digest of all sources that the function depends on: the kernels and the dtype
# codes. The setting is global to the process.
DIGEST = digest_sources(HERE, Path(dtypes.__file__))
config.CACHE_DIR = str(Path(config.CACHE_DIR or HERE / "__pycache__") / DIGEST)


@njit(
    types.void(
        uint32[::1],  # key
        types.Tuple((int64[::1], uint64[::1], uint64)),  # positions: sizes, strides, offset
        int64,  # distribution code
        types.Array(float64, 3, "C", readonly=True),  # tables
        float64,  # factor
        float64,  # bound
        int64,  # dtype code
        int64,  # itemsize
        int64,  # start
        types.uint8[::1],  # out
    ),
    nogil=True,
    cache=True,
)
def fill(key, positions, distribution_code, tables, factor, bound, dtype_code, itemsize, start, out):
    """Fill out with the bytes of consecutive elements of strided positions, from element start on."""
    words, tile_words = np.zeros(BLOCK, np.uint32), np.zeros(TILE + 3, np.uint32)
    y, index = np.empty(BLOCK, np.float64), np.empty(BLOCK, np.uint32)
    dense, held = is_dense(positions[0], positions[1]), NO_TILE
    total, at = out.size // itemsize, 0
    listed = list_steps(positions, 1 if dense else max(min(BLOCK, total), 1))
    while at < total:
        count, source = min(BLOCK, total - at), words
        # Prefetch the next block, whose stores would otherwise wait for memory.
        for line in range((at + BLOCK) * itemsize, (at + BLOCK + count) * itemsize, 64):
            prefetch(out, line)
        if dense:
            held, source = take_words(key, positions, start + at, count, tile_words, held, words)
        else:
            draw_scattered(key, positions, start + at, listed, words[:count])
        convert(
            source,
            count,
            distribution_code,
            tables,
            factor,
            bound,
            dtype_code,
            index,
            y,
            out[at * itemsize : (at + count) * itemsize],
        )
        at += count
