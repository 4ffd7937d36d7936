"""Schemes: how the variance of a layer's weights follows from its fans or from the fields of its spec."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

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


SchemeName = Literal[
    "glorot",
    "he",
    "lecun",
    "variance_scaling",
    "explicit",
    "preserve",
    "orthogonal",
    "delta_orthogonal",
    "identity",
    "dirac",
    "sparse",
    "constant",
    "zeros",
    "ones",
]
Mode = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]


class Extents(NamedTuple):
    """The number of inputs, outputs and receptive-field positions of one kernel, and of its groups."""

    inputs: int
    outputs: int
    field: int
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Scheme:
    """An initialization scheme: how the variance follows from the fans, its reason and reference.

    Most schemes have variance = scale / fan. Those without a scale have another rule: `mean_square` is that
    of the elements of a matrix of a given structure, before the gain; a `constant` has no variance. `options`
    are the optional fields of a spec that the scheme allows, besides those of the axes. `variance` is the
    formula where it is not scale / mode.
    """

    name: SchemeName
    scale: float | None
    mode: Mode | None
    distribution: DistributionName | None
    reason: str
    reference: str
    options: frozenset[str]
    aliases: tuple[str, ...] = ()
    variance: str = ""
    mean_square: Callable[[Extents], float] | None = None
    constant: float | None = None

    @property
    def formula(self) -> str:
        """The default formula of σ².

        >>> SCHEMES["he"].formula, SCHEMES["variance_scaling"].formula
        ('σ² = 2 / fan_in', 'σ² = scale / fan')
        """
        return f"σ² = {self.variance or f'{self.scale:g} / {self.mode}'}"

    @property
    def is_drawn(self) -> bool:
        """Whether the elements depend on a seed."""
        return self.name not in CONSTANTS | {"identity", "dirac"}


#: Schemes of one value everywhere.
CONSTANTS: frozenset[SchemeName] = frozenset({"constant", "zeros", "ones"})
FANS = frozenset({"fan_in", "fan_out", "fans_as"})
CUT = frozenset({"lower", "upper"})
SCALING = FANS | CUT | {"mode", "gain", "distribution"}
SPREADING = CUT | {"stddev", "parent_stddev", "limit", "low", "high", "mean", "distribution"}

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
            options=SCALING,
            aliases=("xavier",),
        ),
        Scheme(
            "he",
            scale=2.0,
            mode="fan_in",
            distribution="uniform",
            reason="He's scheme keeps the variance of signals through rectifiers, which zero half of them.",
            reference="He, Zhang, Ren & Sun (2015), Delving deep into rectifiers, equations 10 and 15",
            options=SCALING | {"negative_slope"},
            aliases=("kaiming",),
        ),
        Scheme(
            "lecun",
            scale=1.0,
            mode="fan_in",
            distribution="normal",
            reason="LeCun's scheme gives each unit's input the variance of the signals that it sums.",
            reference="LeCun, Bottou, Orr & Müller (1998), Efficient BackProp, section 4.6",
            options=SCALING,
        ),
        Scheme(
            "variance_scaling",
            scale=1.0,
            mode="fan_in",
            distribution="uniform",
            reason="The spec sets scale and mode.",
            reference="VarianceScaling of Keras and jax.nn.initializers: variance = scale / fan",
            options=SCALING | {"scale"},
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
            options=SPREADING,
            variance="stddev²",
        ),
        Scheme(
            "preserve",
            scale=1.0,
            mode="fan_in",
            distribution="normal",
            reason="The variance of signals (fan_in) or of gradients (fan_out) stays the same through this "
            "activation, for inputs of N(0, 1).",
            reference="He, Zhang, Ren & Sun (2015), equations 7 and 14, for any activation; with fan_avg the "
            "compromise of Glorot & Bengio (2010), equation 12",
            options=SCALING | {"activation_parameter"},
            variance="1 / (fan_in · E[φ²])",
        ),
        Scheme(
            "orthogonal",
            scale=None,
            mode=None,
            distribution=None,
            reason="The shorter side of each kernel, flattened to a matrix, is orthonormal: it keeps the "
            "length of signals or of gradients.",
            reference="Saxe, McClelland & Ganguli (2014), arXiv:1312.6120; drawn by Stewart (1980), SIAM J. "
            "Numer. Anal. 17(3), section 3",
            options=frozenset({"gain"}),
            variance="gain² / max(outputs, inputs)",
            mean_square=lambda size: 1 / max(size.outputs, size.inputs * size.field),
        ),
        Scheme(
            "delta_orthogonal",
            scale=None,
            mode=None,
            distribution=None,
            reason="An orthogonal matrix at the centre of the kernel, and zeros elsewhere: a convolution "
            "that keeps the length of signals.",
            reference="Xiao, Bahri, Sohl-Dickstein, Schoenholz & Pennington (2018), arXiv:1806.05393, "
            "algorithm 1",
            options=frozenset({"gain", "center"}),
            variance="gain² / (outputs · field)",
            mean_square=lambda size: 1 / (size.outputs * size.field),
        ),
        Scheme(
            "identity",
            scale=None,
            mode=None,
            distribution=None,
            reason="Each unit repeats one input: the layer starts as the identity.",
            reference="Le, Jaitly & Hinton (2015), arXiv:1504.00941, section 3; eye_ of torch.nn.init",
            options=frozenset({"gain"}),
            aliases=("eye",),
            variance="gain² / max(outputs, inputs)",
            mean_square=lambda size: 1 / max(size.outputs, size.inputs),
        ),
        Scheme(
            "dirac",
            scale=None,
            mode=None,
            distribution=None,
            reason="Each channel repeats one input channel: the convolution starts as the identity.",
            reference="Zagoruyko & Komodakis (2017), arXiv:1706.00388; dirac_ of torch.nn.init",
            options=frozenset({"gain", "center"}),
            variance="gain² / (max(outputs / groups, inputs) · field)",
            mean_square=lambda size: 1 / (max(size.outputs // size.groups, size.inputs) * size.field),
        ),
        Scheme(
            "sparse",
            scale=None,
            mode=None,
            distribution="normal",
            reason="Each unit has a few inputs of its own, and zeros for the others.",
            reference="Martens (2010), Deep learning via Hessian-free optimization, section 5",
            options=frozenset({"stddev", "sparsity", "sparsity_axis"}),
            variance="(1 - sparsity) · stddev²",
        ),
        Scheme(
            "constant",
            scale=None,
            mode=None,
            distribution=None,
            reason="Every element has the value that the spec sets.",
            reference="Constant of Keras; constant_ of torch.nn.init",
            options=frozenset({"constant"}),
            variance="0",
        ),
        Scheme(
            "zeros",
            scale=None,
            mode=None,
            distribution=None,
            reason="Every element is 0.",
            reference="Zeros of Keras; zeros_ of torch.nn.init",
            options=frozenset(),
            variance="0",
            constant=0.0,
        ),
        Scheme(
            "ones",
            scale=None,
            mode=None,
            distribution=None,
            reason="Every element is 1.",
            reference="Ones of Keras; ones_ of torch.nn.init",
            options=frozenset(),
            variance="0",
            constant=1.0,
        ),
    )
}

#: Every optional field that some scheme allows and another does not.
OPTIONS: frozenset[str] = frozenset().union(*(scheme.options for scheme in SCHEMES.values()))
