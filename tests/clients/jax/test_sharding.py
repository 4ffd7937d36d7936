"""Sharded arrays over four devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from weightinit import Model, Part, Spec, TensorSpec
from weightinit.jax import initialize, initializer, sharded

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
