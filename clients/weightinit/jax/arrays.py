"""Arrays: weights on the devices of a sharding, each of which gets its own part."""

from collections.abc import Callable
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec, Sharding
from jax.typing import DTypeLike

from weightinit import Client, Spec, default_client
from weightinit.adapters.published import AxisSlices
from weightinit.spec.layer import Shape, SpecFields


def sharded(
    shape: Spec | Shape,
    sharding: Sharding | PartitionSpec,
    *,
    client: Client | None = None,
    **spec: Unpack[SpecFields],
) -> jax.Array:
    """Fetch a tensor onto the devices of a sharding: for each device of this process its part, and no more.

    Parts that several devices hold are fetched once. Bits depend on neither devices nor sharding. A
    PartitionSpec is for the mesh of jax.set_mesh. A sharding must cut axes evenly, or JAX raises ValueError.

    Args:
        shape: the whole tensor's.
        sharding: where its parts go.
        client: of the service. Default: the one that the environment configures.
        **spec: seed, name, dtype and layer, as for Client.weights.
    """
    layer = Spec.of(shape, **spec)
    layer = Spec.of(layer, dtype=name_dtype(layer.dtype))
    source = client or default_client()
    return distribute(layer.shape, layer.dtype, sharding, lambda slices: source.weights(layer, slice=slices))


def distribute(
    shape: tuple[int, ...],
    dtype: str,
    sharding: Sharding | PartitionSpec,
    read: Callable[[AxisSlices], np.ndarray[Any, Any]],
) -> jax.Array:
    """Make an array over the devices of a sharding of the slices that they hold, each read once."""
    parts: dict[tuple[tuple[int, int], ...], np.ndarray[Any, Any]] = {}

    def fetch(slices: tuple[slice, ...] | None) -> np.ndarray[Any, Any]:
        # JAX's types allow None.
        key = tuple(
            axis_slice.indices(length)[:2] for axis_slice, length in zip(slices or (), shape, strict=True)
        )
        if key not in parts:
            parts[key] = read(tuple(slice(*bounds) for bounds in key))
        return parts[key]

    return jax.make_array_from_callback(shape, _find_devices(sharding), fetch, dtype=dtype)


def take_over(weights: np.ndarray[Any, Any]) -> jax.Array:
    """Make an array of one that nobody else will write to, of its own memory where the device allows."""
    taken: jax.Array = jax.device_put(weights)
    return taken


def name_dtype(dtype: DTypeLike | None) -> str:
    """Name the dtype that JAX makes of one: its default for None, and no 64 bits unless they are enabled."""
    wanted = jnp.result_type(float) if dtype is None else dtype
    # Random keys have an extended dtype.
    return str(jax.dtypes.canonicalize_dtype(wanted, allow_extended_dtype=True))


def _find_devices(sharding: Sharding | PartitionSpec) -> Sharding:
    """Return a sharding over the devices of the context's mesh, where it has none of its own."""
    if isinstance(sharding, PartitionSpec):
        return NamedSharding(jax.sharding.get_mesh(), sharding)
    if isinstance(sharding, NamedSharding) and isinstance(sharding.mesh, AbstractMesh):
        return NamedSharding(jax.sharding.get_mesh(), sharding.spec)
    return sharding
