"""Orthogonal: a matrix of 4096 × 4096 in float32, all cores, from draws to rounded elements."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count

import numpy as np

from benchmarks.experiments.draws import BACKENDS, MILLION, OURS, make_remote_measure
from benchmarks.measure import Figures, alternate, measure_rate
from benchmarks.peers.remote import run_remote
from benchmarks.scale import Scale
from service.core.slices import select_all
from service.stream import derive_key
from service.stream.matrices import Engine
from service.stream.orthogonal import OrthogonalTensor

CHUNK = 384 * 1024  # bytes of a chunk of the service


def race_orthogonal(scale: Scale) -> Figures:
    """Race the orthogonal initializers of PyTorch, JAX and Keras. Each draw is of a new matrix."""
    shape = scale.pick((4096, 4096), (256, 256))
    amount = shape[0] * shape[1] / MILLION
    works = {OURS: make_ours(shape), "PyTorch": make_torch(shape), "JAX": make_jax(shape)}
    contestants = {name: measure_rate(work, amount) for name, work in works.items()}
    with ExitStack() as stack:
        for backend in BACKENDS:
            environment = {"KERAS_BACKEND": backend, "THREADS": str(len(os.sched_getaffinity(0)))}
            remote = stack.enter_context(run_remote("benchmarks.peers.keras_backend", environment))
            measure = make_remote_measure(remote, ["Orthogonal", shape], amount)
            contestants[f"Keras Orthogonal ({backend})"] = measure
        return alternate(contestants, scale.rounds)


def make_ours(shape: tuple[int, int]) -> Callable[[], None]:
    """Make our draw of a new matrix, chunk by chunk, as the service sends it."""
    seeds, engine = count(), Engine(cache_bytes=0)
    out = np.empty(4 * shape[0] * shape[1], np.uint8)

    def draw() -> None:
        key = derive_key(next(seeds), "orthogonal")
        fill = OrthogonalTensor(key, shape, "OI", select_all(shape), "float32").bind(engine)
        for start in range(0, out.size, CHUNK):
            fill(start // 4, out[start : start + CHUNK])

    return draw


def make_torch(shape: tuple[int, int]) -> Callable[[], object]:
    """Make PyTorch's draw into a tensor, with all cores."""
    import torch

    tensor = torch.empty(shape)
    return lambda: torch.nn.init.orthogonal_(tensor)


def make_jax(shape: tuple[int, int]) -> Callable[[], object]:
    """Make JAX's draw, compiled, waited for."""
    import jax

    draw = jax.jit(lambda key: jax.nn.initializers.orthogonal()(key, shape))
    keys = iter(jax.random.split(jax.random.key(42), 1000))
    return lambda: draw(next(keys)).block_until_ready()
