"""GPT-2, and a function for one process of a group that starts its shards by reference and digests them."""

import hashlib
import math
from dataclasses import dataclass

import torch
import torch.distributed as dist
import weightinit.torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from tests.clients.torch.models import Gpt
from tests.clients.torch.ranks import CountingClient, gather


@dataclass(frozen=True)
class Size:
    """A size of GPT-2 (Radford et al. 2019, table 2)."""

    vocabulary: int
    context: int
    width: int
    depth: int

    def build(self) -> Gpt:
        """Build the model."""
        return Gpt(self.vocabulary, self.context, self.width, self.depth)

    @property
    def rules(self) -> dict[str, weightinit.adapters.rules.Rule]:
        """GPT-2's initialization: σ = 0.02, and less for layers before residual sums (section 2.3)."""
        residual = {"stddev": 0.02 / math.sqrt(2 * self.depth)}
        return {
            "h.*.c_proj.weight": residual,
            "h.*.mlp.2.weight": residual,
            "h.*.c_attn.weight": {"parts": ["q", "k", "v"], "stddev": 0.02},
            "*.mlp.0.weight": {"stddev": 0.02},
            "w[tp]e.weight": {"stddev": 0.02},
        }


# The second is GPT-2 small, of 124 million parameters.
SIZES = {"tiny": Size(101, 12, 20, 2), "small": Size(50257, 1024, 768, 12)}


def digest(tensors: list[torch.Tensor]) -> list[str]:
    """Return a digest of each tensor, so that the tensors need not be kept."""
    return [hashlib.sha256(tensor.detach().numpy().tobytes()).hexdigest() for tensor in tensors]


def start(size: Size, reference: str, client: weightinit.Client) -> nn.Module:
    """Start a sharded model (FSDP2) from a published one, without memory for the whole model."""
    with torch.device("meta"):
        model = size.build()
    for block in (*model.h, model):
        fully_shard(block, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    model.to_empty(device="cpu")
    model.lm_head.weight = model.wte.weight
    weightinit.torch.initialize_(model, reference, client=client)
    return model


def run_rank(rank: int, size: int, url: str, folder: str, name: str, reference: str) -> None:
    """Start a model in one process of a group; write the digests of its tensors and the bytes requested."""
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/store", size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    with CountingClient(url, progress=False) as client:
        model = start(SIZES[name], reference, client)
        outcome = {"digests": digest(gather(model)), "asked": client.asked}
    torch.save(outcome, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
