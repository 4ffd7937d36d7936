"""Trees: every kernel of a pytree of parameters, named by its path."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import GetAttrKey, keystr, tree_leaves_with_path, tree_map_with_path

from weightinit import Client, Parameters, Spec, default_client
from weightinit.jax.arrays import sharded
from weightinit.patterns import Rules, check_patterns, find_rule
from weightinit.spec import LayerFields

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


def initialize(
    params: PyTree,
    seed: int | str,
    *,
    rules: Rules | None = None,
    name: Callable[[str], str] = str,
    client: Client | None = None,
) -> PyTree:
    """Return a pytree of parameters with its kernels drawn; what is no kernel stays as it is.

    Kernels are known by Flax' names: the last part of their path is `kernel` or `embedding`. A tree does not
    say which activations follow, so kernels are Glorot uniform but for what rules say. Leaves may be arrays
    or jax.ShapeDtypeStruct, as jax.eval_shape returns them. One with a sharding gets the same, and each
    device fetches its own part.

    Args:
        params: dictionaries, nnx.State or any other pytree.
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text.
        rules: by glob of paths (`encoder/*/kernel`), what is known better: the keywords of a layer, or None
            to leave leaves alone. A layout makes a kernel of what is not known as one. The first that
            matches counts, and each has to match something: raises ModelRejected.
        name: the tensor's name, given its path. Default: the path.
        client: whom to ask. Default: the one that the environment configures.
    """
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
    asked = client or default_client()
    specs = find_kernels(params, rules)
    return {path: None if spec is None else asked.parameters(spec) for path, spec in specs.items()}


def find_kernels(params: PyTree, rules: Rules | None) -> dict[str, Spec | None]:
    """Find which leaves are kernels: a spec without seed and name for each path, or None."""
    leaves = {name_path(path): leaf for path, leaf in tree_leaves_with_path(params)}
    check_patterns(rules or {}, leaves)
    specs: dict[str, Spec | None] = {}
    for path, leaf in leaves.items():
        said = find_rule(rules or {}, path, _find_default(path, jnp.ndim(leaf)))
        specs[path] = None if said is None else Spec.of(leaf.shape, dtype=leaf.dtype, **said)
    return specs


def name_path(path: tuple[Any, ...]) -> str:
    """Name a path of a pytree as Flax names modules. What boxes a leaf, as nnx.Param does, is no part of it.

    >>> from jax.tree_util import DictKey, GetAttrKey
    >>> name_path((DictKey("hidden1"), DictKey("kernel"), GetAttrKey("value")))
    'hidden1/kernel'
    """
    boxed = path and isinstance(path[-1], GetAttrKey) and path[-1].name == "value"
    return keystr(path[:-1] if boxed else path, simple=True, separator="/")


def _find_default(path: str, rank: int) -> LayerFields | None:
    rows = (layer for glob, ranks, layer in KERNELS if ranks in {None, rank} and fnmatchcase(path, glob))
    return next(rows, None)


def _draw(spec: Spec, leaf: Leaf, client: Client | None) -> jax.Array:
    if isinstance(leaf, jax.core.Tracer):
        raise TypeError("initialize cannot be traced: call it outside of jit, or give layers an initializer")
    if leaf.sharding is not None:
        return sharded(spec, leaf.sharding, client=client)
    return jnp.asarray((client or default_client()).weights(spec))
