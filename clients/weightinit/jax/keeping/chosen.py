"""Find the initializer of each parameter in a model's layers, and whether it is the library's default."""

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

# The suffix of an argument that initializes the parameter named by the rest.
SUFFIX = "_init"
# The constant functions of jax.nn.initializers.
UNIFORM = frozenset(["zeros", "ones", "constant.<locals>.init"])


@dataclass(frozen=True, slots=True)
class Layer:
    """A Flax module: its class, and the initializers that it was created with, by argument."""

    kind: type
    initializers: Mapping[str, Made]


@dataclass(frozen=True, slots=True)
class Choice:
    """The initializer of a parameter and the argument of its layer.

    `is_default` if the library chose it rather than the model's author; `flattened` if the layer flattens the
    shape before it calls the initializer.
    """

    argument: str
    made: Made
    is_default: bool = False
    flattened: bool = False

    @property
    def name(self) -> str:
        """The name of the initializer."""
        if isinstance(self.made, int | float):
            return f"{self.made:g}"
        own = getattr(self.made, "__qualname__", type(self.made).__name__)
        return str(own).split(".<locals>", maxsplit=1)[0]

    def read_value(self) -> float | None:
        """Return the constant that the initializer gives; None if it draws or gives several values."""
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
    """The layers of a model by path, as far as they are known."""

    layers: dict[str, Layer] = field(default_factory=dict)

    def add(self, path: str, module: Any) -> None:  # noqa: ANN401 - of NNX or Linen
        """Add a module."""
        names = [one.name for one in dataclasses.fields(module)] if dataclasses.is_dataclass(module) else []
        values = {name: getattr(module, name, None) for name in names} or vars(module)
        found = {name: made for name, made in values.items() if name.endswith(SUFFIX) and made is not None}
        self.layers[path] = Layer(type(module), found)

    def find(self, path: str, leaf: Leaf) -> Choice | None:
        """Return the initializer of a leaf; None if it is unknown."""
        owner, _, name = path.rpartition("/")
        owners = [owner, owner.removeprefix("params").lstrip("/")]
        layers = [self.layers[one] for one in owners if one in self.layers]
        argument = f"{name}{SUFFIX}"
        for layer in layers:
            flattened = any(kind.__name__ in {"LinearGeneral", "DenseGeneral"} for kind in layer.kind.__mro__)
            if (made := layer.initializers.get(argument)) is not None:
                made = inspect.unwrap(made) if callable(made) else made
                return Choice(argument, made, self._is_default(owners, made), flattened)
        # NNX layers do not keep their initializers; ours are recognized by the values.
        remembered = None if is_abstract(leaf) else recall(leaf)
        if remembered is not None:
            return Choice(argument, remembered)
        default = next(map(find_number, [layer.kind for layer in layers], [argument] * len(layers)), None)
        return None if default is None else Choice(argument, default, is_default=True)

    def _is_default(self, owners: list[str], made: Made) -> bool:
        """Return whether a layer, or a layer around it, has an initializer as a default."""
        for owner in owners:
            parts = owner.split("/")
            ends = ["/".join(parts[:stop]) for stop in range(len(parts), 0, -1)] + [""]
            kinds = [self.layers[end].kind for end in ends if end in self.layers]
            if any(spell(made) == spell(default) for kind in kinds for default in list_defaults(kind)):
                return True
        return False


def list_defaults(kind: type) -> Iterator[Made]:
    """Yield the default initializers of a Flax class."""
    for name, parameter in list_arguments(kind):
        if name.endswith(SUFFIX) and parameter.default not in {parameter.empty, None}:
            yield parameter.default


def list_arguments(kind: type) -> Iterator[tuple[str, inspect.Parameter]]:
    """Yield the arguments of a class's constructor that Flax defines."""
    for one in kind.__mro__:
        if one.__module__.startswith("flax.") and "__init__" in vars(one):
            yield from inspect.signature(vars(one)["__init__"]).parameters.items()


def find_number(kind: type, argument: str) -> float | None:
    """Return the default number of an argument of a Flax class, as in PReLU; None if it is not a number."""
    found = (parameter.default for name, parameter in list_arguments(kind) if name == argument)
    default = next(found, None)
    return float(default) if isinstance(default, int | float) else None


def spell(made: Made) -> object:
    """Return a description of an initializer, equal for initializers created with equal arguments."""
    if not inspect.isfunction(made):
        return made if isinstance(made, int | float | Initializer) else id(made)
    held = inspect.getclosurevars(made).nonlocals
    return made.__module__, made.__qualname__, repr(sorted(held.items()))


@contextmanager
def watch(choices: Choices) -> Iterator[None]:
    """Record the Linen modules that are called within a block; each call creates them anew."""
    linen = sys.modules.get("flax.linen")

    def note(call: Callable[..., Any], args: Any, keywords: Any, context: Any) -> Any:  # noqa: ANN401
        if context.module.scope is not None:
            choices.add("/".join(context.module.path), context.module)
        return call(*args, **keywords)

    with nullcontext() if linen is None else linen.intercept_methods(note):
        yield
