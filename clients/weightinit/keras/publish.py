"""Publishing: a Keras model and a seed as a model that everybody can initialize from."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from numbers import Real
from typing import Unpack

import keras
from keras import layers

from weightinit import Client, Spec, default_client
from weightinit.adapters.actions import Constant, Leave
from weightinit.adapters.plan import PlannedTensor, Rename, read_seed
from weightinit.adapters.rules import ModelRejected, Rules
from weightinit.keras.layers import Layer, find_kernel
from weightinit.keras.plan import plan_variables
from weightinit.keras.walk import NamedTensor
from weightinit.models import Model, Part, Publication, TensorSpec
from weightinit.models.names import Naming
from weightinit.spec.dtypes import INTEGERS, TENSOR_DTYPES, find_range
from weightinit.spec.layouts import write_out

# Keras' initializers of one value, and the value of each.
VALUES: Mapping[type, object] = {keras.initializers.Zeros: 0.0, keras.initializers.Ones: 1.0}
# Variables whose layer has no initializer to read.
FIXED: Mapping[type, Mapping[str, float]] = {layers.RMSNormalization: {"scale": 1.0}}


def find_constant(place: NamedTensor) -> list[Part]:
    """Return the parts of a variable of one value, or of one for each gate; [] for any other."""
    shape = tuple(place.variable.shape)
    value = read_value(place.layer, place.variable.name)
    if value is None:
        return []
    is_gated = isinstance(place.layer, layers.LSTMCell) and place.layer.unit_forget_bias
    if is_gated and place.variable.name == "bias":
        return fill_gates(value, shape[0] // 4)
    return [Part.constant(shape, value)]


def read_value(layer: Layer, variable: str) -> float | None:
    """Read the value that a layer's initializer gives a variable everywhere; None where it gives another."""
    for kind, row in FIXED.items():
        if isinstance(layer, kind) and variable in row:
            return row[variable]
    made = getattr(layer, f"{variable}_initializer", None)
    value = made.value if isinstance(made, keras.initializers.Constant) else VALUES.get(type(made))
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return float(value)


def fill_gates(value: float, units: int) -> list[Part]:
    """Fill the biases of an LSTM: one for the forget gate (Jozefowicz et al. 2015, section 2.2)."""
    return [Part.constant(units, value), Part.constant(units, 1.0), Part.constant(2 * units, value)]


def publish(
    model: Layer,
    seed: int | str,
    *,
    rules: Rules | None = None,
    rename: Rename = str,
    client: Client | None = None,
    **naming: Unpack[Naming],
) -> Publication:
    """Publish how `initialize` initializes a built model from a seed, and what Keras sets to one value.

    The tensors are the variables, under their paths and in Keras' order of axes; each gate of a recurrent
    kernel is one. `name`, `author` and `note` are those of Client.publish, the rest those of `initialize`.

    Raises ModelRejected, which lists the variables that nothing says how to initialize.
    """
    number = read_seed(seed)
    tensors: list[TensorSpec] = []
    problems: list[str] = []
    for _, group in groupby(plan_variables(model, rules), key=lambda tensor: id(tensor.target)):
        blocks = list(group)
        try:
            tensors += describe_variable(blocks, number, rename)
        except ModelRejected as error:
            problems.append(f"{blocks[0].target.path} {error}")
    if problems:
        raise ModelRejected(f"these cannot be published: {'; '.join(problems)}")
    return (client or default_client()).publish(Model(number, tuple(tensors)), **naming)


def describe_variable(blocks: Sequence[PlannedTensor], seed: int, rename: Rename) -> list[TensorSpec]:
    """Describe a variable: as one tensor, as one for each gate, or as none if it is integers of many values.

    Raises ModelRejected.
    """
    named, dtype, action = blocks[0].target, blocks[0].dtype, blocks[0].action
    shape = tuple(named.variable.shape)
    if dtype not in TENSOR_DTYPES:
        return []
    if 0 in shape:
        return [TensorSpec.of(rename(named.path), Part.constant(shape, 0), dtype=dtype)]
    if dtype in INTEGERS and isinstance(action, Leave):
        value = None if action.by_rule else find_integer(named, dtype)
        return (
            []
            if value is None
            else [TensorSpec.of(rename(named.path), Part.constant(shape, value), dtype=dtype)]
        )
    specs = [block.make_spec(seed, rename) for block in blocks]
    for spec in specs:
        if spec:
            check_layout(named, spec)
    if any(specs):
        return [
            TensorSpec.of(rename(block.name), find_part(block, spec), dtype=dtype)
            for block, spec in zip(blocks, specs, strict=True)
        ]
    return [TensorSpec.of(rename(named.path), *find_parts(blocks[0]), dtype=dtype)]


def find_integer(named: NamedTensor, dtype: str) -> float | None:
    """Find the one value of a variable of integers, such as a counter; None where it has more.

    What may be the state of a random generator has none, whatever it is.
    """
    if dtype == "uint32" and tuple(named.variable.shape) == (2,):
        return None
    held, limits = keras.ops.convert_to_numpy(named.variable.value), find_range(dtype)
    value = float(held.flat[0])
    is_known = bool((held == held.flat[0]).all()) and limits and limits[0] <= value <= limits[1]
    return value if is_known else None


def find_part(block: PlannedTensor, spec: Spec | None) -> Part:
    """Find the part that a block is. Raises ModelRejected for one that is left as it is."""
    if spec:
        return Part.of(spec)
    if isinstance(block.action, Constant):
        return Part.constant(block.shape, block.action.value)
    raise ModelRejected("is left alone by a rule")


def find_parts(planned: PlannedTensor) -> list[Part]:
    """Find the parts of a variable that is no kernel. Raises ModelRejected where no value is known."""
    named, action = planned.target, planned.action
    shape = planned.shape
    if isinstance(action, Constant):
        return [Part.constant(shape, action.value)]
    if isinstance(action, Leave) and action.by_rule:
        raise ModelRejected("is left alone by a rule")
    parts = find_constant(named)
    if not parts:
        kind = type(named.layer).__name__
        raise ModelRejected(f"{list(shape)} of {kind} has no known initial value: say it in rules")
    return parts


def check_layout(place: NamedTensor, spec: Spec) -> None:
    """Check that a kernel has its layer's axes: whoever initializes from it takes them for these.

    Raises ModelRejected.
    """
    kernel = find_kernel(place.layer, place.variable.name)
    layout, rank = write_out(spec.layout, len(spec.shape)), len(spec.shape)
    own = write_out(kernel.layer.get("layout", "keras"), rank) if kernel else layout
    if layout != own:
        raise ModelRejected(f"has the axes {own} and not {layout}: say its fans instead")
