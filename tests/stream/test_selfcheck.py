"""The check before serving: it passes here, and sees a changed vector, table, key or kernel."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from service.stream import key, selfcheck, tensor
from service.stream.inverse_cdf import load_tables

ROOT = Path(__file__).parents[2]


def write_golden(monkeypatch, path, golden):
    path.write_text(json.dumps(golden), "utf-8")
    monkeypatch.setattr(selfcheck, "PATH", path)


@pytest.fixture
def golden():
    return json.loads(selfcheck.PATH.read_text("utf-8"))


class TestCheck:
    def test_this_machine_draws_every_vector(self, golden):
        assert selfcheck.check() == len(golden["cases"]) >= 240

    @pytest.mark.parametrize("place", [(0, 0), (100, 7), (239, -1)])
    def test_one_other_digit_is_seen(self, golden, place, tmp_path, monkeypatch):
        case, digit = golden["cases"][place[0]], place[1] % len(golden["cases"][place[0]]["bytes"])
        other = f"{int(case['bytes'][digit], 16) ^ 1:x}"
        case["bytes"] = case["bytes"][:digit] + other + case["bytes"][digit + 1 :]
        write_golden(monkeypatch, tmp_path / "golden.json", golden)
        with pytest.raises(selfcheck.SelfCheckError, match="differs from its golden vector"):
            selfcheck.check()

    def test_vectors_of_another_version_are_refused(self, golden, tmp_path, monkeypatch):
        write_golden(monkeypatch, tmp_path / "golden.json", golden | {"stream": 2})
        with pytest.raises(selfcheck.SelfCheckError, match="stream 2, expected stream 1"):
            selfcheck.check()

    @pytest.mark.parametrize("distribution_code", [0, 1])
    def test_a_table_that_changed_in_memory_is_seen(self, distribution_code, monkeypatch):
        changed = load_tables().copy()
        changed[distribution_code, :, 0] = np.nextafter(changed[distribution_code, :, 0], 9)
        changed.setflags(write=False)
        monkeypatch.setattr(tensor, "TABLES", changed)
        with pytest.raises(selfcheck.SelfCheckError):
            selfcheck.check()

    def test_another_version_of_the_key_is_seen(self, monkeypatch):
        monkeypatch.setattr(tensor, "derive_key", lambda seed, name: key.derive_key(seed, name, 2))
        with pytest.raises(selfcheck.SelfCheckError):
            selfcheck.check()


# One change to a kernel's source: file, what stands there, what is put there.
KERNEL_MUTATIONS = {
    "nine rounds": ("philox.py", "range(10)", "range(9)"),
    "another multiplier": ("philox.py", "0xD2511F53", "0xD2511F55"),
    "lanes swapped": ("philox.py", "lanes[0, 0, j], lanes[1, 0, j]", "lanes[1, 0, j], lanes[0, 0, j]"),
    "another lane": ("philox.py", "        draw_lane2(", "        draw_lane1("),
    "a tile held too long": ("fill.py", "if tile != held:", "if held == uint64(0xFFFFFFFFFFFFFFFF):"),
    "another tile size": ("philox.py", "position >> uint64(2)) & ~", "position >> uint64(1)) & ~"),
    "another table row": ("transforms.py", "1022 <<", "1023 <<"),
    "uniform half-open": ("encode.py", "& MAGNITUDE)) + 0.5", "& MAGNITUDE)) + 0.0"),
    "halves cut off": ("encode.py", "uint32(0x7FFF)", "uint32(0)"),
    "float16 subnormals off by one": ("encode.py", "uint32(0x3F000000)", "uint32(0x3EFFFFFF)"),
    "no sign": ("intrinsics.py", "np.uint32(0x80000000)", "np.uint32(0)"),
    "strides forgotten": ("positions.py", "uint32(uint64(i) * strides[axis])", "uint32(i)"),
}


@pytest.mark.parametrize(("name", "old", "_new"), KERNEL_MUTATIONS.values(), ids=KERNEL_MUTATIONS)
def test_what_a_mutation_replaces_is_there(name, old, _new):
    assert old in (ROOT / "service" / "stream" / "kernels" / name).read_text("utf-8")


def check_copy(root, mutation=None):
    """Run the check in a copy of the service, one of whose kernels may be changed."""
    shutil.copytree(ROOT / "service", root / "service", ignore=shutil.ignore_patterns("__pycache__"))
    if mutation:
        name, old, new = mutation
        path = root / "service" / "stream" / "kernels" / name
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    command = [sys.executable, "-c", "from service.stream.selfcheck import check; print(check())"]
    environment = os.environ | {"PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(root / "cache")}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False, text=True)


@pytest.mark.slow
class TestCopies:
    def test_an_unchanged_copy_passes(self, golden, tmp_path):
        done = check_copy(tmp_path)
        assert (done.returncode, done.stdout) == (0, f"{len(golden['cases'])}\n")

    @pytest.mark.parametrize("mutation", KERNEL_MUTATIONS.values(), ids=KERNEL_MUTATIONS)
    def test_a_changed_kernel_is_seen(self, mutation, tmp_path):
        done = check_copy(tmp_path, mutation)
        assert done.returncode == 1
        assert "SelfCheckError" in done.stderr
