"""Draws: a kernel of 4096 × 4096 into memory that is there already, by one thread on one core."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Figures, Measure, alternate, measure_rate
from benchmarks.peers.frameworks import STDDEV, make_jax, make_numpy, make_torch
from benchmarks.peers.remote import Remote, run_remote
from benchmarks.scale import Scale
from service.core import LayerSpec, resolve_parameters
from service.stream import Tensor

OURS = "weightinit"
MILLION = 1e6
BACKENDS = ("torch", "jax")

# Keras' he_normal is a truncated normal; it stands beside the plain one too, since that is how it is known.
KERAS = {
    "normal": ("RandomNormal", "HeNormal"),
    "uniform": ("HeUniform",),
    "truncated_normal": ("HeNormal",),
}


def race_everyone(scale: Scale, distribution: str) -> Figures:
    """Race all peers that have a distribution, in float32."""
    shape = scale.pick((4096, 4096), (256, 256))
    amount = shape[0] * shape[1] / MILLION
    works: dict[str, Callable[[], object] | None] = {
        OURS: make_ours(shape, distribution, "float32"),
        "PyTorch": make_torch(shape, distribution, "float32", threads=1),
        "NumPy PCG64": make_numpy(shape, distribution, "PCG64"),
        "NumPy Philox": make_numpy(shape, distribution, "Philox"),
        "JAX": make_jax(shape, distribution),
    }
    contestants = {name: measure_rate(work, amount) for name, work in works.items() if work}
    with ExitStack() as stack:
        for backend in BACKENDS:
            remote = stack.enter_context(
                run_remote("benchmarks.peers.keras_backend", {"KERAS_BACKEND": backend})
            )
            for name in KERAS[distribution]:
                measure = make_remote_measure(remote, [name, shape], amount)
                contestants[f"Keras {name} ({backend})"] = measure
        return alternate(contestants, scale.rounds)


def race_torch(scale: Scale, distribution: str, dtype: str) -> Figures:
    """Race PyTorch in a dtype."""
    shape = scale.pick((4096, 4096), (256, 256))
    works = {
        OURS: make_ours(shape, distribution, dtype),
        "PyTorch": make_torch(shape, distribution, dtype, threads=1),
    }
    amount = shape[0] * shape[1] / MILLION
    contestants = {name: measure_rate(work, amount) for name, work in works.items()}
    return alternate(contestants, scale.rounds)


def make_ours(shape: tuple[int, ...], distribution: str, dtype: str) -> Callable[[], object]:
    """Make our draw of a whole tensor, in PyTorch's layout, into memory that is there already."""
    tensor = make_tensor(shape, distribution=distribution, dtype=dtype)
    return partial(tensor.fill, 0, make_memory(tensor.nbytes))


def make_tensor(
    shape: tuple[int, ...], *, box: tuple[slice, ...] | None = None, layout: str = "torch", **fields: str
) -> Tensor:
    """Make a tensor of the spread that the peers draw with, or a box of it."""
    said = {"scheme": "variance_scaling", "scale": STDDEV**2, "fan_in": 1, "fan_out": 1}
    spec = LayerSpec.parse({"shape": list(shape), "layout": layout, "seed": 42, **said, **fields})
    return Tensor.of(spec, resolve_parameters(spec), box)


def make_memory(size: int) -> NDArray[np.uint8]:
    """Make memory that has been written to once, so that no page of it is still to come."""
    memory = np.empty(size, np.uint8)
    memory.fill(1)
    return memory


def make_remote_measure(remote: Remote, question: object, amount: float) -> Measure:
    """Make a measure of how much of an amount a remote gets done in a second."""
    return lambda: amount / remote.ask(question)
