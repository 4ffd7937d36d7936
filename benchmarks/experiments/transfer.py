"""Transfers: 2 GiB through HTTP into a tensor's own memory, by the client."""

import os
from contextlib import ExitStack
from functools import partial

import torch
from weightinit import Client

from benchmarks.experiments.draws import OURS
from benchmarks.measure import Figures, alternate, measure_rate
from benchmarks.peers.frameworks import STDDEV
from benchmarks.peers.nginx import make_folder, serve_file
from benchmarks.scale import Scale
from benchmarks.servers import Server, run_service

GIGABYTE = 1e9


def make_target(scale: Scale) -> torch.Tensor:
    """Make the tensor that is filled, 2 GiB of pages that are there already."""
    return torch.ones(scale.pick((16384, 32768), (4096, 4096)))


def make_client(server: Server) -> Client:
    """Make a client that neither caches, verifies nor shows anything, whatever the environment sets."""
    return Client(server.url, retries=0, cache=False, verify=False, progress=False)


def fetch(client: Client, tensor: torch.Tensor) -> None:
    """Fetch a normal kernel into a tensor's memory."""
    client.fetch(
        tuple(tensor.shape), layout="torch", distribution="normal", seed=42, name="fc1", out=tensor.numpy()
    )


def race_torch(scale: Scale) -> Figures:
    """Race torch.nn.init.normal_ on the very tensor, with a thread for each core."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    tensor = make_target(scale)
    amount = tensor.nbytes / GIGABYTE
    with run_service() as service, make_client(service) as client:
        contestants = {
            OURS: measure_rate(partial(fetch, client, tensor), amount),
            "PyTorch": measure_rate(lambda: torch.nn.init.normal_(tensor, 0.0, STDDEV), amount),
        }
        return alternate(contestants, scale.rounds)


def race_nginx(scale: Scale) -> Figures:
    """Race nginx with the same bytes in a file. Raises RuntimeError where they do not arrive as they were."""
    tensor = make_target(scale)
    amount = tensor.nbytes / GIGABYTE
    with ExitStack() as stack:
        client = stack.enter_context(make_client(stack.enter_context(run_service())))
        fetch(client, tensor)
        folder = stack.enter_context(make_folder())
        tensor.numpy().tofile(folder / "weights")
        other = stack.enter_context(make_client(stack.enter_context(serve_file(folder))))
        first = tensor[0].clone()
        tensor[0] = 0
        fetch(other, tensor)
        if not torch.equal(first, tensor[0]):
            raise RuntimeError("nginx sent other bytes")
        contestants = {
            OURS: measure_rate(partial(fetch, client, tensor), amount),
            "nginx": measure_rate(partial(fetch, other, tensor), amount),
        }
        return alternate(contestants, scale.rounds)
