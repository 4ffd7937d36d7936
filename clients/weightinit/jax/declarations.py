"""Declarations: the shapes that layers have for their own kernels, where those of a model are stacked."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from jax.tree_util import tree_flatten_with_path

from weightinit.jax.tracing.uses import Use
from weightinit.jax.walk import PyTree, name_path

Module = Any  # of Flax, Equinox or Haiku
Shape = tuple[int, ...]

AMBIGUOUS = "One of its axes may be of stacked kernels or of outputs, which a product does not show."


@dataclass(frozen=True, slots=True)
class Declaration:
    """The shape that a layer has for a kernel. `is_own` says that the library defines its axes."""

    shape: Shape
    is_own: bool = False


@dataclass(slots=True)
class Declarations:
    """What the layers of a model declare, by the paths of their kernels, or by the ends of these."""

    known: dict[str, set[Declaration]] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, Declaration]]) -> Self:
        """Make the declarations of paths."""
        made = cls()
        for path, declaration in pairs:
            made.add(path, declaration)
        return made

    def add(self, path: str, declaration: Declaration) -> None:
        """Add what a layer declares: where a lifted one calls itself, the innermost counts."""
        found = self.known.setdefault(path, set())
        if all(len(one.shape) > len(declaration.shape) for one in found):
            found.clear()
        if all(len(one.shape) >= len(declaration.shape) for one in found):
            found.add(declaration)

    def find(self, path: str) -> Declaration | None:
        """Find what is declared for a leaf: by the longest end of its path; None where two disagree."""
        parts = path.split("/")
        ends = ("/".join(parts[first:]) for first in range(len(parts)))
        found = next((self.known[end] for end in ends if end in self.known), set[Declaration]())
        return next(iter(found)) if len(found) == 1 else None

    def settle(self, path: str, use: Use, shape: Shape) -> tuple[Use, str]:
        """Settle which axes of a kernel are of stacked ones; with the doubt that is left, if any.

        A product with an input that the kernels of a stack share shows their axis as one of outputs. Where
        nothing is declared, it is taken for that of a stack in front of the inputs, and for outputs behind.
        """
        letters, declared = use.layout, self.find(path)
        if declared is not None and (stacked := find_stacked(shape, declared.shape, letters)) is not None:
            letters = "".join("B" if axis in stacked else letter for axis, letter in enumerate(letters))
            if declared.is_own:
                return replace(use, layout=letters), use.doubt
        if letters.count("O") < 2:
            return replace(use, layout=letters), use.doubt
        first = letters.index("O")
        if "I" in letters[first:]:
            letters = letters[:first] + "B" + letters[first + 1 :]
        return replace(use, layout=letters), f"{AMBIGUOUS} {use.doubt}".strip()


def find_stacked(shape: Shape, inner: Shape, letters: str) -> tuple[int, ...] | None:
    """Find the axes of a stack: without them the shape is that of one kernel. None where that cannot be.

    >>> find_stacked((12, 5, 7), (5, 7), "OIO"), find_stacked((5, 5, 7), (5, 7), "IOO")
    ((0,), (1,))
    """
    count = len(shape) - len(inner)
    if count < 0:
        return None
    for axes in itertools.combinations(range(len(shape)), count):
        rest = tuple(length for axis, length in enumerate(shape) if axis not in axes)
        if rest == tuple(inner) and not any(letters[axis] == "I" for axis in axes):
            return axes
    return None


# --- where layers say it --------------------------------------------------------------------------


def read_nnx(modules: Mapping[str, Module]) -> Iterator[tuple[str, Declaration]]:
    """Read the shapes that layers of NNX declare, by the paths of their kernels."""
    for path, module in modules.items():
        if shape := read_kernel_shape(module):
            yield f"{path}/kernel".lstrip("/"), Declaration(shape, is_own(module))


def read_kernel_shape(module: Module) -> Shape:
    """Read the shape of the kernel that a layer of NNX declares; () where it declares none."""
    found = getattr(module, "kernel_shape", None)
    inputs, outputs = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if found is None and inputs is not None and outputs is not None:
        batch = tuple(getattr(module, "batch_axis", {}).values())
        found = (*batch, *(inputs if isinstance(inputs, tuple) else (inputs,)))
        found = (*found, *(outputs if isinstance(outputs, tuple) else (outputs,)))
    return tuple(found or ())


def read_equinox(model: PyTree) -> Iterator[tuple[str, Declaration]]:
    """Read the shapes that layers of Equinox declare, in fields that stay the same in a stack."""
    for path, module in tree_flatten_with_path(model, is_leaf=lambda node: bool(dict(list_equinox(node))))[0]:
        for name, shape in list_equinox(module):
            yield "/".join(filter(None, [name_path(path), name])), Declaration(shape, is_own(module))


def list_equinox(module: Module) -> Iterator[tuple[str, Shape]]:
    """List the kernels of a layer of Equinox, each with its shape."""
    if not type(module).__module__.startswith("equinox."):
        return
    said = {name: getattr(module, name, None) for name in ("in_features", "in_channels", "input_size")}
    if isinstance(said["in_features"], int | str):
        ends = (module.out_features, module.in_features)
        yield "weight", tuple(1 if end == "scalar" else end for end in ends)
    elif isinstance(said["in_channels"], int) and hasattr(module, "groups"):
        inputs = module.in_channels // module.groups
        yield "weight", (module.out_channels, inputs, *module.kernel_size)
    elif isinstance(said["input_size"], int) and hasattr(module, "weight_hh"):
        gates = 4 if type(module).__name__ == "LSTMCell" else 3
        yield "weight_ih", (gates * module.hidden_size, module.input_size)
        yield "weight_hh", (gates * module.hidden_size, module.hidden_size)


@contextmanager
def watch(declarations: Declarations) -> Iterator[None]:
    """Watch the modules of Linen and Haiku while they are traced: inside of vmap and scan each sees its own.

    What they have there is the kernel of one of stacked layers.
    """
    linen, haiku = sys.modules.get("flax.linen"), sys.modules.get("haiku")

    def watch_linen(call: Callable[..., Any], args: Any, keywords: Any, context: Any) -> Any:  # noqa: ANN401
        result = call(*args, **keywords)
        module = context.module
        for name, value in module.variables.get("params", {}).items() if module.scope else ():
            if not isinstance(value, Mapping) and hasattr(leaf := getattr(value, "value", value), "shape"):
                path, declaration = (*module.path, name), Declaration(tuple(leaf.shape), is_own(module))
                declarations.add("/".join(("params", *path)), declaration)
                if module.path:  # a function may apply modules to parameters from anywhere in a tree
                    declarations.add("/".join(path), declaration)
        return result

    def watch_haiku(call: Callable[..., Any], args: Any, keywords: Any, context: Any) -> Any:  # noqa: ANN401
        result = call(*args, **keywords)
        is_asked = context.method_name == "params_dict"  # by this function
        for path, leaf in () if is_asked else context.module.params_dict().items():
            if path.rpartition("/")[0] == context.module.module_name:  # and not of a module inside
                declarations.add(path, Declaration(tuple(leaf.shape), is_own(context.module)))
        return result

    with ExitStack() as stack:
        if linen is not None:
            stack.enter_context(linen.intercept_methods(watch_linen))
        if haiku is not None:
            stack.enter_context(haiku.intercept_methods(watch_haiku))
        yield


def is_own(module: Module) -> bool:
    """Return whether a library's own layer says what its axes are; an Einsum of Flax does not."""
    kind = type(module)
    return kind.__module__.startswith(("flax.", "equinox.", "haiku.")) and kind.__name__ != "Einsum"
