"""Tables of JAX's primitives: the role of each in a graph, and NumPy functions to evaluate them."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from weightinit.adapters.flow.graph import Role

Array = npt.NDArray[Any]

_erf = np.vectorize(math.erf, otypes=[float])
_lgamma = np.vectorize(math.lgamma, otypes=[float])


def _logistic(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x))


def _select(which: Array, *cases: Array) -> Array:
    """Select from cases; for a uniform mask, which is a stand-in, the case that is not constant."""
    chosen = np.choose(np.asarray(which).astype(int), np.broadcast_arrays(which, *cases)[1:])
    if np.size(which) > 1 and np.all(which == np.ravel(which)[0]) and not np.ptp(chosen):
        return next((case for case in cases if np.ptp(case)), chosen)
    return chosen


def _clamp(low: Array, x: Array, high: Array) -> Array:
    return np.minimum(np.maximum(x, low), high)


OPERATIONS: dict[str, Callable[..., Array]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "add": np.add,
    "add_any": np.add,
    "and": np.logical_and,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "ceil": np.ceil,
    "clamp": _clamp,
    "cos": np.cos,
    "cosh": np.cosh,
    "div": np.divide,
    "eq": np.equal,
    "erf": _erf,
    "erfc": lambda x: 1 - _erf(x),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "floor": np.floor,
    "ge": np.greater_equal,
    "gt": np.greater,
    "is_finite": np.isfinite,
    "le": np.less_equal,
    "lgamma": _lgamma,
    "log": np.log,
    "log1p": np.log1p,
    "logistic": _logistic,
    "lt": np.less,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "ne": np.not_equal,
    "neg": np.negative,
    "not": np.logical_not,
    "or": np.logical_or,
    "pow": np.power,
    "rem": np.fmod,
    "round": np.round,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "select_n": _select,
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "square": np.square,
    "sub": np.subtract,
    "tan": np.tan,
    "tanh": np.tanh,
    "xor": np.logical_xor,
}

# What adds or scales; of two operands of which one is not known, the other goes on as it is.
_ROWS: dict[Role, str] = {
    Role.ADD: "add add_any sub",
    Role.MULTIPLY: "div mul",
    Role.MOVE: """
        all_gather all_to_all broadcast_in_dim complex concatenate conj convert_element_type copy copy_p
        dynamic_update_slice expand_dims fft imag name optimization_barrier pad pbroadcast ppermute psum
        psum_invariant pvary real reduce_precision reduce_window reduce_window_max reduce_window_min
        reduce_window_sum reshape reshard rev scatter scatter-add scatter-max scatter-min scatter-mul
        scatter-sub scatter_add select_and_gather_add sharding_constraint sort squeeze stack stop_gradient
        tile top_k transpose
    """,
    Role.SPLIT: "dynamic_slice gather slice split unstack",
    Role.REDUCE: "cumlogsumexp cummax cummin cumsum reduce_and reduce_max reduce_min reduce_or reduce_sum",
    # The results are positions, at which the signal ends.
    Role.PRODUCT: "argmax argmin",
    Role.IGNORED: """
        iota random_bits random_fold_in random_seed random_split random_unwrap random_wrap rng_bit_generator
        rng_uniform threefry2x32
    """,
}
ROLES: dict[str, Role] = {
    **dict.fromkeys(OPERATIONS, Role.ELEMENTWISE),
    "integer_pow": Role.ELEMENTWISE,
    **{name: role for role, names in _ROWS.items() for name in names.split()},
}
# Operations that keep all elements in place.
# fmt: off
KEEPING = frozenset([
    "convert_element_type", "copy", "copy_p", "name", "optimization_barrier", "pbroadcast", "psum", "pvary",
    "reduce_precision", "sharding_constraint", "stop_gradient",
])
# fmt: on
REDUCING = frozenset(name for name, role in ROLES.items() if role is Role.REDUCE) | {"reduce_prod"}
PRODUCTS = frozenset(["conv_general_dilated", "dot_general", "ragged_dot_general"])


def evaluate(name: str, params: Mapping[str, Any], operands: Sequence[Array | float]) -> Array:
    """Evaluate an elementwise primitive in float64.

    >>> evaluate("integer_pow", {"y": 3}, [np.array([2.0])]).tolist()
    [8.0]
    """
    with np.errstate(all="ignore"):
        if name == "integer_pow":
            return np.asarray(np.power(operands[0], float(params["y"])))
        return np.asarray(OPERATIONS[name](*operands))
