"""The slices of a tensor that a process holds agree with torch's own splitting."""

import math

import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module
from torch.distributed.tensor.placement_types import _StridedShard
from weightinit.torch import TensorRejected, init_, initialize_
from weightinit.torch.shards import Shard as Held
from weightinit.torch.shards import cut_boxes, cut_rows, find_shards, place

PLACEMENTS = st.one_of(
    st.builds(Shard, st.integers(0, 1)),
    st.builds(
        lambda dim, factor: _StridedShard(dim, split_factor=factor), st.integers(0, 1), st.integers(1, 4)
    ),
    st.just(Replicate()),
)


@st.composite
def meshes(draw):
    """Draw placements, and for each the size of its mesh dimension and a coordinate in it."""
    placements = draw(st.lists(PLACEMENTS, min_size=1, max_size=3))
    sizes = [draw(st.integers(1, 4)) for _ in placements]
    return [
        (placement, size, draw(st.integers(0, size - 1)))
        for placement, size in zip(placements, sizes, strict=True)
    ]


def split_as_torch_does(numbers, placement, size, index):
    """Return what one mesh dimension leaves of a tensor to one rank."""
    if placement.is_replicate():
        return numbers
    shards, _ = placement._split_tensor(numbers, size, with_padding=False, contiguous=False)
    return shards[index]


@given(meshes(), st.integers(1, 13), st.integers(1, 5))
def test_shards_are_those_of_torch(mesh, rows, columns):
    numbers = local = torch.arange(rows * columns).view(rows, columns)
    axes = [[range(rows)], [range(columns)]]
    for placement, size, index in mesh:
        local = split_as_torch_does(local, placement, size, index)
        place(axes, placement, size, index)
    held = torch.full_like(local, -1)
    for slices, memory in cut_boxes(axes, held):
        memory.copy_(numbers[slices])
    assert torch.equal(held, local)


def test_a_sum_that_is_not_made_yet_is_refused():
    with pytest.raises(TensorRejected, match="redistribute"):
        place([[range(4)]], Partial(), 2, 0)


def test_a_plain_tensor_is_one_slice():
    tensor = torch.empty(2, 3)
    assert [(shard.slices, shard.local is tensor) for shard in find_shards(tensor)] == [
        ((slice(0, 2), slice(0, 3)), True)
    ]


def test_an_empty_tensor_has_no_boxes():
    assert find_shards(torch.empty(0, 3)) == []


def test_a_scalar_is_one_slice():
    assert [shard.slices for shard in find_shards(torch.tensor(1.0))] == [()]


@pytest.mark.parametrize(
    ("rows", "slices", "length"),
    [
        (slice(0, 4), slice(2, 4), 2),
        (slice(3, 5), slice(0, 2), 2),
        (slice(5, 9), slice(0, 1), 1),
        (None, slice(2, 6), 4),
    ],
)
def test_rows_of_a_shard_count_from_the_first_row(rows, slices, length):
    cut = cut_rows(Held((slice(2, 6),), torch.arange(2, 6)), rows)
    assert (cut.slices, len(cut.local)) == ((slices,), length)


@pytest.mark.parametrize("rows", [slice(0, 2), slice(6, 8)])
def test_a_shard_without_these_rows_has_none(rows):
    assert cut_rows(Held((slice(2, 6),), torch.arange(2, 6)), rows) is None


def test_runs_stay_few_however_long_an_axis_is():
    axes = [[range(2**40)]]
    place(axes, _StridedShard(0, split_factor=4), 3, 1)
    assert [len(axes[0]), sum(map(len, axes[0]))] == [4, 4 * math.ceil(2**38 / 3)]


@pytest.fixture
def pretend():
    """Be one process of a world that is not there: its collectives do nothing.

    torch keeps meshes, with the rank in them, for a process's life: no two tests have worlds of one size.
    """

    def be(rank, size):
        dist.init_process_group("fake", rank=rank, world_size=size)

    yield be
    dist.destroy_process_group()


def test_a_process_of_a_large_world_fetches_its_rows(pretend, client, expect):
    pretend(rank=37, size=64)
    model = nn.Linear(8, 100)
    fully_shard(model, mesh=init_device_mesh("cpu", (64,)))
    initialize_(model, 42, client=client)
    assert torch.equal(model.weight.to_local(), expect(100, 8, name="weight")[74:76])


def test_a_process_without_rows_asks_for_nothing(pretend, client):
    pretend(rank=60, size=63)
    model = nn.Linear(8, 100)
    fully_shard(model, mesh=init_device_mesh("cpu", (63,)))
    assert find_shards(model.weight) == []


def test_one_dtensor_is_filled_as_any_tensor(pretend, client, expect):
    pretend(rank=1, size=2)
    mesh = init_device_mesh("cpu", (2,))
    tensor = distribute_tensor(torch.zeros(4, 6), mesh, [Shard(1)], src_data_rank=None)
    init_(tensor, seed=42, name="w", client=client)
    assert torch.equal(tensor.to_local(), expect(4, 6, name="w")[:, 3:])


def test_a_process_outside_the_mesh_holds_nothing(pretend):
    pretend(rank=3, size=4)
    tensor = distribute_tensor(torch.zeros(4, 6), DeviceMesh("cpu", [0, 1]), [Shard(0)], src_data_rank=None)
    assert find_shards(tensor) == []


def test_a_dtensor_without_memory_is_refused(pretend, client):
    pretend(rank=0, size=3)
    tensor = torch.empty(4, 6, device="meta")
    sharded = distribute_tensor(tensor, init_device_mesh("cpu", (3,)), [Shard(0)], src_data_rank=None)
    with pytest.raises(TensorRejected, match="to_empty"):
        init_(sharded, seed=42, name="w", client=client)


def test_a_shard_that_its_placements_do_not_describe_is_refused(pretend):
    """Nine rows over two, and each part over four: DTensor's arithmetic is another than FSDP's."""
    pretend(rank=6, size=8)
    mesh = init_device_mesh("cpu", (4, 2), mesh_dim_names=("data", "tensor"))
    model = nn.Sequential(nn.Linear(4, 9))
    parallelize_module(model, mesh["tensor"], {"0": ColwiseParallel()})
    fully_shard(model, mesh=mesh["data"])
    with pytest.raises(TensorRejected, match="shard it evenly"):
        find_shards(model[0].weight)
