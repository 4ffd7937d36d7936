"""Following: which activation a layer's outputs go through, in its own arguments or in the model's graph."""

from collections import defaultdict
from collections.abc import Iterator

import keras

from weightinit.keras.layers import Activation, Layer, Operation, Tensor

# The names of keras.activations, and those that Keras has as layers alone.
ACTIVATIONS = frozenset(
    name.replace("_", "") for name in dir(keras.activations) if not name.startswith("_")
) - {"get", "serialize", "deserialize", "linear"} | {"activation", "prelu"}
# What moves, scales, thins out or adds up a signal keeps what is around zero around zero.
PASSING = (
    "cropping",
    "dropout",
    "flatten",
    "identity",
    "norm",
    "padding",
    "permute",
    "pool",
    "reshape",
    "upsampl",
)
MERGING = frozenset(["add", "average", "concatenate", "subtract"])


class Graph:
    """The graph of a model, as far as it is symbolic: Sequential and functional models, and those inside."""

    def __init__(self, model: Layer) -> None:
        self._users: dict[int, list[Operation]] = defaultdict(list)
        for operation in _collect_operations(model):
            for tensor in _read_tensors(operation, "input"):
                self._users[id(tensor)].append(operation)

    def find_activation(self, layer: Layer) -> str | None:
        """Find the activation that follows a layer: its own, or the first on all paths from it."""
        own = name_activation(getattr(layer, "activation", None))
        if own is not None:
            return own
        found = set(self._follow(layer, set()))
        return found.pop() if len(found) == 1 else None

    def _follow(self, operation: Operation, seen: set[int]) -> Iterator[str | None]:
        for tensor in _read_tensors(operation, "output"):
            for user in self._users[id(tensor)]:
                kind = fold(type(user).__name__)
                if kind in ACTIVATIONS:
                    yield name_activation(user)
                elif kind not in MERGING and not any(part in kind for part in PASSING):
                    yield None
                elif id(user) not in seen:
                    seen.add(id(user))
                    yield from self._follow(user, seen)


def name_activation(activation: Activation) -> str | None:
    """Name an activation: a function, or a layer that is one. None for none, and for the linear one.

    >>> name_activation(keras.layers.LeakyReLU()), name_activation(keras.activations.leaky_relu)
    ('leakyrelu', 'leakyrelu')
    """
    if isinstance(activation, keras.layers.Activation):
        activation = activation.activation
    if activation is None or activation is keras.activations.linear:
        return None
    return fold(getattr(activation, "__name__", type(activation).__name__))


def fold(name: str) -> str:
    """Fold a name, so that classes and functions have the same. The service knows activations by it."""
    return name.lower().replace("_", "")


def _collect_operations(model: Layer) -> list[Operation]:
    """Collect the layers of a model, and what functional models inside it do without layers."""
    layers = model._flatten_layers()  # noqa: SLF001 - no public way
    found = {id(step): step for layer in layers for step in [layer, *getattr(layer, "operations", ())]}
    return list(found.values())


def _read_tensors(operation: Operation, side: str) -> list[Tensor]:
    """Read the symbolic inputs or outputs of an operation: none if it has none, or was used several times."""
    try:
        return list(keras.tree.flatten(getattr(operation, side)))
    except (AttributeError, ValueError):
        return []
