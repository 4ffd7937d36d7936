"""The catalogue: all experiments by name and group."""

from benchmarks.curves import CURVES, Curve
from benchmarks.row import Row
from benchmarks.rows import ROWS

Experiment = Row | Curve

LISTED: list[Experiment] = [*ROWS, *CURVES]
EXPERIMENTS = {experiment.name: experiment for experiment in LISTED}


def find_experiments(words: list[str]) -> list[Experiment]:
    """Find the experiments that are named, or whose group is; all if none is named. Raises LookupError.

    >>> [experiment.name for experiment in find_experiments(["transfer"])]
    ['transfer-torch', 'transfer-nginx']
    """
    for word in words:
        if not any(word in {experiment.name, experiment.group} for experiment in EXPERIMENTS.values()):
            raise LookupError(f"there is no experiment {word!r}: scripts/bench list names them")
    return [
        experiment
        for experiment in EXPERIMENTS.values()
        if not words or experiment.name in words or experiment.group in words
    ]
