"""Sharded arrays over four devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from weightinit import Model, Part, Spec, TensorSpec
from weightinit.jax import he_truncated_normal, initialize, initializer, sharded
from weightinit.jax.initializers import recall

from tests.clients.drawing import draw

if jax.device_count() < 4:
    pytest.skip("test_devices.py runs these tests where there are four devices", allow_module_level=True)

LINE = jax.make_mesh((4,), ("x",), axis_types=(AxisType.Auto,))
GRID = jax.make_mesh((2, 2), ("x", "y"), axis_types=(AxisType.Auto,) * 2)
EXPLICIT = jax.make_mesh((2, 2), ("x", "y"), axis_types=(AxisType.Explicit,) * 2)
KEY = jax.random.key(42)

SHARDINGS = [
    (LINE, P("x"), [(2, 4)] * 4),
    (LINE, P(None, "x"), [(8, 1)] * 4),
    (GRID, P("x", "y"), [(4, 2)] * 4),
    (GRID, P("y", "x"), [(4, 2)] * 4),
    (GRID, P(("x", "y")), [(2, 4)] * 4),
    # Parts that several devices hold are fetched once.
    (GRID, P("x"), [(4, 4)] * 2),
    (GRID, P(None, "y"), [(8, 2)] * 2),
    (GRID, P(), [(8, 4)]),
    (EXPLICIT, P("x", "y"), [(4, 2)] * 4),
]


def measure(shape, box):
    return tuple(len(range(length)[cut]) for length, cut in zip(shape, box, strict=True))


@pytest.mark.parametrize(("mesh", "spec", "parts"), SHARDINGS)
def test_the_bits_are_those_of_one_device(client, mesh, spec, parts):
    array = sharded((8, 4), NamedSharding(mesh, spec), seed=42, name="k", client=client)
    np.testing.assert_array_equal(array, draw(8, 4, name="k"))


@pytest.mark.parametrize(("mesh", "spec", "parts"), SHARDINGS)
def test_each_part_is_fetched_once(counting, mesh, spec, parts):
    sharded((8, 4), NamedSharding(mesh, spec), seed=42, name="k", client=counting)
    assert [measure(shape, box) for shape, box in counting.asked] == parts


@pytest.mark.parametrize(("mesh", "spec", "parts"), SHARDINGS)
def test_the_sharding_is_the_one_asked_for(client, mesh, spec, parts):
    asked = NamedSharding(mesh, spec)
    array = sharded((8, 4), asked, seed=42, name="k", client=client)
    assert array.sharding.is_equivalent_to(asked, 2)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_dtype_that_is_asked_for(client, dtype):
    array = sharded((8, 4), NamedSharding(LINE, P("x")), seed=42, name="w", dtype=dtype, client=client)
    np.testing.assert_array_equal(array, draw(8, 4, dtype=dtype, name="w"))


def test_float64_is_float32_unless_it_is_enabled(client):
    array = sharded((8, 4), NamedSharding(LINE, P("x")), seed=42, name="w", dtype="float64", client=client)
    assert array.dtype == jnp.float32


def test_an_axis_that_is_not_cut_evenly_is_refused(counting):
    with pytest.raises(ValueError, match="partitioned 4 times, but the dimension size is 7"):
        sharded((7, 4), NamedSharding(LINE, P("x")), seed=42, name="w", client=counting)
    assert counting.asked == []


def test_a_partition_spec_is_for_the_mesh_of_the_context(client):
    with jax.set_mesh(GRID):
        array = sharded((8, 4), P("x", "y"), seed=42, name="k", client=client)
    assert array.sharding == NamedSharding(GRID, P("x", "y"))


def test_an_initializer_fetches_for_each_device_its_part(counting):
    made = initializer(seed=42, name="k", client=counting)
    array = made(KEY, (8, 4), jnp.float32, NamedSharding(GRID, P("x", "y")))
    np.testing.assert_array_equal(array, draw(8, 4, name="k"))
    assert [measure(shape, box) for shape, box in counting.asked] == [(4, 2)] * 4


@pytest.mark.parametrize("mesh", [GRID, EXPLICIT])
def test_an_initializer_under_jit_has_the_same_bits(client, mesh):
    made = initializer(seed=42, name="k", client=client)
    with jax.set_mesh(mesh):
        array = jax.jit(lambda key: made(key, (8, 4), jnp.float32, P("x", "y")))(KEY)
    np.testing.assert_array_equal(array, draw(8, 4, name="k"))


def test_a_compiled_function_gives_them_the_sharding_of_its_outputs(client):
    made = initializer(seed=42, name="k", client=client)
    asked = NamedSharding(GRID, P("x", "y"))
    array = jax.jit(lambda key: made(key, (8, 4)), out_shardings=asked)(KEY)
    assert array.sharding == asked
    np.testing.assert_array_equal(array, draw(8, 4, name="k"))


MESHES = {
    "auto": GRID,
    "explicit": EXPLICIT,
    "mixed": jax.make_mesh((2, 2), ("x", "y"), axis_types=(AxisType.Auto, AxisType.Explicit)),
}
# How a function of a key is called, and whether with several keys.
CALLS = {
    "eager": (lambda fill: fill, False),
    "jit": (jax.jit, False),
    "vmap": (jax.vmap, True),
    "jit of vmap": (lambda fill: jax.jit(jax.vmap(fill)), True),
    "map": (lambda fill: partial(jax.lax.map, fill), True),
    "jit with out_shardings": (
        lambda fill: jax.jit(fill, out_shardings=NamedSharding(jax.sharding.get_mesh(), P("x", "y"))),
        False,
    ),
    "eval_shape": (lambda fill: partial(jax.eval_shape, fill), False),
}


def call(name, made, out_sharding=None):
    """Call an initializer in one of these ways."""
    transform, takes_keys = CALLS[name]
    fill = transform(lambda key: made(key, (8, 4), jnp.float32, out_sharding))
    return fill(jax.random.split(KEY, 4) if takes_keys else KEY)


def are_placed_alike(ours, theirs):
    """Return whether two arrays have equivalent shardings, which types show too in explicit mode."""
    if isinstance(ours, jax.ShapeDtypeStruct):
        return ours == theirs
    is_equivalent = ours.sharding.is_equivalent_to(theirs.sharding, ours.ndim)
    return is_equivalent and ours.committed == theirs.committed and jax.typeof(ours) == jax.typeof(theirs)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("mesh", "out_sharding"),
    [
        ("auto", None),
        ("explicit", None),
        ("explicit", P("x", "y")),
        ("explicit", NamedSharding(EXPLICIT, P("x"))),
        ("mixed", None),
        ("mixed", P(None, "y")),
    ],
)
def test_an_initializer_places_its_weights_in_a_mesh_as_jax_s_own_does(client, mesh, out_sharding, name):
    with jax.set_mesh(MESHES[mesh]):
        ours = call(name, he_truncated_normal(client=client), out_sharding)
        theirs = call(name, jax.nn.initializers.he_normal(), out_sharding)
    assert are_placed_alike(ours, theirs)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "eval_shape"])
@pytest.mark.parametrize("mesh", ["auto", "explicit"])
def test_the_weights_in_a_mesh_are_those_of_each_key(client, mesh, name):
    made = initializer(client=client)
    with jax.set_mesh(MESHES[mesh]):
        weights = call(name, made)
    keys = jax.random.split(KEY, 4)
    expected = np.stack([made(key, (8, 4)) for key in keys]) if CALLS[name][1] else made(KEY, (8, 4))
    np.testing.assert_array_equal(weights, expected)


@pytest.mark.parametrize("mesh", MESHES)
def test_keys_may_be_spread_over_a_mesh(client, mesh):
    made = initializer(client=client)
    keys = jax.random.split(KEY, 4)
    with jax.set_mesh(MESHES[mesh]):
        spread = jax.device_put(keys, NamedSharding(MESHES[mesh], P("y")))
        weights = jax.jit(jax.vmap(lambda key: made(key, (8, 4))))(spread)
    np.testing.assert_array_equal(weights, np.stack([made(key, (8, 4)) for key in keys]))


@pytest.mark.parametrize("mesh", [GRID, EXPLICIT])
def test_a_compiled_initializer_gives_each_device_its_part(client, mesh):
    made = initializer(seed=42, name="k", client=client)
    with jax.set_mesh(mesh):
        array = jax.jit(lambda key: made(key, (8, 4), jnp.float32, P("x", "y")))(KEY)
    assert [shard.data.shape for shard in array.addressable_shards] == [(4, 2)] * 4


def test_all_devices_of_a_mesh_share_one_request(counting):
    with jax.set_mesh(GRID):
        array = initializer(seed=42, name="k", client=counting)(KEY, (8, 4))
    assert [measure(shape, box) for shape, box in counting.asked] == [(8, 4)]
    assert len(array.sharding.device_set) == 4


def test_a_model_built_in_a_mesh_keeps_its_initializers(client):
    with jax.set_mesh(GRID):
        layer = nnx.Linear(5, 7, kernel_init=he_truncated_normal(client=client), rngs=nnx.Rngs(0))
        weights = layer.kernel[...]
    assert recall(weights) == he_truncated_normal()


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
def test_flax_s_layers_take_the_axes_of_a_mesh(client, axis_type):
    mesh = jax.make_mesh((2, 2), ("in", "out"), axis_types=(axis_type,) * 2)
    with jax.set_mesh(mesh):
        layer = nnx.Linear(
            8,
            4,
            kernel_init=he_truncated_normal(client=client),
            kernel_metadata={"out_sharding": ("in", "out")},
            rngs=nnx.Rngs(0),
        )
    assert layer.kernel[...].sharding.is_equivalent_to(NamedSharding(mesh, P("in", "out")), 2)


def test_a_tree_keeps_its_shardings(counting):
    asked = NamedSharding(GRID, P("x", "y"))
    params = {"out": {"kernel": jax.ShapeDtypeStruct((8, 4), jnp.float32, sharding=asked)}}
    drawn = initialize(params, 42, rules={"*": {"activation": "none"}}, client=counting)["out"]["kernel"]
    assert drawn.sharding == asked
    assert [measure(shape, box) for shape, box in counting.asked] == [(4, 2)] * 4
    np.testing.assert_array_equal(drawn, draw(8, 4, name="out/kernel"))


def test_of_a_published_model_each_device_fetches_its_part_turned(counting):
    kernel = TensorSpec.of("kernel", Part.of(Spec((4, 8), layout="OI", name="kernel")))
    published = counting.publish(Model(42, (kernel,))).id
    asked = NamedSharding(GRID, P("x", "y"))
    params = {"kernel": jax.ShapeDtypeStruct((8, 4), jnp.float32, sharding=asked)}
    drawn = initialize(params, published, client=counting)["kernel"]
    assert drawn.sharding == asked
    assert [measure(shape, box) for shape, box in counting.asked] == [(4, 2)] * 4
    np.testing.assert_array_equal(drawn, draw(4, 8, name="kernel", layout="OI").T)


def test_of_packed_kernels_each_device_fetches_what_it_holds_of_each(counting):
    parts = [
        Part.of(Spec((rows, 8), layout="OI", name=f"kernel.{name}")) for name, rows in (("a", 1), ("b", 3))
    ]
    published = counting.publish(Model(42, (TensorSpec.of("kernel", *parts),))).id
    params = {"kernel": jax.ShapeDtypeStruct((8, 4), jnp.float32, sharding=NamedSharding(GRID, P("x", "y")))}
    drawn = initialize(params, published, client=counting)["kernel"]
    assert sorted(measure(shape, box) for shape, box in counting.asked) == [(4, 1)] * 4 + [(4, 2)] * 2
    halves = [draw(rows, 8, name=f"kernel.{name}", layout="OI") for name, rows in (("a", 1), ("b", 3))]
    np.testing.assert_array_equal(drawn, np.concatenate(halves).T)
