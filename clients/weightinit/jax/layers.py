"""Leaves: what each leaf of a pytree of parameters is, by its path."""

from fnmatch import fnmatchcase
from typing import Any

import jax
from jax.tree_util import GetAttrKey, keystr, tree_leaves_with_path

from weightinit.spec.layer import LayerFields

PyTree = Any
Leaf = Any  # a jax.Array, or a jax.ShapeDtypeStruct

# Flax' embeddings have σ² = 1 / features.
LOOKUP: LayerFields = {
    "layout": "IO",
    "scheme": "variance_scaling",
    "mode": "fan_out",
    "distribution": "normal",
}
# By glob of the path and rank: the kernels of attention have heads, others are in Keras' order.
KERNELS: tuple[tuple[str, int | None, LayerFields], ...] = (
    ("*query/kernel", 3, {"layout": "IOO"}),
    ("*key/kernel", 3, {"layout": "IOO"}),
    ("*value/kernel", 3, {"layout": "IOO"}),
    ("*out/kernel", 3, {"layout": "IIO"}),
    ("*kernel", None, {}),
    ("*embedding", 2, LOOKUP),
)


def walk_leaves(params: PyTree) -> dict[str, Leaf]:
    """Return the leaves of a pytree by their paths."""
    return {name_path(path): leaf for path, leaf in tree_leaves_with_path(params)}


def check_untraced(params: PyTree) -> None:
    """Check that leaves are not traced: nothing could be fetched for them. Raises TypeError."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(params)):
        raise TypeError("initialize cannot be traced: call it outside of jit, or give layers an initializer")


def name_path(path: tuple[Any, ...]) -> str:
    """Name a path of a pytree as Flax names modules. What boxes a leaf, as nnx.Param does, is no part of it.

    >>> from jax.tree_util import DictKey, GetAttrKey
    >>> name_path((DictKey("hidden1"), DictKey("kernel"), GetAttrKey("value")))
    'hidden1/kernel'
    """
    boxed = path and isinstance(path[-1], GetAttrKey) and path[-1].name == "value"
    return keystr(path[:-1] if boxed else path, simple=True, separator="/")


def find_kernel(path: str, rank: int) -> LayerFields | None:
    """Find what a kernel is, by its path; None for no kernel.

    >>> find_kernel("attention/query/kernel", 3), find_kernel("attention/query/bias", 2)
    ({'layout': 'IOO'}, None)
    """
    rows = (layer for glob, ranks, layer in KERNELS if ranks in {None, rank} and fnmatchcase(path, glob))
    return next(rows, None)
