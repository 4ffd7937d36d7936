"""Schemes: the variance of a layer's weights, and every name of a scheme.

A name may include the distribution: `he_uniform`, `glorot_normal`, `lecun_truncated_normal`.
`normal` never means truncated. Keras and JAX draw `he_normal` from a normal distribution truncated at ±2σ,
which is `he_truncated_normal` here, or `he_normal` with `distribution=truncated_normal`. PyTorch does not
truncate it.
"""

import math
from dataclasses import dataclass
from typing import Literal

from service.core.spelling import find_nearest_names, fold_name

DistributionName = Literal["uniform", "normal", "truncated_normal"]

# Standard deviation of a unit normal truncated at ±2: sqrt(1 - 4 φ(2) / (2 Φ(2) - 1)).
# The constant of Keras' and JAX's VarianceScaling (tf.initializers, scipy.stats.truncnorm).
TRUNCATED_UNIT_STDDEV = 0.87962566103423978


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution of mean 0. `peak` is an upper bound of |value| / stddev of its draws."""

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


SchemeName = Literal["glorot", "he", "lecun", "variance_scaling", "explicit"]
Mode = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """An initialization scheme: variance = scale / fan, with its defaults, reason and reference.

    Scheme explicit has neither scale nor mode: a field of the spec sets the variance. `variance` is the
    formula of schemes whose variance depends on more than a fan.
    """

    name: SchemeName
    scale: float | None
    mode: Mode | None
    distribution: DistributionName
    reason: str
    reference: str
    aliases: tuple[str, ...] = ()
    variance: str = ""

    @property
    def formula(self) -> str:
        """The default formula of σ².

        >>> SCHEMES["he"].formula, SCHEMES["variance_scaling"].formula
        ('σ² = 2 / fan_in', 'σ² = scale / fan')
        """
        return f"σ² = {self.variance or f'{self.scale:g} / {self.mode}'}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every name of the scheme, with and without a distribution."""
        return tuple(name for name, spelling in SPELLINGS.items() if spelling.scheme is self)


SCHEMES: dict[SchemeName, Scheme] = {
    row.name: row
    for row in (
        Scheme(
            "glorot",
            scale=1.0,
            mode="fan_avg",
            distribution="uniform",
            reason="Glorot's scheme compromises between keeping the variance of signals and of gradients.",
            reference="Glorot & Bengio (2010), Understanding the difficulty of training deep feedforward "
            "neural networks, equations 12 and 16",
            aliases=("xavier",),
        ),
        Scheme(
            "he",
            scale=2.0,
            mode="fan_in",
            distribution="uniform",
            reason="He's scheme keeps the variance of signals through rectifiers, which zero half of them.",
            reference="He, Zhang, Ren & Sun (2015), Delving deep into rectifiers, equations 10 and 15",
            aliases=("kaiming",),
        ),
        Scheme(
            "lecun",
            scale=1.0,
            mode="fan_in",
            distribution="normal",
            reason="LeCun's scheme gives each unit's input the variance of the signals that it sums.",
            reference="LeCun, Bottou, Orr & Müller (1998), Efficient BackProp, section 4.6",
        ),
        Scheme(
            "variance_scaling",
            scale=1.0,
            mode="fan_in",
            distribution="uniform",
            reason="The spec sets scale and mode.",
            reference="VarianceScaling of Keras and jax.nn.initializers: variance = scale / fan",
            variance="scale / fan",
        ),
        Scheme(
            "explicit",
            scale=None,
            mode=None,
            distribution="normal",
            reason="σ does not depend on the fans.",
            reference="RandomNormal, TruncatedNormal and RandomUniform of Keras; normal_ and uniform_ of "
            "torch.nn.init",
            variance="stddev²",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class SchemeSpelling:
    """A scheme's canonical name, and the distribution that the name includes, if any."""

    name: str
    scheme: Scheme | None
    distribution: DistributionName | None = None


AUTO = SchemeSpelling("auto", None)
#: Schemes whose names never include the distribution.
PLAIN: frozenset[SchemeName] = frozenset({"variance_scaling", "explicit"})


def _spell_schemes() -> dict[str, SchemeSpelling]:
    """List every accepted spelling: auto, plain names, and names with a distribution."""
    spellings = {"auto": AUTO}
    for scheme in SCHEMES.values():
        for alias in (scheme.name, *scheme.aliases):
            spellings[alias] = SchemeSpelling(scheme.name, scheme)
            for carried in DISTRIBUTIONS if scheme.name not in PLAIN else ():
                spellings[f"{alias}_{carried}"] = SchemeSpelling(f"{scheme.name}_{carried}", scheme, carried)
    return spellings


SPELLINGS: dict[str, SchemeSpelling] = _spell_schemes()
SCHEME_NAMES: tuple[str, ...] = tuple(SPELLINGS)
_BY_FOLDED_NAME: dict[str, SchemeSpelling] = {fold_name(name): row for name, row in SPELLINGS.items()}


def find_scheme(name: str) -> SchemeSpelling | None:
    """Find a scheme by any of its names, ignoring case, underscores and hyphens.

    >>> find_scheme("xavier_uniform_").name, find_scheme("HeNormal").distribution, find_scheme("orthogonal")
    ('glorot_uniform', 'normal', None)
    """
    return SPELLINGS.get(name) or _BY_FOLDED_NAME.get(fold_name(name))


def list_schemes() -> str:
    """List the names of the schemes, for a message.

    >>> list_schemes()
    'auto, glorot (xavier), he (kaiming), lecun, variance_scaling, explicit'
    """
    names = (
        f"{scheme.name} ({', '.join(scheme.aliases)})" if scheme.aliases else scheme.name
        for scheme in SCHEMES.values()
    )
    return ", ".join([AUTO.name, *names])


def suggest_schemes(name: object) -> tuple[str, ...]:
    """Suggest the scheme names nearest to a wrong one.

    >>> suggest_schemes("heuniform2")[0]
    'he_uniform'
    """
    return find_nearest_names(name, SCHEME_NAMES)
