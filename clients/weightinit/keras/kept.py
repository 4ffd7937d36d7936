"""Decide which variables keep what the author of a Keras model chose, before the layer's own rule applies.

The author is whoever wrote the model: frozen variables, our initializers, fixed initializers and assigned
values are kept. `plan` uses this module.
"""

import inspect
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightinit.adapters.actions import Block, Constant, Draw, Leave, PublishedDraw
from weightinit.adapters.flow.inference import Inference
from weightinit.adapters.rules import drop_scheme
from weightinit.keras.assigned import Assignments
from weightinit.keras.constants import find_initializer, name_initializer, read_value
from weightinit.keras.initializers import Initializer
from weightinit.keras.layers import Kernel, Layer, find_kernel
from weightinit.keras.tracing.interception import keep_generators
from weightinit.keras.walk import NamedTensor, name_dtype, read_values
from weightinit.spec.dtypes import DTYPES

if TYPE_CHECKING:
    from weightinit.spec.fields import LayerFields

# Keras' initializers that do not draw, and may give a matrix.
FIXED = (keras.initializers.Constant, keras.initializers.Identity, keras.initializers.STFT)
FROZEN = "Frozen: trainable is False."


class Author:
    """Finds variables that the author of a model fixed. `seed` is the seed of the initialization.

    Frozen variables are kept only if others are trained.
    """

    def __init__(self, model: Layer, variables: Sequence[NamedTensor], seed: int) -> None:
        self._seed = seed
        self._assignments = Assignments(model, variables)
        self._singles_out = is_trained(variables)
        found = (find_initializer(named.layer, named.variable.name)[1] for named in variables)
        self._named = Counter((str(one.seed), one.name) for one in found if isinstance(one, Initializer))

    def find(self, named: NamedTensor, kernel: Kernel | None) -> Block | None:
        """Return the block that replaces a variable's own blocks; None if the author did not fix it."""
        if self._singles_out and is_frozen(named):
            return Block(Leave(), FROZEN)
        argument, made = find_initializer(named.layer, named.variable.name)
        if isinstance(made, Initializer) and name_dtype(named.variable) in DTYPES:
            return self._take_over(named, kernel, made)
        if assigned := self._assignments.find(named):
            return assigned
        value = read_value(named.layer, named.variable.name) if kernel else None
        if value is not None:
            return Block(Constant(value), f"{name_initializer(made)}, its layer's {argument}, sets it.")
        if kernel is not None and made is None and find_kernel(named.layer, named.variable.name) is None:
            held = find_held(named)
            return None if held is None else Block(Constant(held), f"It was {held:g} everywhere.")
        return describe_fixed(named, argument, made)

    def _take_over(self, named: NamedTensor, kernel: Kernel | None, made: Initializer) -> Block:
        """Return the block of one of our initializers, with its seed and name unless tensors share these."""
        kind = type(made).__name__
        if kernel is not None and self._named[str(made.seed), made.name] > 1:
            known = drop_scheme({"layout": "keras", **kernel.layer})
            fields: LayerFields = {"activation": None, **known, **made.fields}
            reason = f"{kind} of its layer. Several have the name {made.name!r}: each gets that of its path."
            return Block(Draw(fields), reason)
        spec = made.specify(tuple(named.variable.shape), name_dtype(named.variable))
        reason = f"{kind} of its layer, by the name {made.name!r}."
        if int(made.seed) != self._seed:
            reason += f" Its seed is {made.seed}, not {self._seed}."
        return Block(PublishedDraw(spec, None), reason)


def describe_fixed(named: NamedTensor, argument: str, made: Any) -> Block | None:
    """Return the block of a variable whose initializer does not draw; None for other initializers."""
    values = None if made is None else compute_fixed(made, named)
    if values is None:
        return None
    said = f"{name_initializer(made)}, its layer's {argument}"
    if values.size and (values == values.flat[0]).all():
        return Block(Constant(float(values.flat[0])), f"{said}, sets it.")
    if np.array_equal(read_values(named), values):
        return Block(Leave(), f"{said}, gives its values.")
    return Block(Leave(), f"{said}, gave it other values than it has: these are kept.", certainty="guessed")


def compute_fixed(made: Any, named: NamedTensor) -> Any:
    """Return the values of an initializer that does not draw; None for one that draws.

    A custom initializer is called twice to find out.
    """
    is_own = type(made).__module__.startswith("keras.")
    if (is_own and not isinstance(made, FIXED)) or name_dtype(named.variable) not in DTYPES:
        return None
    if isinstance(made, keras.initializers.Constant) and not np.ndim(made.value):
        return None  # a constant: see read_value
    shape, dtype = tuple(named.variable.shape), name_dtype(named.variable)
    try:
        with keep_generators(), warnings.catch_warnings(action="ignore"):
            drawn = [made(shape, dtype=dtype) for _ in range(1 if is_own else 2)]
            values = [keras.ops.convert_to_numpy(tensor) for tensor in drawn]
    except Exception:  # noqa: BLE001 - code of the user's
        return None
    return values[0] if values[0].shape == shape and np.array_equal(values[0], values[-1]) else None


def is_trained(variables: Sequence[NamedTensor]) -> bool:
    """Return whether any variable of a model is trained."""
    return any(named.variable.trainable for named in variables)


def is_frozen(named: NamedTensor) -> bool:
    """Return whether a variable, or its layer, is not trained."""
    is_weight = find_initializer(named.layer, named.variable.name)[1] is not None
    counts = is_weight and not named.variable.name.startswith("moving_")
    return not named.layer.trainable or (counts and not named.variable.trainable)


def find_copies(variables: Sequence[NamedTensor]) -> dict[str, str]:
    """Return the paths of frozen variables that equal trained ones, with the latter's paths."""
    weights = [named for named in variables if name_dtype(named.variable) in DTYPES]
    trained: dict[tuple[object, ...], list[NamedTensor]] = defaultdict(list)
    for named in weights:
        if not is_frozen(named):
            trained[named.variable.name, tuple(named.variable.shape)].append(named)
    copies: dict[str, str] = {}
    for named in weights:
        alike = trained[named.variable.name, tuple(named.variable.shape)] if is_frozen(named) else []
        if not alike or find_held(named) is not None:
            continue
        held = read_values(named)
        equal = (other.path for other in alike if (read_values(other) == held).all())
        if (path := next(equal, None)) is not None:
            copies[named.path] = path
    return copies


def find_held(named: NamedTensor) -> float | None:
    """Return the value that all elements of a variable have; None if they differ."""
    held = read_values(named).ravel()
    return float(held[0]) if (held == held[:1]).all() else None


def describe_unused(named: NamedTensor) -> str:
    """Return a sentence on the author's initializer, which is not used; "" for the layer's default."""
    argument, made = find_initializer(named.layer, named.variable.name)
    if made is None or _spell(made) == find_default(named.layer.__class__, argument):
        return ""
    return f"Its layer's {argument}, {name_initializer(made)}, is not used."


def guess(inference: Inference, why: str) -> Inference:
    """Return an inference with the certainty "guessed" instead of "certain", for a reason."""
    if inference.parts:
        parts = {name: (length, guess(part, why)) for name, (length, part) in inference.parts.items()}
        return replace(inference, parts=parts)
    certainty = "guessed" if inference.certainty == "certain" else inference.certainty
    return replace(inference, certainty=certainty, reason=f"{inference.reason} {why}")


@lru_cache
def find_default(kind: type, argument: str) -> Any:
    """Return the default initializer of a Keras class for an argument, as `_spell` describes it."""
    for one in kind.__mro__:
        if one.__module__.startswith("keras."):
            parameter = inspect.signature(one).parameters.get(argument)
            if parameter is not None and parameter.default is not parameter.empty:
                return _spell(keras.initializers.get(parameter.default))
    return None


def _spell(made: Any) -> Any:
    """Return a comparable description of an initializer, without its seed."""
    if made is None:
        return None
    if not hasattr(made, "get_config"):
        return made
    config = {key: value for key, value in made.get_config().items() if key != "seed"}
    return type(made).__name__, repr(sorted(config.items()))
