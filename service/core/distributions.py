"""Distributions: how the weights spread around zero for a given standard deviation."""

import math
from dataclasses import dataclass
from typing import Literal

DistributionName = Literal["uniform", "normal", "truncated_normal"]

# Standard deviation of a unit normal cut at ±2: sqrt(1 - 4 φ(2) / (2 Φ(2) - 1)).
# The constant of Keras' and JAX's VarianceScaling (tf.initializers, scipy.stats.truncnorm).
TRUNCATED_UNIT_STDDEV = 0.87962566103423978


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution of mean 0; `peak` bounds |value| / stddev over everything it can draw."""

    name: DistributionName
    peak: float


DISTRIBUTIONS: dict[DistributionName, Distribution] = {
    row.name: row
    for row in (
        Distribution("uniform", peak=math.sqrt(3)),
        # The inverse CDF of a 32-bit draw: its largest |z| is Φ⁻¹(1 - 2⁻³³) ≈ 6.34.
        Distribution("normal", peak=6.4),
        Distribution("truncated_normal", peak=2 / TRUNCATED_UNIT_STDDEV),
    )
}
