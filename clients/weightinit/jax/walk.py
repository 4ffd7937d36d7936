"""List the leaves of a pytree of parameters by path."""

from typing import Any

import jax
from jax.tree_util import GetAttrKey, keystr, tree_leaves_with_path

PyTree = Any
Leaf = Any  # a jax.Array, or a jax.ShapeDtypeStruct


def walk_leaves(params: PyTree) -> dict[str, Leaf]:
    """Return the leaves of a pytree by path."""
    return {name_path(path): leaf for path, leaf in tree_leaves_with_path(params)}


def is_abstract(leaf: Leaf) -> bool:
    """Return whether a leaf has a shape but no values."""
    return isinstance(leaf, jax.ShapeDtypeStruct)


def check_untraced(params: PyTree) -> None:
    """Check that no leaf is traced, since nothing can be fetched for it. Raises TypeError."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(params)):
        raise TypeError("initialize cannot be traced: call it outside of jit, or give layers an initializer")


def name_path(path: tuple[Any, ...]) -> str:
    """Return a pytree path in Flax's form, without the attribute of a box such as nnx.Param.

    >>> from jax.tree_util import DictKey, GetAttrKey
    >>> name_path((DictKey("hidden1"), DictKey("kernel"), GetAttrKey("value")))
    'hidden1/kernel'
    """
    boxed = path and isinstance(path[-1], GetAttrKey) and path[-1].name == "value"
    return keystr(path[:-1] if boxed else path, simple=True, separator="/")
