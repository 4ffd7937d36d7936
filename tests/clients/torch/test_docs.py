"""The examples in docs/pytorch.md work as shown."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import weightinit.torch
from weightinit import WeightinitError

PAGE = (Path(__file__).parents[3] / "docs" / "pytorch.md").read_text(encoding="utf-8")
# An example in Python, and what it prints where that is shown.
EXAMPLE = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
SCRIPT = "# shard.py"
EXAMPLES = {PAGE[: found.start()].count("\n") + 1: found.groups() for found in EXAMPLE.finditer(PAGE)}
ALONE = {line: shown for line, shown in EXAMPLES.items() if not shown[0].startswith(SCRIPT)}


@pytest.mark.parametrize(("example", "printed"), ALONE.values(), ids=[f"line {line}" for line in ALONE])
def test_an_example_runs_and_prints_what_is_shown(
    example, printed, default_service, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/pytorch.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out == (printed or "")


# Gloo's threads outlive the process groups of a mesh. One that lets go of a Python object while the
# interpreter shuts down aborts the process, after the script has done all its work.
ABORTED_AT_EXIT = "terminate called without an active exception"


def run_to_the_end(command, folder, tries=4):
    """Run a command, again where PyTorch aborted at its exit."""
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode and ABORTED_AT_EXIT in run.stderr and tries > 1:
        return run_to_the_end(command, folder, tries - 1)
    return run


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_the_sharded_example_runs(size, service_url, monkeypatch, tmp_path):
    (script,) = (example for example, _ in EXAMPLES.values() if example.startswith(SCRIPT))
    (tmp_path / "shard.py").write_text(script, encoding="utf-8")
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={size}",
        "shard.py",
    ]
    run = run_to_the_end(command, tmp_path)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", weightinit.torch.__all__)
def test_every_function_and_error_is_on_the_page(name):
    value = getattr(weightinit.torch, name)
    is_error = isinstance(value, type) and issubclass(value, (WeightinitError, Warning))
    if name.endswith("_") or is_error:
        assert name in PAGE or name.replace("kaiming", "he").replace("xavier", "glorot") in PAGE
