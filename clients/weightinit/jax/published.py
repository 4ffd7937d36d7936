"""Published models: the leaves of a pytree of parameters started as one says."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.tree_util import tree_map_with_path

from weightinit import Client
from weightinit.dtypes import DTYPES
from weightinit.fitting import (
    Piece,
    Rename,
    Wanted,
    fetch_published,
    find_letters,
    fit_model,
    read_box,
    span,
)
from weightinit.jax.arrays import distribute, name_dtype, take_over
from weightinit.jax.leaves import Leaf, PyTree, find_kernel, name_path, walk_leaves
from weightinit.patterns import Rules, check_patterns


def start_published(
    params: PyTree, reference: str, rules: Rules, rename: Rename, client: Client, *, strict: bool
) -> PyTree:
    """Return a pytree whose leaves start as a published model says.

    Raises ModelRejected, which lists all that does not fit, before anything is fetched.
    """
    leaves = walk_leaves(params)
    check_patterns(rules, leaves)
    wanted = {path: found for path, leaf in leaves.items() if (found := want(path, leaf, rules))}
    fitted = fit_model(fetch_published(reference, client), wanted, rename, strict=strict)

    def start(path: tuple[object, ...], leaf: Leaf) -> Leaf:
        pieces = fitted.get(name_path(path))
        return make_leaf(pieces, leaf, client) if pieces else leaf

    return tree_map_with_path(start, params)


def want(path: str, leaf: Leaf, rules: Rules) -> Wanted | None:
    """Say what a leaf is; None where a rule leaves it alone, or it is no tensor of weights.

    Raises ModelRejected.
    """
    letters = find_letters(rules, path, find_kernel(path, jnp.ndim(leaf)), jnp.ndim(leaf))
    if letters is None or leaf.dtype.name not in DTYPES:
        return None
    return Wanted((path,), tuple(leaf.shape), letters)


def make_leaf(pieces: list[Piece], leaf: Leaf, client: Client) -> jax.Array:
    """Make the array that pieces make up, on the devices of the leaf that it stands for."""
    dtype = name_dtype(leaf.dtype)
    read = partial(read_box, pieces, dtype=dtype, client=client)
    if leaf.sharding is None:
        return take_over(read(span(leaf.shape)))
    return distribute(tuple(leaf.shape), dtype, leaf.sharding, read)
