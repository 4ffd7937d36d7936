import numpy as np
import pytest

from service.api.content.representation import Buffers


@pytest.fixture
def buffers():
    return Buffers(128, kept=1)


def test_a_buffer_has_the_size_asked_for_and_starts_at_a_multiple_of_8(buffers):
    for size in (1, 64, 100, 128, 5000):
        buffer = buffers.take(size)
        assert buffer.size == size
        assert buffer.ctypes.data % 8 == 0


def test_two_buffers_that_are_held_share_nothing(buffers):
    first, second = buffers.take(100), buffers.take(100)
    assert not np.shares_memory(first, second)


def test_a_buffer_that_is_let_go_is_used_again(buffers):
    address = buffers.take(100).ctypes.data
    assert buffers.take(110).ctypes.data == address


@pytest.mark.parametrize(
    "hold", [memoryview, lambda array: array.data[10:20], lambda array: memoryview(array)[3:]]
)
def test_a_memoryview_holds_its_buffer(buffers, hold):
    view = hold(buffers.take(100))
    other = buffers.take(100)
    assert not np.shares_memory(np.frombuffer(view, np.uint8), other)


def test_only_so_many_blocks_are_kept(buffers):
    held = [buffers.take(100) for _ in range(5)]
    addresses = {buffer.ctypes.data for buffer in held}
    del held
    assert len(addresses) == 5
    assert len(buffers._free) == 1
