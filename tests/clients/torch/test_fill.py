"""Tensors of any memory layout are filled with the same weights, through a bounded buffer."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from weightinit.torch import fill as filling
from weightinit.torch import init_
from weightinit.torch.fill import split_slices

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(1, 100))
def test_a_box_is_split_into_parts_that_cover_it_once(shape, most):
    counts = torch.zeros(shape)
    for part in split_slices(tuple(shape), most):
        assert counts[part].numel() <= most
        counts[part] += 1
    assert counts.eq(1).all()


class Recorder:
    """A client that hands out zeros, and notes where they went."""

    def __init__(self):
        self.addresses = []
        self.sizes = []

    def fetch(self, *_spec, out, **_options):
        self.addresses.append(out.ctypes.data)
        self.sizes.append(out.nbytes)


def fill(tensor):
    """Fill a tensor by a recorder, and return it."""
    recorder = Recorder()
    init_(tensor, seed=1, name="w", client=recorder)
    return recorder


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_contiguous_tensor_is_filled_in_place(dtype):
    tensor = torch.empty(4, 3, dtype=dtype)
    assert fill(tensor).addresses == [tensor.data_ptr()]


DEVICES = ["cpu"] + (
    [str(torch.accelerator.current_accelerator())] if torch.accelerator.is_available() else []
)


def test_a_parameter_is_filled_in_place():
    parameter = torch.nn.Parameter(torch.empty(4, 3))
    assert fill(parameter).addresses == [parameter.data_ptr()]


def test_rows_of_a_tensor_are_filled_in_place():
    rows = torch.empty(8, 3)[2:4]
    assert fill(rows).addresses == [rows.data_ptr()]


def test_other_tensors_are_filled_by_parts(monkeypatch):
    monkeypatch.setattr(filling, "STAGING_BYTES", 64)
    assert fill(torch.empty(10, 5).t()).sizes == [40] * 5


@pytest.fixture
def small_stage(monkeypatch):
    """A staging buffer of a few elements, so that several parts have to meet."""
    monkeypatch.setattr(filling, "STAGING_BYTES", 48)


MEMORIES = {
    "transposed": lambda dtype: torch.empty(6, 10, dtype=dtype).t(),
    "with gaps": lambda dtype: torch.empty(20, 12, dtype=dtype)[::2, ::2],
    "columns": lambda dtype: torch.empty(10, 9, dtype=dtype)[:, 3:],
    "negated": lambda dtype: torch._neg_view(torch.empty(10, 6, dtype=dtype)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("memory", MEMORIES)
def test_strided_memory_gets_the_same_weights(memory, dtype, client, expect, small_stage):
    tensor = init_(MEMORIES[memory](dtype), seed=42, name="w", client=client)
    assert torch.equal(tensor.clone(), expect(10, 6, dtype=dtype, name="w"))


def test_what_lies_between_is_left_alone(client, small_stage):
    around = torch.zeros(20, 12)
    init_(around[::2, ::2], seed=42, name="w", client=client)
    assert around[1::2].eq(0).all()
    assert around[:, 1::2].eq(0).all()


def test_channels_last_gets_the_same_weights(client, expect, small_stage):
    kernel = torch.empty(4, 3, 5, 5).to(memory_format=torch.channels_last)
    assert torch.equal(init_(kernel, seed=42, name="w", client=client), expect(4, 3, 5, 5, name="w"))


def test_a_subclass_is_filled_by_its_own_copy(client, expect):
    class Tensor(torch.Tensor):
        pass

    tensor = init_(torch.empty(4, 3).as_subclass(Tensor), seed=42, name="w", client=client)
    assert torch.equal(tensor.as_subclass(torch.Tensor), expect(4, 3, name="w"))


@pytest.mark.parametrize("device", DEVICES)
def test_the_memory_of_every_device_here_gets_the_same_weights(device, client, expect, small_stage):
    tensor = init_(torch.empty(10, 6, device=device), seed=42, name="w", client=client)
    assert torch.equal(tensor.cpu(), expect(10, 6, name="w"))


def test_autograd_notices_that_a_saved_tensor_was_filled(client):
    weight = torch.ones(4, 3, requires_grad=True)
    product = (weight * weight).sum()
    init_(weight, seed=42, name="w", client=client)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


def test_memory_can_still_be_resized(client):
    weight = init_(torch.empty(4, 3), seed=42, name="w", client=client)
    assert weight.untyped_storage().resizable()


def test_a_leaf_that_requires_grad_is_filled(client, expect):
    weight = torch.ones(4, 3, requires_grad=True)
    assert init_(weight, seed=42, name="w", client=client).is_leaf
    assert torch.equal(weight.detach(), expect(4, 3, name="w"))


def test_an_inference_tensor_is_filled(client, expect):
    with torch.inference_mode():
        weight = init_(torch.ones(4, 3), seed=42, name="w", client=client)
    assert torch.equal(weight.clone(), expect(4, 3, name="w"))
