"""Chosen: the initializers that the layers of a model were made with, and which of them are defaults."""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from weightinit.jax.initializers import Initializer, recall
from weightinit.jax.walk import Leaf, is_abstract

Made = Any  # an initializer, or a number

# Where an argument of a layer ends so, it initializes the parameter that the rest of it names.
SUFFIX = "_init"
# The functions of jax.nn.initializers that give one value.
UNIFORM = frozenset(["zeros", "ones", "constant.<locals>.init"])


@dataclass(frozen=True, slots=True)
class Layer:
    """A module of Flax: its class, and the initializers that it was made with, by argument."""

    kind: type
    initializers: Mapping[str, Made]


@dataclass(frozen=True, slots=True)
class Choice:
    """The initializer of a parameter, and the argument of its layer that has it: `flattened` before it calls.

    `is_default` says that a library made that choice, and not the author of the model.
    """

    argument: str
    made: Made
    is_default: bool = False
    flattened: bool = False

    @property
    def name(self) -> str:
        """What the initializer is called."""
        if isinstance(self.made, int | float):
            return f"{self.made:g}"
        own = getattr(self.made, "__qualname__", type(self.made).__name__)
        return str(own).split(".<locals>", maxsplit=1)[0]

    def read_value(self) -> float | None:
        """Read the one value that the initializer gives; None where it draws, or gives several."""
        if isinstance(self.made, int | float):
            return float(self.made)
        made = inspect.unwrap(self.made) if callable(self.made) else self.made
        own, room = getattr(made, "__qualname__", ""), getattr(made, "__module__", None) or ""
        if own not in UNIFORM or not room.startswith("jax."):
            return None
        held = inspect.getclosurevars(made).nonlocals.get("value", float(own == "ones"))
        return float(held) if np.ndim(held) == 0 else None


@dataclass(slots=True)
class Choices:
    """The layers of a model by their paths, as far as these were seen."""

    layers: dict[str, Layer] = field(default_factory=dict)

    def add(self, path: str, module: Any) -> None:  # noqa: ANN401 - of NNX or Linen
        """Add a module."""
        names = [one.name for one in dataclasses.fields(module)] if dataclasses.is_dataclass(module) else []
        values = {name: getattr(module, name, None) for name in names} or vars(module)
        found = {name: made for name, made in values.items() if name.endswith(SUFFIX) and made is not None}
        self.layers[path] = Layer(type(module), found)

    def find(self, path: str, leaf: Leaf) -> Choice | None:
        """Find the initializer of a leaf; None where it is not seen."""
        owner, _, name = path.rpartition("/")
        owners = [owner, owner.removeprefix("params").lstrip("/")]
        layers = [self.layers[one] for one in owners if one in self.layers]
        argument = f"{name}{SUFFIX}"
        for layer in layers:
            flattened = any(kind.__name__ in {"LinearGeneral", "DenseGeneral"} for kind in layer.kind.__mro__)
            if (made := layer.initializers.get(argument)) is not None:
                made = inspect.unwrap(made) if callable(made) else made
                return Choice(argument, made, self._is_default(owners, made), flattened)
        # Layers of NNX do not keep theirs; what it gave them can still be told.
        remembered = None if is_abstract(leaf) else recall(leaf)
        if remembered is not None:
            return Choice(argument, remembered)
        default = next(map(find_number, [layer.kind for layer in layers], [argument] * len(layers)), None)
        return None if default is None else Choice(argument, default, is_default=True)

    def _is_default(self, owners: list[str], made: Made) -> bool:
        """Return whether a layer, or one that it is a part of, has an initializer by default."""
        for owner in owners:
            parts = owner.split("/")
            ends = ["/".join(parts[:stop]) for stop in range(len(parts), 0, -1)] + [""]
            kinds = [self.layers[end].kind for end in ends if end in self.layers]
            if any(spell(made) == spell(default) for kind in kinds for default in list_defaults(kind)):
                return True
        return False


def list_defaults(kind: type) -> Iterator[Made]:
    """List the initializers that a class of Flax has by default."""
    for name, parameter in list_arguments(kind):
        if name.endswith(SUFFIX) and parameter.default not in {parameter.empty, None}:
            yield parameter.default


def list_arguments(kind: type) -> Iterator[tuple[str, inspect.Parameter]]:
    """List the arguments that a class is made with, as far as Flax says them."""
    for one in kind.__mro__:
        if one.__module__.startswith("flax.") and "__init__" in vars(one):
            yield from inspect.signature(vars(one)["__init__"]).parameters.items()


def find_number(kind: type, argument: str) -> float | None:
    """Find the number that a class of Flax has by default, as a PReLU has; None where it is none."""
    found = (parameter.default for name, parameter in list_arguments(kind) if name == argument)
    default = next(found, None)
    return float(default) if isinstance(default, int | float) else None


def spell(made: Made) -> object:
    """Spell an initializer: two that are made alike are spelled alike."""
    if not inspect.isfunction(made):
        return made if isinstance(made, int | float | Initializer) else id(made)
    held = inspect.getclosurevars(made).nonlocals
    return made.__module__, made.__qualname__, repr(sorted(held.items()))


@contextmanager
def watch(choices: Choices) -> Iterator[None]:
    """Watch the modules of Linen while they are traced: they are made anew by each call."""
    linen = sys.modules.get("flax.linen")

    def note(call: Callable[..., Any], args: Any, keywords: Any, context: Any) -> Any:  # noqa: ANN401
        if context.module.scope is not None:
            choices.add("/".join(context.module.path), context.module)
        return call(*args, **keywords)

    with nullcontext() if linen is None else linen.intercept_methods(note):
        yield
