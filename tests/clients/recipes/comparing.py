"""Compare the values that a recipe gives a model with those that the model's own code gives it."""

import math

import numpy as np
import pytest

#: E[z⁴] / σ⁴ of each distribution; of an orthogonal matrix it is below that of the normal.
KURTOSIS = {"normal": 3.0, "uniform": 1.8, "truncated_normal": 3.0}


def compare(ours, theirs, report):
    """Compare the elements of tensors over seeds: those that never vary are equal, the others spread alike.

    `ours` and `theirs` map names to arrays with an axis of seeds in front; `theirs` has at least two.
    """
    assert ours.keys() == theirs.keys()
    for name, own in theirs.items():
        is_fixed = (own == own[0]).all(axis=0)
        for run in ours[name]:
            np.testing.assert_array_equal(run[is_fixed], own[0][is_fixed], err_msg=name)
        if is_fixed.all():
            continue
        found, wanted = (values[:, ~is_fixed].astype(np.float64) for values in (ours[name], own))
        kurtosis = KURTOSIS.get(report[name].distribution, 3.0)
        # The mean square of n draws has a standard deviation of √((κ - 1) / n) of itself.
        error = 5 * math.sqrt((kurtosis - 1) * (1 / found.size + 1 / wanted.size))
        assert np.square(found).mean() / np.square(wanted).mean() == pytest.approx(1, abs=error), name


def stack(runs):
    """Stack the tensors of several seeds."""
    return {name: np.stack([run[name] for run in runs]) for name in runs[0]}
