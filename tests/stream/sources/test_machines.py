"""Every source writes the bytes of its first day, with any threads and any instructions."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.stream.sources.digests import digest_sources, list_sources
from tests.stream.test_kernels import run_python

PATH = Path(__file__).with_name("digests.json")


def test_the_bytes_have_not_changed():
    assert digest_sources() == json.loads(PATH.read_text("utf-8"))


@pytest.mark.parametrize("threads", [2, 8])
def test_any_number_of_threads_writes_the_same_bytes(threads):
    for label, source in list_sources().items():
        assert read_in_threads(source, threads) == source.read(), label


def read_in_threads(source, threads, step=4099):
    out, size, fill = np.zeros(source.nbytes, np.uint8), source.itemsize, source.bind()
    starts = range(0, out.size // size, step)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda at: fill(at, out[at * size : (at + step) * size]), starts))
    return out.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "features"), [("generic", ""), ("haswell", "+avx2,+fma")], ids=["no AVX", "AVX2 and FMA"]
)
def test_another_processor_writes_the_same_bytes(tmp_path, name, features):
    environment = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    printed = run_python(["-m", "tests.stream.sources.digests"], environment)
    assert json.loads(printed) == json.loads(PATH.read_text("utf-8"))
