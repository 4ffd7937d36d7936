"""Create arrays on the devices of a sharding, each of which fetches its own part."""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec, Sharding
from jax.typing import DTypeLike

from weightinit import Client, Spec, default_client
from weightinit.adapters.actions import Leave, Unknown
from weightinit.adapters.plan import PlannedTensor, ResolvedTensor
from weightinit.adapters.published import AxisSlices, read_slices, span
from weightinit.jax.walk import Leaf
from weightinit.spec.fields import SpecFields
from weightinit.spec.layer import Shape

Place = Callable[[jax.Array, NamedSharding | PartitionSpec], jax.Array]


def sharded(
    shape: Spec | Shape,
    sharding: Sharding | PartitionSpec,
    *,
    client: Client | None = None,
    **spec: Unpack[SpecFields],
) -> jax.Array:
    """Fetch a tensor onto the devices of a sharding; each device of this process fetches only its part.

    Parts that several devices hold are fetched once. The bits depend on neither devices nor sharding. A
    PartitionSpec refers to the mesh of jax.set_mesh. Raises ValueError, from JAX, if the sharding does not
    divide axes evenly.

    Args:
        shape: the shape of the whole tensor.
        sharding: the placement of its parts.
        client: the client that sends the requests. Default: one that the environment configures.
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
    """Return an array over the devices of a sharding; each of its slices is read once."""
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


def is_left(tensor: PlannedTensor) -> bool:
    """Return whether a tensor, or a part of one, is left as it is."""
    return isinstance(tensor.action, Leave | Unknown)


def group_blocks(resolved: Sequence[ResolvedTensor]) -> dict[str, list[ResolvedTensor]]:
    """Return the blocks of each leaf, by path."""
    blocks: dict[str, list[ResolvedTensor]] = {}
    for tensor in resolved:
        blocks.setdefault(tensor.planned.target, []).append(tensor)
    return blocks


def make_leaf(blocks: Sequence[ResolvedTensor], leaf: Leaf, client: Client) -> jax.Array:
    """Return the array for the blocks of a leaf, on the devices of the leaf that it replaces."""
    shape, dtype = tuple(jnp.shape(leaf)), name_dtype(jnp.result_type(leaf))
    segments = [block.planned.make_segment(block.spec) for block in blocks]
    kept = [block.planned.make_segment(None) for block in blocks if is_left(block.planned)]

    def read(slices: AxisSlices) -> np.ndarray[Any, Any]:
        array = read_slices(segments, slices, dtype=dtype, client=client)
        for share in (share for segment in kept if (share := segment.intersect(slices)) is not None):
            inside = tuple(
                slice(part.start - whole.start, part.stop - whole.start)
                for part, whole in zip(share, slices, strict=True)
            )
            array[inside] = np.asarray(leaf[share])
        return array

    if getattr(leaf, "sharding", None) is None:
        return take_over(read(span(shape)))
    return distribute(shape, dtype, leaf.sharding, read)


def take_over(weights: np.ndarray[Any, Any]) -> jax.Array:
    """Return a JAX array with the memory of a NumPy array, which must not change, if the device allows it."""
    taken: jax.Array = jax.device_put(weights)
    return taken


def find_mesh_sharding(shape: tuple[int, ...]) -> NamedSharding | None:
    """Return the sharding that JAX gives new arrays in the context's mesh: a copy on each of its devices.

    None outside of a mesh.
    """
    if jax.sharding.get_abstract_mesh().empty:
        return None
    sharding = jnp.zeros((1,) * len(shape)).sharding
    return sharding if isinstance(sharding, NamedSharding) else None


def place_traced(weights: jax.Array, sharding: NamedSharding | PartitionSpec | None) -> jax.Array:
    """Return traced weights with a sharding; by default, that of new arrays in the context's mesh.

    The host sends them to one device, where they would stay.
    """
    mesh = sharding.mesh if isinstance(sharding, NamedSharding) else jax.sharding.get_abstract_mesh()
    if sharding is None and (mesh.empty or AxisType.Manual in mesh.axis_types):
        return weights
    wanted = PartitionSpec(*[None] * weights.ndim) if sharding is None else sharding  # type: ignore[no-untyped-call]
    spec = wanted.spec if isinstance(wanted, NamedSharding) else wanted
    used = {name for entry in spec for name in (entry if isinstance(entry, tuple) else (entry,))}
    kinds = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))
    # JAX has a function for each kind of axis.
    is_auto = AxisType.Auto in {kinds[name] for name in used & {*kinds} or kinds}
    place: Place = jax.lax.with_sharding_constraint if is_auto else jax.sharding.reshard
    return place(weights, wanted)


def name_dtype(dtype: DTypeLike | None) -> str:
    """Return the dtype that JAX uses for one: its default for None, and 64 bits only if enabled."""
    wanted = jnp.result_type(float) if dtype is None else dtype
    # Random keys have an extended dtype.
    return str(jax.dtypes.canonicalize_dtype(wanted, allow_extended_dtype=True))


def _find_devices(sharding: Sharding | PartitionSpec) -> Sharding:
    """Return a sharding; one without devices gets those of the context's mesh."""
    if isinstance(sharding, PartitionSpec):
        return NamedSharding(jax.sharding.get_mesh(), sharding)
    if isinstance(sharding, NamedSharding) and isinstance(sharding.mesh, AbstractMesh):
        return NamedSharding(jax.sharding.get_mesh(), sharding.spec)
    return sharding
