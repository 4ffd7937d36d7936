"""Activations: every name that Keras, PyTorch, JAX and timm use, and the family of each.

The families and their schemes extend Géron, Hands-On Machine Learning, Table 11-1: none, tanh, logistic and
softmax → Glorot; ReLU and its variants → He; SELU → LeCun. Every other activation is in the family that its
shape resembles.
"""

from dataclasses import dataclass
from typing import Literal

from service.core.spelling import find_nearest_names, fold_name

Family = Literal["linear", "saturating", "output", "rectifier", "shrinking", "gated", "self_normalizing"]

FAMILY_SCHEMES: dict[Family, Literal["glorot", "he", "lecun"]] = {
    "linear": "glorot",
    "saturating": "glorot",
    "output": "glorot",
    "rectifier": "he",
    "shrinking": "he",
    "gated": "he",
    "self_normalizing": "lecun",
}


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function: its canonical name, family, the reason for the family, and its aliases."""

    name: str
    family: Family
    reason: str
    aliases: tuple[str, ...] = ()

    @property
    def scheme(self) -> Literal["glorot", "he", "lecun"]:
        """The scheme that `auto` chooses for this activation."""
        return FAMILY_SCHEMES[self.family]


_ROWS: tuple[Activation, ...] = (
    Activation("none", "linear", "No activation follows, so the signal keeps its variance both ways."),
    Activation("linear", "linear", "A linear unit keeps the signal's variance both ways.", ("identity",)),
    Activation("tanh", "saturating", "Tanh is near linear around zero and saturates on both sides."),
    Activation("sigmoid", "saturating", "The logistic function saturates on both sides.", ("logistic",)),
    Activation("hard_sigmoid", "saturating", "A piecewise linear sigmoid, flat on both sides."),
    Activation("sparse_sigmoid", "saturating", "A sigmoid that is linear on (-1, 1) and flat outside."),
    Activation("hard_tanh", "saturating", "A piecewise linear tanh, flat on both sides."),
    Activation("softsign", "saturating", "Softsign saturates like tanh, more slowly (Glorot & Bengio 2010)."),
    Activation(
        "sin", "saturating", "A sine is linear around zero and bounded (SIREN, Sitzmann et al. 2020)."
    ),
    Activation(
        "laplace", "saturating", "A smooth step from 0 to 1 (Ma et al. 2022, Mega), flat on both sides."
    ),
    Activation("softmax", "output", "Softmax turns logits into probabilities: keep the logits small."),
    Activation(
        "softmax2d", "output", "Softmax over channels turns logits into probabilities: keep them small."
    ),
    Activation("softmin", "output", "Softmin is the softmax of negated logits: keep the logits small."),
    Activation(
        "log_softmax", "output", "Log-softmax normalizes logits as softmax does: keep the logits small."
    ),
    Activation("gumbel_softmax", "output", "Gumbel-softmax samples from a softmax: keep the logits small."),
    Activation("sparsemax", "output", "Sparsemax projects logits onto probabilities: keep the logits small."),
    Activation("exponential", "output", "The exponential grows without bound: keep its input small."),
    Activation(
        "relu", "rectifier", "ReLU zeroes half of its inputs, and twice the variance makes up for it."
    ),
    Activation("relu6", "rectifier", "A ReLU with a ceiling that the first steps hardly reach."),
    Activation("leaky_relu", "rectifier", "A ReLU with a small slope below zero."),
    Activation(
        "prelu", "rectifier", "A ReLU with a learned slope below zero, for which He's scheme was made."
    ),
    Activation("rrelu", "rectifier", "A ReLU with a random small slope below zero."),
    Activation("elu", "rectifier", "A ReLU that bends smoothly to a floor below zero."),
    Activation("celu", "rectifier", "An ELU with a continuous derivative: a ReLU with a smooth floor."),
    Activation(
        "gelu",
        "rectifier",
        "A smooth ReLU: it damps negative inputs and passes positive ones.",
        ("gelu_python",),
    ),
    Activation(
        "gelu_tanh",
        "rectifier",
        "The tanh approximation of GELU, a smooth ReLU.",
        ("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"),
    ),
    Activation("gelu_10", "rectifier", "A GELU clipped at ±10, which the first steps hardly reach."),
    Activation("quick_gelu", "rectifier", "The sigmoid approximation of GELU, a smooth ReLU."),
    Activation("silu", "rectifier", "A smooth ReLU, x · sigmoid(x): it damps negative inputs.", ("swish",)),
    Activation("hard_silu", "rectifier", "A piecewise SiLU, shaped like a ReLU.", ("hard_swish",)),
    Activation("mish", "rectifier", "A smooth ReLU, close to SiLU."),
    Activation("hard_mish", "rectifier", "A piecewise Mish, shaped like a ReLU."),
    Activation("softplus", "rectifier", "The smooth ReLU: zero far below, linear far above."),
    Activation("relu_squared", "rectifier", "A squared ReLU (So et al. 2021, Primer).", ("relu2",)),
    Activation(
        "xielu",
        "rectifier",
        "A quadratic for positive inputs, an integrated ELU for negative ones (Huang & Schlag 2024).",
    ),
    Activation("sqrtsoftplus", "rectifier", "The square root of a softplus."),
    Activation("squareplus", "rectifier", "An algebraic softplus: zero far below, linear far above."),
    Activation("sparse_plus", "rectifier", "A softplus that is exactly zero below -1 and linear above 1."),
    Activation("log_sigmoid", "rectifier", "The negated softplus of -x: linear far below, zero far above."),
    Activation("threshold", "rectifier", "A ReLU whose corner is moved: constant below it, linear above."),
    Activation(
        "hard_shrink", "shrinking", "Zeroes small inputs as a ReLU zeroes negative ones, so signal is lost."
    ),
    Activation("soft_shrink", "shrinking", "Shrinks inputs to a dead zone around zero, so signal is lost."),
    Activation("tanh_shrink", "shrinking", "x - tanh(x) is nearly zero for small inputs, so signal is lost."),
    Activation(
        "glu",
        "gated",
        "A sigmoid gate damps the linear half; GLU networks start from He (Dauphin et al. 2017).",
    ),
    Activation("reglu", "gated", "A ReLU gate zeroes half of the linear half (Shazeer 2020)."),
    Activation("geglu", "gated", "A GELU gate damps the linear half as a smooth ReLU does (Shazeer 2020)."),
    Activation("swiglu", "gated", "A SiLU gate damps the linear half as a smooth ReLU does (Shazeer 2020)."),
    Activation(
        "selu",
        "self_normalizing",
        "SELU normalizes itself if weights have variance 1 / fan_in (Klambauer et al. 2017).",
    ),
)

ACTIVATIONS: dict[str, Activation] = {row.name: row for row in _ROWS}
ACTIVATION_NAMES: tuple[str, ...] = tuple(name for row in _ROWS for name in (row.name, *row.aliases))
_BY_FOLDED_NAME: dict[str, Activation] = {
    fold_name(name): row for row in _ROWS for name in (row.name, *row.aliases)
}


def find_activation(name: str) -> Activation | None:
    """Find an activation by any of its names, ignoring case, underscores and hyphens.

    >>> find_activation("LeakyReLU").name, find_activation("swish").name, find_activation("relo")
    ('leaky_relu', 'silu', None)
    """
    return ACTIVATIONS.get(name) or _BY_FOLDED_NAME.get(fold_name(name))


def suggest_activations(name: object) -> tuple[str, ...]:
    """Suggest the activation names nearest to a wrong one.

    >>> suggest_activations("tahn")
    ('tanh',)
    """
    return find_nearest_names(name, ACTIVATION_NAMES)
