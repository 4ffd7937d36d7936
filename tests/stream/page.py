"""Requests to independent.c, computed by section 5 of docs/stream.md without the service's code."""

import math

import numpy as np

from tests.stream.drawing import DTYPES


def compute_he_variance(spec):
    """Return the variance by section 5 for He's scheme: scale 2, fan_in = I axes × receptive field."""
    axes = zip(spec["shape"], spec["layout"], strict=True)
    return 2 / spec.get("fan_in", math.prod(size for size, letter in axes if letter in "IDHW"))


def find_largest_below(value, dtype):
    """Return the largest value of a dtype strictly below a real number."""
    with np.errstate(over="ignore"):
        rounded = DTYPES[dtype].type(value)
    return float(rounded if float(rounded) < value else np.nextafter(rounded, DTYPES[dtype].type(0)))


def compute_span(variance, distribution, dtype):
    """Return factor and bound from section 5's table."""
    stddev, limit = math.sqrt(variance), math.sqrt(3 * variance)
    factor, end = {
        "uniform": (limit, limit),
        "normal": (stddev, math.inf),
        "truncated_normal": (stddev, (2 / 0.87962566103423978) * stddev),
    }[distribution]
    return factor, find_largest_below(end, dtype)


def make_request(spec, slices):
    """Return the request for a slice of a spec's tensor."""
    fields = ("seed", "name", "distribution", "dtype", "layout", "shape")
    factor, bound = compute_span(compute_he_variance(spec), spec["distribution"], spec["dtype"])
    return {field: spec[field] for field in fields} | {"slices": slices, "factor": factor, "bound": bound}
