"""Named initializers: one table for every framework, so that a name means one distribution in all of them.

A row of NAMED becomes `he_normal_` in weightinit.torch, `HeNormal` in weightinit.keras and `he_normal` in
weightinit.jax, each of one line in that module, so that editors and type checkers know the name. Those of
VALUES have the names and arguments that each framework's users know. As in
the service, `normal` never means truncated; docs/initializers.md compares the frameworks' own.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, SupportsFloat

from weightinit.spec.fields import LayerFields
from weightinit.spec.layer import refuse

GLOROT = "Glorot & Bengio 2010, equation 12"
GLOROT_UNIFORM = "Glorot & Bengio 2010, equation 16"
HE = "He et al. 2015, equation 10"
LECUN = "LeCun et al. 1998, section 4.6"
PRESERVE = "He et al. 2015, equation 7, for the activation φ"


class NamedInitializer(NamedTuple):
    """A name for a scheme and a distribution, with their variance."""

    name: str
    scheme: str
    distribution: str
    variance: str
    source: str
    aliases: tuple[str, ...] = ()

    def describe(self) -> str:
        """Describe the initializer in one line.

        >>> NAMED["he_normal"].describe()
        'Normal, not truncated, of σ² = 2 / fan_in (He et al. 2015, equation 10).'
        """
        return f"{DISTRIBUTIONS[self.distribution]}, of σ² = {self.variance} ({self.source})."


# Descriptions of the service's distributions.
DISTRIBUTIONS = {
    "uniform": "Uniform",
    "normal": "Normal, not truncated",
    "truncated_normal": "Normal, truncated at ±2 standard deviations and rescaled",
}

# The scale and mode of each scheme.
SCALINGS = {"glorot": (1.0, "fan_avg"), "he": (2.0, "fan_in"), "lecun": (1.0, "fan_in")}
MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")

# Keras' name → the service's.
SYNONYMS = {"untruncated_normal": "normal"}

NAMED: dict[str, NamedInitializer] = {
    row.name: row
    for row in (
        NamedInitializer(
            "glorot_uniform", "glorot", "uniform", "1 / fan_avg", GLOROT_UNIFORM, ("xavier_uniform",)
        ),
        NamedInitializer("glorot_normal", "glorot", "normal", "1 / fan_avg", GLOROT, ("xavier_normal",)),
        NamedInitializer(
            "glorot_truncated_normal",
            "glorot",
            "truncated_normal",
            "1 / fan_avg",
            GLOROT,
            ("xavier_truncated_normal",),
        ),
        NamedInitializer("he_uniform", "he", "uniform", "2 / fan_in", HE, ("kaiming_uniform",)),
        NamedInitializer("he_normal", "he", "normal", "2 / fan_in", HE, ("kaiming_normal",)),
        NamedInitializer(
            "he_truncated_normal", "he", "truncated_normal", "2 / fan_in", HE, ("kaiming_truncated_normal",)
        ),
        NamedInitializer("lecun_uniform", "lecun", "uniform", "1 / fan_in", LECUN),
        NamedInitializer("lecun_normal", "lecun", "normal", "1 / fan_in", LECUN),
        NamedInitializer("lecun_truncated_normal", "lecun", "truncated_normal", "1 / fan_in", LECUN),
        NamedInitializer("preserve_uniform", "preserve", "uniform", "1 / (fan_in · E[φ²])", PRESERVE),
        NamedInitializer("preserve_normal", "preserve", "normal", "1 / (fan_in · E[φ²])", PRESERVE),
        NamedInitializer(
            "preserve_truncated_normal", "preserve", "truncated_normal", "1 / (fan_in · E[φ²])", PRESERVE
        ),
    )
}


class ValueInitializer(NamedTuple):
    """A name for values that do not follow from the variance of a scheme; `layer` has its fixed fields."""

    layer: LayerFields
    spelled: tuple[str, str, str]  # in PyTorch, Keras and JAX
    values: str
    source: str

    def describe(self) -> str:
        """Describe the initializer in one line.

        >>> VALUES["identity"].describe()
        'gain on the diagonal, 0 elsewhere (Le et al. 2015, section 3).'
        """
        return f"{self.values} ({self.source})."


VALUES: dict[str, ValueInitializer] = {
    "orthogonal": ValueInitializer(
        {"scheme": "orthogonal"},
        ("orthogonal_", "Orthogonal", "orthogonal"),
        "gain times a random matrix whose shorter side is orthonormal",
        "Saxe et al. 2014, arXiv:1312.6120",
    ),
    "delta_orthogonal": ValueInitializer(
        {"scheme": "delta_orthogonal"},
        ("delta_orthogonal_", "DeltaOrthogonal", "delta_orthogonal"),
        "gain times a random orthogonal matrix at the centre, 0 elsewhere",
        "Xiao et al. 2018, arXiv:1806.05393",
    ),
    "identity": ValueInitializer(
        {"scheme": "identity"},
        ("eye_", "Identity", "identity"),
        "gain on the diagonal, 0 elsewhere",
        "Le et al. 2015, section 3",
    ),
    "dirac": ValueInitializer(
        {"scheme": "dirac"},
        ("dirac_", "Dirac", "dirac"),
        "gain where a channel repeats an input channel, 0 elsewhere",
        "Zagoruyko & Komodakis 2017, arXiv:1706.00388",
    ),
    "sparse": ValueInitializer(
        {"scheme": "sparse"},
        ("sparse_", "Sparse", "sparse"),
        "a share of zeros in each unit, and a normal for the others",
        "Martens 2010, section 5",
    ),
    "normal": ValueInitializer(
        {"scheme": "explicit", "distribution": "normal"},
        ("normal_", "RandomNormal", "normal"),
        "normal, not truncated",
        "stddev is σ",
    ),
    "truncated_normal": ValueInitializer(
        {"scheme": "explicit", "distribution": "truncated_normal"},
        ("trunc_normal_", "TruncatedNormal", "truncated_normal"),
        "normal, truncated without a correction of σ",
        "stddev is σ before the truncation",
    ),
    "uniform": ValueInitializer(
        {"scheme": "explicit", "distribution": "uniform"},
        ("uniform_", "RandomUniform", "uniform"),
        "uniform between two ends",
        "half-open, the lower end included",
    ),
    "constant": ValueInitializer(
        {"scheme": "constant"},
        ("constant_", "Constant", "constant"),
        "one value everywhere",
        "without a draw",
    ),
    "zeros": ValueInitializer(
        {"scheme": "zeros"}, ("zeros_", "Zeros", "zeros"), "0 everywhere", "without a draw"
    ),
    "ones": ValueInitializer({"scheme": "ones"}, ("ones_", "Ones", "ones"), "1 everywhere", "without a draw"),
}


def read_distribution(word: str) -> str:
    """Return the service's name of a distribution, given as that or as Keras'. Raises SpecRejected.

    >>> read_distribution("untruncated_normal"), read_distribution("truncated_normal")
    ('normal', 'truncated_normal')
    """
    distribution = SYNONYMS.get(word, word)
    if distribution not in DISTRIBUTIONS:
        raise refuse("distribution", f"must be one of {', '.join([*DISTRIBUTIONS, *SYNONYMS])}", word)
    return distribution


def check_scaling(fields: Mapping[str, object]) -> None:
    """Check the scale, mode and distribution among the fields of a layer. Raises SpecRejected."""
    scale, mode, distribution = (fields.get(name) for name in ("scale", "mode", "distribution"))
    if scale is not None and not (isinstance(scale, SupportsFloat) and 0 < float(scale) < math.inf):
        raise refuse("scale", "must be positive and finite", scale)
    if mode is not None and mode not in MODES:
        raise refuse("mode", f"must be one of {', '.join(MODES)}", mode)
    if distribution is not None:
        read_distribution(str(distribution))
