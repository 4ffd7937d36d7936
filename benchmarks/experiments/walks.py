"""Walks: layouts and slices, beside our own speed where positions follow each other in memory."""

from functools import partial

from benchmarks.experiments.draws import MILLION, OURS, make_memory, make_tensor
from benchmarks.measure import Figures, alternate, measure_rate
from benchmarks.scale import Scale
from service.stream import Tensor

RUNS = {"slice-64": 64, "slice-8": 8}


def race_walk(scale: Scale, name: str) -> Figures:
    """Race the same number of elements of a whole tensor in PyTorch's layout."""
    tensor = make_walk(scale, name)
    elements = tensor.nbytes // tensor.itemsize
    whole = make_tensor((elements // 1024, 1024), distribution="normal")
    memory = make_memory(tensor.nbytes)
    contestants = {
        label: measure_rate(partial(walked.fill, 0, memory), elements / MILLION)
        for label, walked in ((OURS, tensor), ("contiguous", whole))
    }
    return alternate(contestants, scale.rounds, warmups=2)


def make_walk(scale: Scale, name: str) -> Tensor:
    """Make the tensor of a row."""
    side = scale.pick(4096, 256)
    if name == "layout-dense":
        return make_tensor((side, side), layout="IO", distribution="normal")
    if name == "layout-convolution":
        return make_tensor((3, 3, side // 4, side // 2), layout="HWIO", distribution="normal")
    return make_runs(side * side // 4, RUNS[name])


def make_runs(elements: int, run: int) -> Tensor:
    """Make a slice of so many elements out of a wide matrix, in runs of a length."""
    rows = elements // run
    return make_tensor((rows, 16384), box=(slice(0, rows), slice(160, 160 + run)), distribution="normal")
