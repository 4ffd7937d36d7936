"""Write the words of the stream to the standard output, for statistical test batteries.

    python scripts/write_words.py | dieharder -a -g 200
    python scripts/write_words.py --across seeds | RNG_test stdin32

The words are 32-bit, little-endian: those of consecutive positions of one tensor, or the first words of
consecutive seeds or of numbered names. It ends when its reader closes the pipe.
"""

import argparse
import itertools
import signal
import sys
from collections.abc import Iterator

import numpy as np

from service.stream import derive_key
from service.stream.kernels.philox import TILE, draw_steps, draw_tile
from service.stream.key import Key

FIRST = 256  # words of each seed or name


def draw_positions(key: Key) -> Iterator[bytes]:
    """Yield the words of consecutive positions, a tile at a time."""
    words = np.empty(TILE, np.uint32)
    for tile in itertools.count():
        draw_tile(np.array(key, np.uint32), np.uint64(tile), words)
        yield words.astype("<u4").tobytes()


def draw_first(key: Key) -> bytes:
    """Return the first words of a key."""
    words, last = np.empty(FIRST, np.uint32), np.uint64(FIRST - 1)
    draw_steps(np.array(key, np.uint32), np.uint64(0), np.arange(FIRST, dtype=np.uint32), last, last, words)
    return words.astype("<u4").tobytes()


def draw_words(seed: int, name: str, across: str) -> Iterator[bytes]:
    """Yield words of the stream, in the order that `across` names."""
    if across == "positions":
        return draw_positions(derive_key(seed, name))
    if across == "seeds":
        return (draw_first(derive_key(seed + step, name)) for step in itertools.count())
    return (draw_first(derive_key(seed, f"{name}{step}")) for step in itertools.count())


def main() -> None:
    """Write words until the reader closes the pipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="words")
    parser.add_argument("--across", choices=("positions", "seeds", "names"), default="positions")
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.stdout.buffer.writelines(draw_words(options.seed, options.name, options.across))


if __name__ == "__main__":
    main()
