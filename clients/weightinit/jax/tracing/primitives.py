"""Primitives: what JAX's operations compute for each element, in NumPy, and which only move elements."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_erf = np.vectorize(math.erf, otypes=[float])
_lgamma = np.vectorize(math.lgamma, otypes=[float])


def _logistic(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x))


def _select(which: Array, *cases: Array) -> Array:
    return np.choose(np.asarray(which).astype(int), np.broadcast_arrays(which, *cases)[1:])


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

# Of two operands of which one is not known: the number that leaves the other as it is.
NEUTRAL = {"add": 0.0, "add_any": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0}
ADDING = frozenset(["add", "add_any", "sub", "max", "min", "select_n"])
COMPARING = frozenset(["and", "eq", "ge", "gt", "is_finite", "le", "lt", "ne", "not", "or", "xor"])

# Here elements are moved, copied, pooled, added up, or of another precision: they keep their function.
# fmt: off
MOVING = frozenset([
    "all_gather", "all_to_all", "broadcast_in_dim", "convert_element_type", "copy", "copy_p", "cumlogsumexp",
    "cummax", "cummin", "cumsum", "dynamic_slice", "dynamic_update_slice", "expand_dims", "gather", "name",
    "optimization_barrier", "pad", "pbroadcast", "ppermute", "psum", "pvary", "reduce_precision",
    "reduce_window", "reduce_window_max", "reduce_window_min", "reduce_window_sum", "reshape", "rev",
    "scatter", "scatter-add", "scatter_add", "select_and_gather_add", "sharding_constraint", "slice", "sort",
    "split", "squeeze", "stop_gradient", "top_k", "transpose",
])
# fmt: on
# Here only some of the elements are left, so that what is left is another signal.
PICKING = frozenset(["dynamic_slice", "gather", "slice"])
REDUCING = frozenset(["reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or"])
# What comes out are positions and no longer a signal.
LOCATING = frozenset(["argmax", "argmin"])


def is_elementwise(name: str) -> bool:
    """Tell whether a primitive works on each element alone."""
    return name in OPERATIONS or name == "integer_pow"


def evaluate(name: str, params: Mapping[str, Any], operands: Sequence[Array | float]) -> Array:
    """Evaluate an elementwise primitive in float64.

    >>> evaluate("integer_pow", {"y": 3}, [np.array([2.0])]).tolist()
    [8.0]
    """
    with np.errstate(all="ignore"):
        if name == "integer_pow":
            return np.asarray(np.power(operands[0], float(params["y"])))
        return np.asarray(OPERATIONS[name](*operands))
