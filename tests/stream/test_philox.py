"""Words: Philox4x32-10 by the kernels and by the reference, held to numbers from outside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from randomgen import Philox

from service.stream.kernels.philox import TILE, draw_steps, draw_tile, philox
from service.stream.key import Key, derive_key
from service.stream.reference import draw_words, philox4x32
from tests.stream.scripts import load_script

# Random123 1.14.0, tests/kat_vectors, lines "philox4x32 10": counter, key, words.
PUBLISHED = {
    "zeros": ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    "ones": ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    "digits of pi": (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
}
WORD = st.integers(0, 2**32 - 1)
KEYS = st.builds(Key, WORD, WORD, WORD, WORD)
# Positions below 2^62 have blocks below 2^60; the borders of a u32 block number lie around 2^34.
POSITION = st.integers(0, 2**62 - 1) | st.integers(2**34 - 5000, 2**34 + 5000)


def draw_outside(counter, key):
    """The block of a counter by randomgen, which increments its counter before it makes a block."""
    number = sum(word << (32 * place) for place, word in enumerate(counter))
    previous = (number - 1) % 2**128
    outside = Philox(number=4, width=32)
    state = outside.state
    state["state"]["counter"][:] = [previous >> (32 * place) & 0xFFFFFFFF for place in range(4)]
    state["state"]["key"][:] = key
    state["buffer_pos"] = 4
    outside.state = state
    return tuple(int(word) for word in outside.random_raw(4))


def draw_outside_at(key, position):
    """The word of a position by docs/stream.md, section 3, and randomgen."""
    block = (position >> 12) * 1024 + position % 1024
    words = draw_outside((block % 2**32, block >> 32, key.c2, key.c3), (key.k0, key.k1))
    return words[(position >> 10) & 3]


def run_kernel(counter, key):
    """The four words of a block: the kernel leaves each in the low half of a u64."""
    return tuple(
        int(word) % 2**32 for word in philox(*np.array(counter, np.uint64), *np.array(key, np.uint32))
    )


def draw_by_kernel(key, position, steps):
    words = np.empty(len(steps), np.uint32)
    last, reach = np.uint64(max(steps)), np.uint64(max(step % TILE for step in steps))
    draw_steps(np.array(key, np.uint32), np.uint64(position), np.array(steps, np.uint32), last, reach, words)
    return words.tolist()


@pytest.mark.parametrize(("counter", "key", "words"), PUBLISHED.values(), ids=PUBLISHED)
class TestPublishedVectors:
    def test_kernel(self, counter, key, words):
        assert run_kernel(counter, key) == words

    def test_reference(self, counter, key, words):
        drawn = philox4x32(np.array(counter, np.uint64).reshape(4, 1), *key)
        assert tuple(drawn.ravel().tolist()) == words

    def test_randomgen(self, counter, key, words):
        assert draw_outside(counter, key) == words


@given(counter=st.tuples(WORD, WORD, WORD, WORD), key=st.tuples(WORD, WORD))
@settings(deadline=None)
def test_kernel_equals_an_independent_implementation(counter, key):
    assert run_kernel(counter, key) == draw_outside(counter, key)


@given(key=KEYS, positions=st.lists(POSITION, min_size=1, max_size=20))
@settings(deadline=None)
def test_positions_take_the_words_that_the_page_says(key, positions):
    outside = [draw_outside_at(key, position) for position in positions]
    assert [draw_by_kernel(key, position, [0])[0] for position in positions] == outside
    assert draw_words(key, np.array(positions, np.uint64)).tolist() == outside


@given(key=KEYS, position=POSITION, steps=st.lists(WORD, min_size=1, max_size=40))
@settings(deadline=None)
def test_steps_lead_from_a_position_to_any_lane(key, position, steps):
    positions = np.array([position + step for step in steps], np.uint64)
    assert draw_by_kernel(key, position, steps) == draw_words(key, positions).tolist()


@given(key=KEYS, position=POSITION, tiles=st.lists(st.integers(0, 2**20 - 1), min_size=1, max_size=40))
@settings(deadline=None)
def test_steps_of_whole_tiles_stay_in_one_lane(key, position, tiles):
    steps = [tile * TILE for tile in tiles]
    positions = np.array([position + step for step in steps], np.uint64)
    assert draw_by_kernel(key, position, steps) == draw_words(key, positions).tolist()


@given(key=KEYS, tile=st.integers(0, 2**50) | st.integers(2**22 - 2, 2**22 + 2))
@settings(deadline=None)
def test_a_tile_is_its_4096_positions(key, tile):
    words = np.empty(TILE, np.uint32)
    draw_tile(np.array(key, np.uint32), np.uint64(tile), words)
    positions = np.arange(tile * TILE, (tile + 1) * TILE, dtype=np.uint64)
    assert np.array_equal(words, draw_words(key, positions))
    assert words.tolist() == draw_by_kernel(key, tile * TILE, range(TILE))


@pytest.mark.parametrize(
    ("across", "key"),
    [("positions", (7, "n")), ("seeds", (7, "n")), ("names", (7, "n0"))],
)
def test_the_script_for_batteries_writes_the_words_of_the_stream(across, key):
    written = np.frombuffer(next(iter(load_script("write_words").draw_words(7, "n", across))), np.uint32)
    assert written.tolist() == draw_words(derive_key(*key), np.arange(written.size, dtype=np.uint64)).tolist()


def test_a_run_across_two_high_words_of_the_block_number_is_one_stream():
    first, key = 2**34 - 2048, Key(1, 2, 3, 4)
    positions = np.arange(first, first + 4096, dtype=np.uint64)
    assert draw_by_kernel(key, first, range(4096)) == draw_words(key, positions).tolist()
