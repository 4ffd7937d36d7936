"""Threads: how much faster two are than one, for us and for NumPy."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from benchmarks.experiments.draws import OURS, make_memory, make_tensor
from benchmarks.measure import Figures, alternate, time_work
from benchmarks.scale import Scale

Work = Callable[[], object]


def race_threads(scale: Scale) -> Figures:
    """Race NumPy's generators, one for each half of the memory, as its documentation has it."""
    side = scale.pick(4096, 512)
    with ThreadPoolExecutor(2) as pool:
        contestants = {
            OURS: make_gain(make_our_halves(side), pool),
            "NumPy PCG64": make_gain(make_numpy_halves(side, "PCG64"), pool),
            "NumPy Philox": make_gain(make_numpy_halves(side, "Philox"), pool),
        }
        return alternate(contestants, scale.rounds)


def make_gain(halves: list[Work], pool: ThreadPoolExecutor) -> Callable[[], float]:
    """Make a measure of the time in turn over the time at once."""

    def run_at_once() -> None:
        for future in [pool.submit(half) for half in halves]:
            future.result()

    def run_in_turn() -> None:
        for half in halves:
            half()

    return lambda: time_work(run_in_turn) / time_work(run_at_once)


def make_our_halves(side: int) -> list[Work]:
    """Make the draws of both halves of a tensor."""
    tensor = make_tensor((side, side), distribution="normal")
    memory = make_memory(tensor.nbytes)
    half = tensor.nbytes // 2
    return [
        partial(tensor.fill, 0, memory[:half]),
        partial(tensor.fill, half // tensor.itemsize, memory[half:]),
    ]


def make_numpy_halves(side: int, bits: str) -> list[Work]:
    """Make the draws of two generators into the halves of an array."""
    array = np.ones((2, side * side // 2), np.float32)
    seeds = np.random.SeedSequence(42).spawn(2)
    return [
        partial(
            np.random.Generator(getattr(np.random, bits)(seed)).standard_normal, dtype=np.float32, out=half
        )
        for seed, half in zip(seeds, array, strict=True)
    ]
