"""Filling a tensor of 2 GiB takes little additional memory."""

import subprocess
import sys

import pytest

# In a process of its own: the high-water mark is for all of a process's life.
SCRIPT = """
import resource, sys, torch, weightinit.torch

def measure_peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def fill(rows, columns):
    tensor = torch.empty(rows, columns)
    filled = tensor.t() if sys.argv[1] == "transposed" else tensor
    weightinit.torch.init_(filled, seed=1, name="w", distribution="normal")
    return tensor

fill(64, 2**14)
before = measure_peak()
tensor = fill(2**15, 2**14)
print(measure_peak() - before - tensor.nbytes, tensor[-1].std().item())
"""


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["contiguous", "transposed"])
def test_two_gibibytes_take_less_than_64_mebibytes_more(memory, service_url, monkeypatch):
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    run = subprocess.run([sys.executable, "-c", SCRIPT, memory], capture_output=True, text=True, check=True)
    extra, stddev = map(float, run.stdout.split())
    assert extra < 64 * 2**20
    assert stddev > 0
