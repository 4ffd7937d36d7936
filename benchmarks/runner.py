"""The runner: one experiment after the other, each ended where it takes too long."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.catalogue import Experiment
from benchmarks.processes import ROOT, clean_environment, end_process

LONGEST = 600.0  # seconds for an experiment
GRACE = 60.0  # seconds that it has to end what it started


def run_experiment(experiment: Experiment, *, quick: bool) -> object:
    """Run an experiment in a process of its own and return its figures.

    Raises RuntimeError where it fails, whose reason it has written to standard error.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        options = ["--quick"] if quick else []
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", experiment.name, str(path), *options],
            cwd=ROOT,
            env={
                **clean_environment(),
                **make_environment(pinned=experiment.pinned),
                **experiment.environment,
            },
        )
        try:
            status = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{experiment.name} took longer than {LONGEST:g} s") from None
        finally:
            if process.poll() is None:
                end_process(process, GRACE)
        if status:
            raise RuntimeError(f"{experiment.name} failed with status {status}")
        return json.loads(path.read_text("utf-8"))


def make_environment(*, pinned: bool) -> dict[str, str]:
    """Make the settings of frameworks: one thread where there is one core."""
    count = "1" if pinned else str(len(os.sched_getaffinity(0)))
    flags = "--xla_cpu_multi_thread_eigen=false" if pinned else ""
    return {"OMP_NUM_THREADS": count, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
