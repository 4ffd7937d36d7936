"""Trees: every kernel of a pytree of parameters, named by its path."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import tree_map_with_path

from weightinit import Client, Parameters, Spec, default_client
from weightinit.adapters import (
    Rename,
    Segment,
    Target,
    fetch_published,
    find_letters,
    is_reference,
    match_model,
    read_box,
    span,
)
from weightinit.adapters.rules import Rules, check_patterns, find_rule
from weightinit.jax.arrays import distribute, name_dtype, sharded, take_over
from weightinit.jax.layers import Leaf, PyTree, check_untraced, find_kernel, name_path, walk_leaves
from weightinit.models.decisions import Decider
from weightinit.spec.dtypes import DTYPES


def initialize_published(
    params: PyTree, reference: str, rules: Rules, rename: Rename, client: Client, *, strict: bool
) -> PyTree:
    """Return a pytree whose leaves start as a published model says.

    Raises ModelRejected, which lists all that does not fit, before anything is fetched.
    """
    leaves = walk_leaves(params)
    check_patterns(rules, leaves)
    targets = {path: found for path, leaf in leaves.items() if (found := make_target(path, leaf, rules))}
    matched = match_model(fetch_published(reference, client), targets, rename, strict=strict)

    def start(path: tuple[object, ...], leaf: Leaf) -> Leaf:
        segments = matched.get(name_path(path))
        return make_leaf(segments, leaf, client) if segments else leaf

    return tree_map_with_path(start, params)


def make_target(path: str, leaf: Leaf, rules: Rules) -> Target | None:
    """Say what a leaf is; None where a rule leaves it alone, or it is no tensor of weights.

    Raises ModelRejected.
    """
    letters = find_letters(rules, path, find_kernel(path, jnp.ndim(leaf)), jnp.ndim(leaf))
    if letters is None or leaf.dtype.name not in DTYPES:
        return None
    return Target((path,), tuple(leaf.shape), letters)


def make_leaf(segments: list[Segment], leaf: Leaf, client: Client) -> jax.Array:
    """Make the array that pieces make up, on the devices of the leaf that it stands for."""
    dtype = name_dtype(leaf.dtype)
    read = partial(read_box, segments, dtype=dtype, client=client)
    if leaf.sharding is None:
        return take_over(read(span(leaf.shape)))
    return distribute(tuple(leaf.shape), dtype, leaf.sharding, read)


def initialize(
    params: PyTree,
    seed: int | str,
    *,
    rules: Rules | None = None,
    name: Callable[[str], str] = str,
    strict: bool = True,
    client: Client | None = None,
) -> PyTree:
    """Return a pytree of parameters with its kernels drawn; what is no kernel stays as it is.

    Kernels are known by Flax' names: the last part of their path is `kernel` or `embedding`. A tree does not
    say which activations follow, so kernels are Glorot uniform but for what rules say. Leaves may be arrays
    or jax.ShapeDtypeStruct, as jax.eval_shape returns them. One with a sharding gets the same, and each
    device fetches its own part.

    A published model says how all leaves start, biases too; its kernels are turned to the order of axes that
    Flax' have. Its shapes have to fit: whatever does not is listed in one ModelRejected.

    Args:
        params: dictionaries, nnx.State or any other pytree.
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text; or a published model, by its name, which is
            team/name/version, or by its id.
        rules: by glob of paths (`encoder/*/kernel`), what is known better: the keywords of a layer, or None
            to leave leaves alone. A layout makes a kernel of what is not known as one. The first that
            matches counts, and each has to match something: raises ModelRejected. With a published model:
            a layout, or None.
        name: the tensor's name, given its path. Default: the path.
        strict: of a published model, refuse what only one of the two has; otherwise it is left alone.
        client: whom to ask. Default: the one that the environment configures.
    """
    check_untraced(params)
    if is_reference(seed):
        return initialize_published(
            params, seed, rules or {}, name, client or default_client(), strict=strict
        )
    specs = find_kernels(params, rules)

    def draw(path: tuple[Any, ...], leaf: Leaf) -> Leaf:
        called = name_path(path)
        spec = specs[called]
        return leaf if spec is None else _draw(Spec.of(spec, seed=seed, name=name(called)), leaf, client)

    return tree_map_with_path(draw, params)


def describe(
    params: PyTree, *, rules: Rules | None = None, client: Client | None = None
) -> dict[str, Parameters | None]:
    """Ask what `initialize` decides for each leaf, by path, and why; None for what it leaves alone."""
    decider = Decider((client or default_client()).parameters)
    specs = find_kernels(params, rules)
    return {path: None if spec is None else decider.decide(spec, path) for path, spec in specs.items()}


def find_kernels(params: PyTree, rules: Rules | None) -> dict[str, Spec | None]:
    """Find which leaves are kernels: a spec without seed and name for each path, or None."""
    leaves = walk_leaves(params)
    check_patterns(rules or {}, leaves)
    specs: dict[str, Spec | None] = {}
    for path, leaf in leaves.items():
        said = find_rule(rules or {}, path, find_kernel(path, jnp.ndim(leaf)))
        specs[path] = None if said is None else Spec.of(leaf.shape, dtype=leaf.dtype, **said)
    return specs


def _draw(spec: Spec, leaf: Leaf, client: Client | None) -> jax.Array:
    if leaf.sharding is not None:
        return sharded(spec, leaf.sharding, client=client)
    return take_over((client or default_client()).weights(spec))
