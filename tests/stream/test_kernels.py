"""Kernels: bit for bit the NumPy reference, and themselves with other instructions and other threads."""

import itertools
import json
import os
import platform
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from service.core import dtypes
from service.stream.kernels.fill import HERE, digest_sources
from tests.stream.drawing import (
    DISTRIBUTIONS,
    DTYPES,
    convert_words,
    convert_words_by_reference,
    cuts,
    draw_bytes,
    draw_reference,
    make_tensor,
)
from tests.stream.positions import FANS, digest_positions, list_tensors

ROOT = Path(__file__).parents[2]
WORDS = st.integers(0, 2**32 - 1)
# Where a transform changes its course: the magnitudes around each octave, first and last, of either sign.
TURNS = sorted(
    {
        sign | min(max(2**octave + step, 0), 2**31 - 1)
        for sign in (0, 2**31)
        for octave in range(32)
        for step in (-2, -1, 0, 1)
    }
)


class TestReference:
    @pytest.mark.parametrize("tensor", [pytest.param(t, id=label) for label, t in list_tensors()])
    def test_strided_positions(self, tensor):
        assert make_tensor(**tensor).read() == draw_reference(**tensor).tobytes()

    @given(cut=cuts())
    @settings(deadline=None, max_examples=200)
    def test_any_slice(self, cut):
        spec, slices = cut
        assert make_tensor(slices, **spec).read() == draw_reference(slices, **spec).tobytes()

    @given(cut=cuts(), data=st.data())
    @settings(deadline=None, max_examples=200)
    def test_any_range_of_any_slice(self, cut, data):
        spec, slices = cut
        tensor, whole = make_tensor(slices, **spec), draw_reference(slices, **spec).ravel()
        start = data.draw(st.integers(0, whole.size - 1))
        count = data.draw(st.integers(1, whole.size - start))
        assert draw_bytes(tensor, start, count) == whole[start : start + count].tobytes()

    @pytest.mark.parametrize("distribution", DISTRIBUTIONS)
    @pytest.mark.parametrize("dtype", DTYPES)
    @given(
        words=st.lists(WORDS | st.sampled_from(TURNS), min_size=1, max_size=64),
        factor=st.floats(1e-8, 1e3) | st.floats(1e-45, 1e-30),
        reach=st.floats(0.01, 7),
    )
    @settings(deadline=None)
    def test_any_words_factor_and_bound(self, distribution, dtype, words, factor, reach):
        arguments = (
            np.array(words, np.uint32),
            distribution,
            dtype,
            factor,
            np.float32(factor * reach).item(),
        )
        assert convert_words(*arguments).tobytes() == convert_words_by_reference(*arguments).tobytes()

    @pytest.mark.parametrize("distribution", DISTRIBUTIONS)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_every_turn_of_the_transforms(self, distribution, dtype):
        arguments = (np.array(TURNS, np.uint32), distribution, dtype, 0.0123, 0.07)
        assert convert_words(*arguments).tobytes() == convert_words_by_reference(*arguments).tobytes()


class TestRuns:
    """Elements are drawn by blocks, and blocks by fours: neither start nor length of a run may show."""

    @pytest.fixture(
        params=[
            {"shape": (9001,), "layout": "O", **FANS},
            {"shape": (90, 120), "layout": "OI", "slices": (slice(0, 90), slice(1, 101))},
            {"shape": (100, 90), "layout": "IO"},
        ],
        ids=["dense", "runs with holes", "strided"],
    )
    def tensor(self, request):
        return make_tensor(**request.param, distribution="normal", dtype="float16")

    def test_any_length(self, tensor):
        whole = tensor.read()
        lengths = (*range(1, 18), *range(509, 517), *range(1021, 1029), 4095, 4096, 4097)
        for count, start in itertools.product(lengths, (0, 1, 1023, 4095)):
            assert draw_bytes(tensor, start, count) == whole[2 * start : 2 * (start + count)]

    def test_nothing_is_written_beyond_the_end(self, tensor):
        for count in (1, 2, 3, 5, 1023, 1025, 4097):
            out = np.full(2 * count + 64, 0xA5, np.uint8)
            tensor.fill(7, out[: 2 * count])
            assert out[2 * count :].tobytes() == b"\xa5" * 64

    @pytest.mark.parametrize("threads", [2, 8])
    def test_any_number_of_threads(self, tensor, threads):
        whole = tensor.read()
        out = np.zeros(len(whole), np.uint8)
        step = 4 * (len(whole) // (20 * threads))
        parts = [
            slice(start, min(start + step, len(whole) // 2)) for start in range(0, len(whole) // 2, step)
        ]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: tensor.fill(part.start, out[2 * part.start : 2 * part.stop]), parts))
        assert out.tobytes() == whole


def run_python(arguments, environment):
    """Run this interpreter afresh, in the root of the repository."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "OMP_"))}
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=bare | environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def digests():
    return digest_positions()


@pytest.mark.parametrize("count", ["1", "8"])
def test_thread_settings_change_no_byte(digests, count):
    environment = {"NUMBA_NUM_THREADS": count, "OMP_NUM_THREADS": count}
    assert json.loads(run_python(["-m", "tests.stream.positions"], environment)) == digests


def test_a_processor_without_avx_draws_the_same_bytes(digests, tmp_path):
    environment = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert json.loads(run_python(["-m", "tests.stream.positions"], environment)) == digests


# A fused multiply-add rounds once where the page rounds twice. The control, with fastmath, shows that the
# compiler would use them if it were allowed to.
PRINT_ASSEMBLY = """
import numba
from service.stream import kernels
control = numba.njit("f8(f8, f8, f8)", fastmath=True)(lambda a, b, c: a * b + c)
print(*control.inspect_asm().values(), "-- kernel --", *kernels.fill.inspect_asm().values(), sep="\\n")
"""
FUSED = {
    "x86_64": (r"\bvfn?m(add|sub)", {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"}),
    "aarch64": (r"\bf(n?m(add|sub)|ml[as])\b", {}),
}
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())


@pytest.mark.slow
@pytest.mark.skipif(MACHINE not in FUSED, reason="mnemonics of another processor")
def test_kernels_never_fuse_a_multiply_with_an_add(tmp_path):
    pattern, environment = FUSED[MACHINE]
    printed = run_python(["-c", PRINT_ASSEMBLY], environment | {"NUMBA_CACHE_DIR": str(tmp_path)})
    control, kernel = printed.split("-- kernel --")
    assert re.search(pattern, control)
    assert not re.search(pattern, kernel)
    assert len(re.findall(r"\b(vmulpd|fmul)\b", kernel)) > 10


def test_kernels_compiled_from_other_sources_are_kept_apart(tmp_path):
    original = digest_sources(HERE)
    for source in HERE.glob("*.py"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    assert digest_sources(tmp_path) == original
    for source in tmp_path.glob("*.py"):
        content = source.read_bytes()
        source.write_bytes(content + b"\n")
        assert digest_sources(tmp_path) != original, source.name
        source.write_bytes(content)


def test_kernels_compiled_with_other_dtype_codes_are_kept_apart(tmp_path):
    other = tmp_path / "dtypes.py"
    other.write_bytes(Path(dtypes.__file__).read_bytes())
    assert digest_sources(HERE, other) == Path(config.CACHE_DIR).name
    other.write_bytes(other.read_bytes().replace(b"code=1", b"code=4"))
    assert digest_sources(HERE, other) != Path(config.CACHE_DIR).name
