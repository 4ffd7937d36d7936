"""Initializers with JAX's interface whose weights come from the service."""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jax.typing import ArrayLike, DTypeLike

from weightinit import Client, Spec, default_client
from weightinit.jax.arrays import (
    find_mesh_sharding,
    name_dtype,
    place_traced,
    sharded,
    take_over,
)
from weightinit.spec.fields import LayerFields
from weightinit.spec.layer import refuse
from weightinit.spec.layouts import Axes, count_elements, has_layout, set_fans, spell_layout


@dataclass(frozen=True, slots=True)
class Initializer:
    """A function of (key, shape, dtype, out_sharding), like those of jax.nn.initializers.

    With a seed, the weights follow from seed and name, and the key is ignored. Without one the key is the
    seed: `jax.random.key(42)` gives the weights of seed 42, and the keys that a framework splits or folds for
    each parameter give different weights. Under tracing (jit, vmap, eval_shape) nothing is fetched until the
    compiled function runs; JAX then raises its runtime errors, with the client's message in them.

    Equal arguments make equal initializers, so they can be static arguments.
    """

    spec: Spec  # the shape is a placeholder
    dtype: DTypeLike | None = None
    axes: tuple[Axes, Axes, Axes] | None = None
    client: Client | None = field(default=None, compare=False)

    def __call__(
        self,
        key: ArrayLike | None,
        shape: Sequence[int],
        dtype: DTypeLike | None = None,
        out_sharding: NamedSharding | PartitionSpec | None = None,
    ) -> jax.Array:
        """Return the weights.

        Args:
            key: a key of jax.random if there is no seed; otherwise ignored.
            shape: the kernel's shape.
            dtype: float32, float64, float16 or bfloat16. Default: the initializer's, or JAX's.
            out_sharding: the placement of the parts. Each device fetches its own part; under jit the whole
                tensor is fetched.
        """
        spec = self.specify(tuple(shape), dtype)
        words = _read_words(key) if spec.seed is None else jnp.zeros(2, jnp.uint32)
        if isinstance(words, jax.core.Tracer):
            return self._call_back(spec, words, out_sharding)
        seeded = _seed(spec, words)
        if out_sharding is not None:
            return sharded(seeded, out_sharding, client=self.client)
        copies = find_mesh_sharding(spec.shape)
        weights = (
            take_over(self._fetch(seeded)) if copies is None else sharded(seeded, copies, client=self.client)
        )
        remember(weights, self)
        return weights

    def specify(self, shape: tuple[int, ...], dtype: DTypeLike | None) -> Spec:
        """Return the spec of a kernel of this shape, without a seed if the key determines it."""
        spec = replace(self.spec, shape=shape, dtype=name_dtype(self.dtype if dtype is None else dtype))
        return spec if self.axes is None else Spec.of(spec, **describe_axes(shape, *self.axes))

    def _call_back(
        self, spec: Spec, words: jax.Array, out_sharding: NamedSharding | PartitionSpec | None
    ) -> jax.Array:
        like = jax.ShapeDtypeStruct(spec.shape, spec.dtype)  # type: ignore[no-untyped-call]  # JAX's gap

        def call(words: jax.Array) -> jax.Array:
            fetch = partial(self._fetch_all, spec)
            # Under vmap, the host gets all keys at once.
            fetched = jax.pure_callback(fetch, like, place_traced(words, None), vmap_method="expand_dims")
            return place_traced(fetched, out_sharding)

        # Outside of jit, vmap would place an array that is on one device already, which JAX refuses.
        in_mesh = out_sharding is not None or not jax.sharding.get_abstract_mesh().empty
        return jax.jit(call, inline=True)(words) if in_mesh else call(words)

    def _fetch_all(self, spec: Spec, words: ArrayLike) -> np.ndarray[Any, Any]:
        """Return the weights for one key, or those for an array of keys."""
        keys = np.asarray(words)
        if spec.seed is not None or keys.ndim == 1:
            return self._fetch(_seed(spec, keys))
        fetched = [self._fetch(_seed(spec, key)) for key in keys.reshape(-1, keys.shape[-1])]
        return np.stack(fetched).reshape(*keys.shape[:-1], *spec.shape)

    def _fetch(self, spec: Spec) -> np.ndarray[Any, Any]:
        return (self.client or default_client()).weights(spec)


def initializer(
    *,
    seed: int | str | None = None,
    name: str | None = None,
    dtype: DTypeLike | None = None,
    client: Client | None = None,
    **layer: Unpack[LayerFields],
) -> Initializer:
    """Return an initializer; without layer keywords, it is Glorot uniform.

    Args:
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text. Default: the key of each call.
        name: the tensor's name, such as `hidden1/kernel`. Required with a seed, because all layers with the
            same seed and no name would be equal: raises TypeError.
        dtype: the dtype of calls without one. Default: JAX's.
        client: the client that sends the requests. Default: one that the environment configures.
        **layer: the fields of the layer, as for Client.weights.
    """
    return Initializer(make_spec(seed, name, layer), dtype, client=client)


# The initializers of recent weights, by their size and first values; some layers do not keep theirs.
_REMEMBERED: OrderedDict[tuple[int, bytes], Initializer] = OrderedDict()
MAX_REMEMBERED, COUNT = 4096, 16


def remember(weights: jax.Array, made: Initializer) -> None:
    """Store the initializer of some weights, which are identified by their size and first 16 values.

    Values that repeat, as those of zeros or of an identity, identify nothing and are not stored.
    """
    first = np.asarray(weights.ravel()[:COUNT])
    if weights.size >= COUNT // 4 and 2 * np.unique(first).size > first.size:
        _REMEMBERED[identify(weights)] = made
    while len(_REMEMBERED) > MAX_REMEMBERED:
        _REMEMBERED.popitem(last=False)


def recall(leaf: Any) -> Initializer | None:  # noqa: ANN401 - an array of JAX or NumPy
    """Return the initializer that made the values of a leaf, in any shape; None if it is unknown."""
    is_whole = getattr(getattr(leaf, "sharding", None), "is_fully_replicated", True)
    is_readable = leaf.size and is_whole and jnp.issubdtype(leaf.dtype, jnp.floating)
    return _REMEMBERED.get(identify(leaf)) if _REMEMBERED and is_readable else None


def identify(weights: Any) -> tuple[int, bytes]:  # noqa: ANN401 - as above
    """Return a key of weights: their size and first values."""
    return weights.size, np.asarray(weights.ravel()[:COUNT]).tobytes()


def make_spec(seed: int | str | None, name: str | None, layer: LayerFields) -> Spec:
    """Return the spec of a tensor with a placeholder for the shape."""
    if seed is not None and name is None:
        raise TypeError("an initializer with a seed needs a name, which identifies the tensor")
    return Spec.of(1, seed=seed, name=name or "", **layer)


def describe_axes(shape: tuple[int, ...], inputs: Axes, outputs: Axes, stacked: Axes) -> LayerFields:
    """Return the layout of a kernel, or the fans that jax.nn.initializers computes if it has none.

    The axes may then overlap or be missing, as those of Flax's Embed. Raises SpecRejected.

    >>> describe_axes((9, 4), -2, 0, ())
    {'layout': 'IO', 'fan_in': 4, 'fan_out': 4}
    """
    rank = len(shape)
    if rank < 2 and inputs == -2:
        raise refuse("in_axis", "must be given for a kernel of fewer than two axes", inputs)
    if has_layout(rank, inputs, outputs, stacked):
        return {"layout": spell_layout(rank, inputs, outputs, stacked)}
    sizes = [count_elements(shape, axes) for axes in (outputs, inputs, stacked)]
    fan_in, fan_out = (Fraction(math.prod(shape), size * sizes[2]) for size in sizes[:2])
    return set_fans(rank, fan_in, fan_out)


def derive_seed(words: np.ndarray[Any, Any]) -> int:
    """Derive a seed from the data of a key: two words as one number; of more words, the start of SHA-256.

    >>> derive_seed(np.array([0, 42], np.uint32)), derive_seed(np.array([1, 0], np.uint32))
    (42, 4294967296)
    """
    data = words.astype(">u4").tobytes()
    return int.from_bytes(data if len(data) == 8 else hashlib.sha256(data).digest()[:8], "big")


def _seed(spec: Spec, words: ArrayLike) -> Spec:
    return spec if spec.seed is not None else replace(spec, seed=derive_seed(np.asarray(words)))


def _read_words(key: ArrayLike | None) -> jax.Array:
    if key is None:
        raise TypeError("an initializer without a seed needs a key of jax.random")
    words = jax.random.key_data(jnp.asarray(key))
    if words.ndim != 1:
        raise ValueError(f"an initializer takes one key; received an array of shape {words.shape[:-1]}")
    return words
