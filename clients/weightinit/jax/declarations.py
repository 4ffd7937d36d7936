"""Read the kernel shapes that layers declare, to recognize the axes of stacked kernels.

A leaf may hold the kernels of several equal layers (vmap, scan). A declaration is the shape of one of them.
"""

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
    """The declared shape of a kernel. `is_own` if the library defines the meaning of its axes."""

    shape: Shape
    is_own: bool = False


@dataclass(slots=True)
class Declarations:
    """The declarations of a model's layers, by the paths of their kernels or by the ends of paths."""

    known: dict[str, set[Declaration]] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, Declaration]]) -> Self:
        """Return the declarations for pairs of path and declaration."""
        made = cls()
        for path, declaration in pairs:
            made.add(path, declaration)
        return made

    def add(self, path: str, declaration: Declaration) -> None:
        """Add a declaration; of nested calls of a lifted layer, the innermost counts."""
        found = self.known.setdefault(path, set())
        if all(len(one.shape) > len(declaration.shape) for one in found):
            found.clear()
        if all(len(one.shape) >= len(declaration.shape) for one in found):
            found.add(declaration)

    def find(self, path: str) -> Declaration | None:
        """Return the declaration for a leaf, by the longest matching end of its path; None if two differ."""
        parts = path.split("/")
        ends = ("/".join(parts[first:]) for first in range(len(parts)))
        found = next((self.known[end] for end in ends if end in self.known), set[Declaration]())
        return next(iter(found)) if len(found) == 1 else None

    def settle(self, path: str, use: Use, shape: Shape) -> tuple[Use, str]:
        """Return a kernel's use with the axes of stacked kernels marked B, and a doubt about them or "".

        In a product with an input that all kernels of a stack share, their axis looks like one of outputs.
        Without a declaration, it is assumed to be of a stack if it is in front of the inputs, and of outputs
        otherwise.
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
    """Return the axes of a stack, without which a shape is that of one kernel; None if there are none such.

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


# --- declarations of each library ----------------------------------------------------------------


def read_nnx(modules: Mapping[str, Module]) -> Iterator[tuple[str, Declaration]]:
    """Yield the kernel shapes that NNX layers declare, with the paths of the kernels."""
    for path, module in modules.items():
        if shape := read_kernel_shape(module):
            yield f"{path}/kernel".lstrip("/"), Declaration(shape, is_own(module))


def read_kernel_shape(module: Module) -> Shape:
    """Return the kernel shape that an NNX layer declares; () if it declares none."""
    found = getattr(module, "kernel_shape", None)
    inputs, outputs = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if found is None and inputs is not None and outputs is not None:
        batch = tuple(getattr(module, "batch_axis", {}).values())
        found = (*batch, *(inputs if isinstance(inputs, tuple) else (inputs,)))
        found = (*found, *(outputs if isinstance(outputs, tuple) else (outputs,)))
    return tuple(found or ())


def read_equinox(model: PyTree) -> Iterator[tuple[str, Declaration]]:
    """Yield the shapes that Equinox layers declare, in fields that do not change in a stack."""
    for path, module in tree_flatten_with_path(model, is_leaf=lambda node: bool(dict(list_equinox(node))))[0]:
        for name, shape in list_equinox(module):
            yield "/".join(filter(None, [name_path(path), name])), Declaration(shape, is_own(module))


def list_equinox(module: Module) -> Iterator[tuple[str, Shape]]:
    """Yield the kernels of an Equinox layer with their shapes."""
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
    """Record declarations of Linen and Haiku modules within a block; within vmap and scan, of one layer.

    There, a module has the parameters of one of the stacked layers.
    """
    linen, haiku = sys.modules.get("flax.linen"), sys.modules.get("haiku")

    def watch_linen(call: Callable[..., Any], args: Any, keywords: Any, context: Any) -> Any:  # noqa: ANN401
        result = call(*args, **keywords)
        module = context.module
        for name, value in module.variables.get("params", {}).items() if module.scope else ():
            if not isinstance(value, Mapping) and hasattr(leaf := getattr(value, "value", value), "shape"):
                path, declaration = (*module.path, name), Declaration(tuple(leaf.shape), is_own(module))
                declarations.add("/".join(("params", *path)), declaration)
                if module.path:  # a function may pass parameters from anywhere in a tree
                    declarations.add("/".join(path), declaration)
        return result

    def watch_haiku(call: Callable[..., Any], args: Any, keywords: Any, context: Any) -> Any:  # noqa: ANN401
        result = call(*args, **keywords)
        is_asked = context.method_name == "params_dict"  # called by this function
        for path, leaf in () if is_asked else context.module.params_dict().items():
            if path.rpartition("/")[0] == context.module.module_name:  # not those of a submodule
                declarations.add(path, Declaration(tuple(leaf.shape), is_own(context.module)))
        return result

    with ExitStack() as stack:
        if linen is not None:
            stack.enter_context(linen.intercept_methods(watch_linen))
        if haiku is not None:
            stack.enter_context(haiku.intercept_methods(watch_haiku))
        yield


def is_own(module: Module) -> bool:
    """Return whether a library's own layer defines the meaning of its axes; Flax's Einsum does not."""
    kind = type(module)
    return kind.__module__.startswith(("flax.", "equinox.", "haiku.")) and kind.__name__ != "Einsum"
