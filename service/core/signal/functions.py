"""Activation functions, as NumPy computes them: for the propagation of signals, where four digits suffice."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. (2017), equation 14
_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(x / 2))


def _softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


def _expm1(x: Array) -> Array:
    return np.expm1(np.minimum(x, 0))


def _gelu(x: Array) -> Array:
    value: Array = 0.5 * x * (1 + _erf(x / math.sqrt(2)))
    return value


#: Activations by canonical name, with the default of their parameter. Those in SCALE_FREE need no function,
#: and those that jump have no slope.
FUNCTIONS: dict[str, Function] = {
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sin": np.sin,
    "laplace": lambda x: 0.5 * (1 + _erf((x - 0.707107) / (0.282095 * math.sqrt(2)))),
    "relu6": lambda x: np.clip(x, 0, 6),
    "elu": lambda x: np.where(x > 0, x, _expm1(x)),
    "celu": lambda x: np.where(x > 0, x, _expm1(x)),
    "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * _expm1(x)),
    "gelu": _gelu,
    "gelu_10": lambda x: np.clip(_gelu(x), -10, 10),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x * _sigmoid(1.702 * x),
    "silu": lambda x: x * _sigmoid(x),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "hard_mish": lambda x: x * np.clip(x + 2, 0, 2) / 2,
    "relu_squared": lambda x: np.maximum(x, 0) ** 2,
    "xielu": lambda x: np.where(x > 0, 0.8 * x**2 + 0.5 * x, 0.8 * (_expm1(x) - x) + 0.5 * x),
    "softplus": _softplus,
    "sqrtsoftplus": lambda x: np.sqrt(_softplus(x)),
    "squareplus": lambda x: (x + np.sqrt(x**2 + 4)) / 2,
    "sparse_plus": lambda x: np.where(x > 1, x, np.maximum(x + 1, 0) ** 2 / 4),
    "log_sigmoid": lambda x: -_softplus(-x),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "tanh_shrink": lambda x: x - np.tanh(x),
}

#: The gate of each gated unit a · g(b), with independent a and b.
GATES: dict[str, Function] = {
    "glu": _sigmoid,
    "reglu": lambda x: np.maximum(x, 0),
    "geglu": _gelu,
    "swiglu": FUNCTIONS["silu"],
}

#: Activations whose output has a multiple of the variance of their input: φ(c·z) = c·φ(z) for c > 0.
SCALE_FREE = frozenset({"none", "linear", "relu", "leaky_relu", "prelu", "rrelu"})

#: Functions whose slope jumps, for which expectations need more nodes.
PIECEWISE = frozenset(
    {
        GATES["reglu"],
        *(
            FUNCTIONS[name]
            for name in (
                "hard_sigmoid",
                "sparse_sigmoid",
                "hard_tanh",
                "softsign",
                "relu6",
                "selu",
                "hard_silu",
                "hard_mish",
                "soft_shrink",
            )
        ),
    }
)
