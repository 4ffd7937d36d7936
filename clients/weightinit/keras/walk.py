"""List the variables of a model, under paths that do not depend on what was built before."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from weightinit.adapters.rules import ModelRejected
from weightinit.keras.layers import Layer, Variable, is_known

# Keras names an unnamed layer by its type and a number; Bidirectional adds a prefix.
NUMBER = re.compile(r"_[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A variable, the layer that it belongs to, and its path."""

    path: str
    layer: Layer
    variable: Variable


def walk_variables(root: Layer) -> list[NamedTensor]:
    """Return the variables of a model, each once, with paths that depend only on the model.

    Keras numbers unnamed layers across the whole process. Here each model, and each layer with layers inside,
    has its own counters: the first Dense is `dense`, whatever was built before. Raises ModelRejected for a
    layer that is not built, and if two variables have the same path.
    """
    places = list(_walk(root, "", set()))
    for path, count in Counter(place.path for place in places).items():
        if count > 1:
            raise ModelRejected(
                f"{count} variables have the path {path!r}: give their layers different names"
            )
    return places


def _walk(layer: Layer, prefix: str, seen: set[int]) -> Iterator[NamedTensor]:
    if is_known(layer) and not layer.built:
        raise ModelRejected(f"layer {layer.name!r} has no variables yet: build the model, or call it once")
    for child, called in _name_children(layer):
        yield from _walk(child, f"{prefix}{called}/", seen)
    for variable in layer.weights:
        if id(variable) not in seen:
            seen.add(id(variable))
            yield NamedTensor(prefix + variable.name, layer, variable)


def walk_layers(root: Layer, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Yield a model and the layers inside it, with the same paths."""
    yield prefix.removesuffix("/"), root
    for child, called in _name_children(root):
        yield from walk_layers(child, f"{prefix}{called}/")


def _name_children(layer: Layer) -> Iterator[tuple[Layer, str]]:
    counts: Counter[str] = Counter()
    for child in layer._flatten_layers(include_self=False, recursive=False):  # noqa: SLF001 - no public way
        base = NUMBER.sub("", child.name)
        kind = base.removeprefix("forward_").removeprefix("backward_").replace("_", "")
        if kind != type(child).__name__.lower():
            yield child, child.name
        else:
            yield child, f"{base}_{counts[base]}" if counts[base] else base
            counts[base] += 1


def name_dtype(variable: Variable) -> str:
    """Return the name of a variable's dtype."""
    return str(variable.dtype)


def read_values(named: NamedTensor) -> Any:
    """Return a variable's values as a NumPy array."""
    return keras.ops.convert_to_numpy(named.variable.value)
