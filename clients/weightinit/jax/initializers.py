"""Initializers: JAX's own interface, with weights from the service."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jax.typing import ArrayLike, DTypeLike

from weightinit import Client, Spec, default_client
from weightinit.jax.arrays import name_dtype, sharded, take_over
from weightinit.spec.layer import LayerFields
from weightinit.spec.layouts import Axes, spell_layout


@dataclass(frozen=True, slots=True)
class Initializer:
    """A function of (key, shape, dtype, out_sharding), as jax.nn.initializers makes them.

    With a seed, the weights are those of that seed and name, and the key is not looked at. Without one the
    key is the seed: `jax.random.key(42)` gives what seed 42 gives, and the keys that a framework splits or
    folds for each parameter give each its own. Under tracing (jit, vmap, eval_shape) nothing is fetched until
    the compiled function runs; failures then come as JAX's runtime errors, with the client's words in them.

    Equal arguments make equal initializers, so that they can be static arguments.
    """

    spec: Spec  # its shape stands for the one to come
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
            key: of jax.random, where there is no seed; else ignored.
            shape: the kernel's.
            dtype: float32, float64, float16 or bfloat16. Default: the initializer's, or JAX's.
            out_sharding: where the parts go. Each device fetches its own; under jit the whole is fetched.
        """
        spec = self._specify(tuple(shape), dtype)
        words = _read_words(key) if spec.seed is None else jnp.zeros(2, jnp.uint32)
        if isinstance(words, jax.core.Tracer):
            weights = self._call_back(spec, words)
            return weights if out_sharding is None else jax.device_put(weights, out_sharding)
        seeded = _seed(spec, words)
        if out_sharding is not None:
            return sharded(seeded, out_sharding, client=self.client)
        return take_over(self._fetch(seeded))

    def _specify(self, shape: tuple[int, ...], dtype: DTypeLike | None) -> Spec:
        spec = replace(self.spec, shape=shape, dtype=name_dtype(self.dtype if dtype is None else dtype))
        return spec if self.axes is None else replace(spec, layout=spell_layout(len(shape), *self.axes))

    def _call_back(self, spec: Spec, words: jax.Array) -> jax.Array:
        like = jax.ShapeDtypeStruct(spec.shape, spec.dtype)  # type: ignore[no-untyped-call]  # JAX's gap
        weights: jax.Array = jax.pure_callback(
            lambda words: self._fetch(_seed(spec, words)), like, words, vmap_method="sequential"
        )
        return weights

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
    """Make an initializer. Without keywords of a layer, weights are Glorot uniform.

    Args:
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text. Default: the key that it is called with.
        name: which tensor this is, as `hidden1/kernel`. Required with a seed, since two layers with neither a
            name nor a key of their own would start equal: raises TypeError.
        dtype: for calls that say none. Default: JAX's.
        client: whom to ask. Default: the one that the environment configures.
        **layer: what follows the kernel and which axis is which, as for Client.weights.
    """
    return Initializer(make_spec(seed, name, layer), dtype, client=client)


def make_spec(seed: int | str | None, name: str | None, layer: LayerFields) -> Spec:
    """Make the spec of a tensor whose shape is still to come."""
    if seed is not None and name is None:
        raise TypeError("an initializer with a seed needs a name: it says which tensor this is")
    return Spec.of(1, seed=seed, name=name or "", **layer)


def derive_seed(words: np.ndarray[Any, Any]) -> int:
    """Derive a seed from the data of a key: its two words as one number; of more words, the start of SHA-256.

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
        raise ValueError(f"an initializer takes one key, not an array of shape {words.shape[:-1]}")
    return words
