"""Publishing: a Keras model and a seed as a model that everybody can start from."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from numbers import Real
from typing import Unpack

import keras
from keras import layers

from weightinit import Client, Spec, default_client
from weightinit.adapters.rules import ModelRejected, find_value
from weightinit.keras.initialize import Start, name_dtype, plan_model
from weightinit.keras.layers import find_kernel
from weightinit.keras.types import Layer
from weightinit.keras.walk import NamedTensor
from weightinit.models import Model, Part, Publication, TensorSpec
from weightinit.models.names import Naming
from weightinit.spec.dtypes import DTYPES
from weightinit.spec.layer import LayerFields
from weightinit.spec.layouts import write_out

# Keras' initializers of one value, and the value of each.
VALUES: Mapping[type, object] = {keras.initializers.Zeros: 0.0, keras.initializers.Ones: 1.0}
# Variables whose layer has no initializer to read.
FIXED: Mapping[type, Mapping[str, float]] = {layers.RMSNormalization: {"scale": 1.0}}


def find_constant(place: NamedTensor) -> list[Part]:
    """Find the parts of a variable that starts at one value, or at one for each gate; [] for any other."""
    shape = tuple(place.variable.shape) or (1,)
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
    """Fill the biases of an LSTM: the forget gate's start at one (Jozefowicz et al. 2015, section 2.2)."""
    return [Part.constant(units, value), Part.constant(units, 1.0), Part.constant(2 * units, value)]


# What is said of a variable: the keywords of a layer, or the value that it starts at.
Rule = LayerFields | float | None


def publish(
    model: Layer,
    seed: int | str,
    *,
    rules: Mapping[str, Rule] | None = None,
    rename: Callable[[str], str] = str,
    client: Client | None = None,
    **naming: Unpack[Naming],
) -> Publication:
    """Publish how `initialize` would start a built model from a seed, and what Keras starts at one value.

    The tensors are the variables, under their paths and in Keras' order of axes; each gate of a recurrent
    kernel is one. `name`, `author` and `note` are those of Client.publish, the rest those of `initialize`,
    whose `name` is called `rename` here. A rule may also be a number, which a variable then starts at.

    Raises ModelRejected, which lists the variables of which nobody knows how they start.
    """
    said = rules or {}
    kernels = {glob: None if isinstance(rule, int | float) else rule for glob, rule in said.items()}
    tensors: list[TensorSpec] = []
    problems: list[str] = []
    for start in plan_model(model, seed, kernels):
        try:
            tensors += describe_start(start, find_value(said, start.place.path, LayerFields()), rename)
        except ModelRejected as error:
            problems.append(f"{start.place.path} {error}")
    if problems:
        raise ModelRejected(f"these cannot be published: {'; '.join(problems)}")
    published = Model(seed, tuple(tensors))  # type: ignore[arg-type]  # decimal text is read there
    return (client or default_client()).publish(published, **naming)


def describe_start(start: Start, rule: Rule, rename: Callable[[str], str]) -> list[TensorSpec]:
    """Describe how a variable starts: as one tensor, as one for each gate, or as none where it is no weight.

    Raises ModelRejected.
    """
    place, dtype = start.place, name_dtype(start.place.variable)
    drawn = {rename(path): spec for path, spec in start.parts.items() if spec}
    for spec in drawn.values():
        check_layout(place, spec)
    if drawn:
        return [TensorSpec.of(name, Part.of(replace(spec, name=name))) for name, spec in drawn.items()]
    if dtype not in DTYPES:
        return []
    return [TensorSpec.of(rename(place.path), *find_parts(place, rule), dtype=dtype)]


def find_parts(place: NamedTensor, rule: Rule) -> list[Part]:
    """Find the parts of a variable that is no kernel. Raises ModelRejected where no value is known."""
    if rule is None:
        raise ModelRejected("is left alone by a rule")
    shape = tuple(place.variable.shape) or (1,)
    parts = [Part.constant(shape, rule)] if isinstance(rule, int | float) else find_constant(place)
    if not parts:
        raise ModelRejected(
            f"{list(shape)} of {type(place.layer).__name__} starts at no known value: say it in rules"
        )
    return parts


def check_layout(place: NamedTensor, spec: Spec) -> None:
    """Check that a kernel has its layer's axes: whoever starts from it takes them for these.

    Raises ModelRejected.
    """
    kernel = find_kernel(place.layer, place.variable.name)
    layout, rank = write_out(spec.layout, len(spec.shape)), len(spec.shape)
    own = write_out(kernel.layer.get("layout", "keras"), rank) if kernel else layout
    if layout != own:
        raise ModelRejected(f"has the axes {own} and not {layout}: say its fans instead")
