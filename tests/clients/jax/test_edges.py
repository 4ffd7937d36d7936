"""Leaves that are not weights: scalars, counters, masks, and leaves without elements."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file
from weightinit import Model, Part, TensorSpec
from weightinit.jax import ModelRejected, initialize, publish
from weightinit.torch import TensorRejected

PARAMS = {
    "dense": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)},
    "empty": {"kernel": jnp.ones((0, 2))},
    "scale": jnp.asarray(1.0),
    "step": jnp.asarray(7, jnp.int32),
    "levels": jnp.full((2,), 255, jnp.uint8),
    "mask": jnp.ones((2, 2), bool),
}
RULES = {"*": {"activation": "none"}}


def publish_and_pull(params, client, tmp_path, **said):
    """Publish a tree, and return its reference and the file of it."""
    published = publish(params, 42, client=client, **said)
    client.pull(published.id, tmp_path / "start.safetensors")
    return published.id, load_file(tmp_path / "start.safetensors")


def test_a_file_has_every_leaf_in_its_shape_and_dtype(client, tmp_path):
    reference, loaded = publish_and_pull(PARAMS, client, tmp_path, rules=RULES)
    drawn = initialize(PARAMS, reference, client=client)
    assert jax.tree.structure(drawn) == jax.tree.structure(PARAMS)
    for path, leaf in jax.tree_util.tree_leaves_with_path(drawn):
        array = loaded[jax.tree_util.keystr(path, simple=True, separator="/")]
        assert (array.shape, array.dtype) == (leaf.shape, leaf.dtype)
        assert np.array_equal(array, leaf)
    assert (int(drawn["step"]), drawn["levels"].tolist(), bool(drawn["mask"].all())) == (7, [255] * 2, True)


def test_counters_are_initialized_by_a_reference(client, tmp_path):
    reference, _ = publish_and_pull(PARAMS, client, tmp_path, rules=RULES)
    spoiled = {**PARAMS, "step": jnp.asarray(57, jnp.int32), "mask": jnp.zeros((2, 2), bool)}
    drawn = initialize(spoiled, reference, client=client)
    assert (int(drawn["step"]), bool(drawn["mask"].all())) == (7, True)


def test_an_abstract_leaf_without_elements_is_made(client):
    shapes = jax.eval_shape(lambda: {key: PARAMS[key] for key in ("dense", "empty")})
    drawn = initialize(shapes, 42, rules=RULES, client=client)
    assert (drawn["empty"]["kernel"].shape, drawn["empty"]["kernel"].dtype) == ((0, 2), jnp.float32)


def test_integers_of_many_values_and_random_keys_are_not_published(client, tmp_path):
    more = {"positions": jnp.arange(3), "key": jax.random.PRNGKey(0), "typed": jax.random.key(0)}
    _, loaded = publish_and_pull({"dense": PARAMS["dense"], **more}, client, tmp_path, rules=RULES)
    assert set(loaded) == {"dense/kernel", "dense/bias"}


def test_a_random_key_stays_as_it_is(client):
    params = {"dense": PARAMS["dense"], "key": jax.random.key(7)}
    assert initialize(params, 42, rules=RULES, client=client)["key"] is params["key"]


def test_a_rule_says_what_an_integer_is(client, tmp_path):
    params = {"dense": PARAMS["dense"], "positions": jnp.arange(3)}
    rules = {"positions": 5, **RULES}
    _, loaded = publish_and_pull(params, client, tmp_path, rules=rules)
    assert loaded["positions"].tolist() == [5] * 3
    assert initialize(params, 42, rules=rules, client=client)["positions"].tolist() == [5] * 3


def test_a_value_that_an_integer_cannot_have_is_refused(client):
    params = {"dense": PARAMS["dense"], "positions": jnp.arange(3)}
    with pytest.raises(TensorRejected, match="positions, of dtype int32, must be set to an integer"):
        initialize(params, 42, rules={"positions": 0.5, **RULES}, client=client)


def test_what_pytorch_counts_may_lack_from_a_tree(client):
    tensors = (
        TensorSpec.of("dense/bias", Part.constant(2, 0)),
        TensorSpec.of("norm/num_batches_tracked", Part.constant((), 0), dtype="int64"),
    )
    published = client.publish(Model(42, tensors))
    drawn = initialize({"dense": {"bias": PARAMS["dense"]["bias"]}}, published.id, client=client)
    assert drawn["dense"]["bias"].tolist() == [0, 0]


def test_a_leaf_without_elements_is_no_kernel_that_is_known(client):
    with pytest.raises(ModelRejected, match="no kernel is recognized among table"):
        initialize({"table": jnp.ones(3), "nothing": jnp.ones((0, 3))}, 42, client=client)


def test_a_norm_of_nnx_is_published_with_all_its_leaves(client, tmp_path):
    model = nnx.Sequential(nnx.Linear(3, 4, rngs=nnx.Rngs(0)), nnx.BatchNorm(4, rngs=nnx.Rngs(0)))
    _, loaded = publish_and_pull(model, client, tmp_path)
    assert {name.rpartition("/")[2] for name in loaded} == {"kernel", "bias", "scale", "mean", "var"}
