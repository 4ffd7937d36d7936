"""A worker: one experiment in a process of its own, so that none leaves threads or memory to the next."""

import importlib
import json
import os
import signal
import sys
from pathlib import Path

from benchmarks.catalogue import EXPERIMENTS, Experiment
from benchmarks.scale import Scale


def run(experiment: Experiment, scale: Scale) -> object:
    """Run an experiment, on the last core alone where it is pinned."""
    if experiment.pinned:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    module, _, function = experiment.measure.partition(":")
    return getattr(importlib.import_module(module), function)(scale, *experiment.arguments)


def main() -> None:
    """Run the experiment that the first argument names, and write its figures to the file of the second."""
    # What it has started is ended when it is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    name, path, *options = sys.argv[1:]
    figures = run(EXPERIMENTS[name], Scale(quick="--quick" in options))
    Path(path).write_text(json.dumps(figures), "utf-8")


if __name__ == "__main__":
    main()
