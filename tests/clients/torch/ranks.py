"""The processes of the sharding tests: each scenario shards a model in its own way and initializes it.

Each process writes its results to a file, which the tests read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
import weightinit
import weightinit.torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

SEED = 7


class Tower(nn.Module):
    """Sizes that no number of processes divides, a packed attention kernel, and a padding row."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 10, padding_idx=7)
        self.attend = nn.MultiheadAttention(10, 2, batch_first=True)
        self.fc1 = nn.Linear(10, 7)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(7, 10)
        self.norm = nn.LayerNorm(10)

    def forward(self, tokens):
        x = self.embed(tokens)
        x = x + self.attend(x, x, x, need_weights=False)[0]
        return self.norm(x + self.fc2(self.act(self.fc1(x))))


class Stack(nn.Sequential):
    """Parts whose classes fully_shard replaces, activations and norms among them."""

    def __init__(self):
        encoder = nn.TransformerEncoderLayer(10, 2, 6, dropout=0, activation="gelu", batch_first=True)
        super().__init__(
            nn.Embedding(11, 10),
            encoder,
            nn.Linear(10, 5),
            nn.LayerNorm(5),
            nn.PReLU(),
            nn.Linear(5, 3),
            nn.SELU(),
        )


class Mlp(nn.Module):
    """Sizes that tensor parallelism divides."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(8, 12)
        self.fc1 = nn.Linear(12, 24)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(24, 12)

    def forward(self, tokens):
        return self.fc2(self.act(self.fc1(self.embed(tokens))))


def shard_fully(model: nn.Module, mesh: DeviceMesh) -> None:
    """FSDP2, in three groups."""
    for part in (model.fc1, model.fc2, model):
        fully_shard(part, mesh=mesh)


def shard_every_part(model: nn.Module, mesh: DeviceMesh) -> None:
    """FSDP2, each part separately."""
    for part in (*model, model):
        fully_shard(part, mesh=mesh)


def shard_columns(model: nn.Module, mesh: DeviceMesh) -> None:
    """FSDP2 along the last axis of kernels."""
    fully_shard(model, mesh=mesh, shard_placement_fn=lambda parameter: Shard(parameter.ndim - 1))


def shard_tensors(model: nn.Module, mesh: DeviceMesh) -> None:
    """Tensor parallelism."""
    parallelize_module(
        model,
        mesh,
        {
            "embed": RowwiseParallel(input_layouts=Replicate()),
            "fc1": ColwiseParallel(),
            "fc2": RowwiseParallel(),
        },
    )


def shard_both(model: nn.Module, mesh: DeviceMesh) -> None:
    """FSDP2 over tensor parallelism: strided shards."""
    shard_tensors(model, mesh["outer"])
    shard_fully(model, mesh["inner"])


def place(outer: Placement, inner: Placement, model: nn.Module, mesh: DeviceMesh) -> None:
    """Shard every parameter with two axes by any placements."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim == 2:
                placed = distribute_tensor(parameter, mesh, (outer, inner), src_data_rank=None)
                setattr(module, name, nn.Parameter(placed))


def make_line(size: int) -> DeviceMesh:
    """Return a mesh with one dimension."""
    return init_device_mesh("cpu", (size,))


def make_grid(size: int) -> DeviceMesh:
    """Return a mesh with two dimensions; the outer one has two processes, if there are two."""
    outer = min(2, size)
    return init_device_mesh("cpu", (size // outer, outer), mesh_dim_names=("inner", "outer"))


def shard_nothing(model: nn.Module, mesh: DeviceMesh) -> None:
    """Leave the model whole in each process."""


@dataclass(frozen=True)
class Scenario:
    """A model, a mesh for a number of processes, the function that shards the model, and a wrapper."""

    model: Callable[[], nn.Module]
    make_mesh: Callable[[int], DeviceMesh]
    shard: Callable[[nn.Module, DeviceMesh], None]
    wrap: Callable[[nn.Module], nn.Module] = nn.Module.train
    runs: bool = True


SCENARIOS = {
    "distributed data parallel": Scenario(Tower, make_line, shard_nothing, wrap=DistributedDataParallel),
    "fsdp": Scenario(Tower, make_line, shard_fully),
    "fsdp of every part": Scenario(Stack, make_line, shard_every_part),
    "fsdp along the last axis": Scenario(Mlp, make_line, shard_columns),
    "hybrid fsdp": Scenario(Tower, make_grid, shard_fully),
    "tensor parallel": Scenario(Mlp, make_line, shard_tensors),
    "fsdp over tensor parallel": Scenario(Mlp, make_grid, shard_both),
    "one axis twice": Scenario(Tower, make_grid, partial(place, Shard(0), Shard(0)), runs=False),
    "both axes": Scenario(Tower, make_grid, partial(place, Shard(1), Shard(0)), runs=False),
    "replicated": Scenario(Tower, make_grid, partial(place, Replicate(), Shard(0)), runs=False),
}


class CountingClient(weightinit.Client):
    """A client that counts the bytes requested."""

    asked = 0

    def fetch(self, shape, *, out, **options):
        self.asked += out.nbytes
        super().fetch(shape, out=out, **options)


@dataclass(frozen=True)
class Outcome:
    """The result of a scenario in one process: whole tensors, sizes in bytes, the model's output.

    `again` are the whole tensors after a second start, with the next seed, of the model after a forward pass,
    and `published` those after a start from what the process published; `fetched` are the bytes requested
    then.
    """

    tensors: list[torch.Tensor]
    held: int
    asked: int
    answer: torch.Tensor | None
    again: list[torch.Tensor]
    published: list[torch.Tensor]
    fetched: int


def gather(model: nn.Module) -> list[torch.Tensor]:
    """Return copies of the whole tensors, after resharding."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
    parameters = (parameter.detach() for parameter in model.parameters())
    return [(one.full_tensor() if isinstance(one, DTensor) else one).clone() for one in parameters]


def measure(model: nn.Module) -> int:
    """Return the size in bytes of the kernels in this process."""
    kernels = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    return sum((kernel.to_local() if isinstance(kernel, DTensor) else kernel).nbytes for kernel in kernels)


def play(scenario: Scenario, url: str, size: int) -> Outcome:
    """Run a scenario in this process, one of several: shard a model on the meta device, initialize it."""
    mesh = scenario.make_mesh(size)
    with torch.device("meta"):
        model = scenario.model()
    scenario.shard(model, mesh)
    model = scenario.wrap(model.to_empty(device="cpu"))
    with CountingClient(url, progress=False) as client, torch.no_grad():
        weightinit.torch.initialize_(model, SEED, client=client)
        held, asked, tensors = measure(model), client.asked, gather(model)
        answer = model(torch.arange(6).view(2, 3)) if scenario.runs else None
        weightinit.torch.initialize_(model, SEED + 1, client=client)
        again, before = gather(model), client.asked
        published = weightinit.torch.publish(model, SEED, client=client)
        weightinit.torch.initialize_(model, published.id, client=client)
    return Outcome(tensors, held, asked, answer, again, gather(model), client.asked - before)


@dataclass(frozen=True)
class Flattened:
    """The result for the older FSDP: an error, and the tensors of a gathered model."""

    refusal: str
    tensors: list[torch.Tensor]


def play_flattened(url: str) -> Flattened:
    """Initialize a model with parameters flattened by FSDP, as it is and while it is gathered."""
    model = FullyShardedDataParallel(Mlp(), use_orig_params=True, device_id=torch.device("cpu"))
    refusal = ""
    with weightinit.Client(url, progress=False) as client:
        try:
            weightinit.torch.initialize_(model, SEED, client=client)
        except weightinit.torch.ModelRejected as error:
            refusal = str(error)
        with FullyShardedDataParallel.summon_full_params(model):
            weightinit.torch.initialize_(model, SEED, client=client)
    with FullyShardedDataParallel.summon_full_params(model):
        return Flattened(refusal, gather(model))


def run_rank(rank: int, size: int, url: str, folder: str) -> None:
    """Run all scenarios in one process of a group."""
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/store", size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    outcomes = {name: play(scenario, url, size) for name, scenario in SCENARIOS.items()}
    torch.save({**outcomes, "flattened": play_flattened(url)}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
