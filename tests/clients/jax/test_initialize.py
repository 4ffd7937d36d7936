"""`initialize` draws every kernel of a pytree by its path."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from weightinit import SpecRejected
from weightinit.adapters.rules import UnknownActivationWarning
from weightinit.jax import ModelRejected, initialize, plan
from weightinit.jax.initialize import name_path

from tests.clients.drawing import draw

# A bare tree does not show what follows: one of these tests is about that.
pytestmark = pytest.mark.filterwarnings("ignore::weightinit.adapters.rules.UnknownActivationWarning")

PARAMS = {
    "hidden": {"kernel": jnp.zeros((5, 7)), "bias": jnp.zeros(7)},
    "out": {"kernel": jnp.zeros((7, 3)), "bias": jnp.ones(3)},
}


def test_kernels_are_drawn_by_their_path(client):
    drawn = initialize(PARAMS, 42, client=client)
    np.testing.assert_array_equal(drawn["hidden"]["kernel"], draw(5, 7, name="hidden/kernel"))
    np.testing.assert_array_equal(drawn["out"]["kernel"], draw(7, 3, name="out/kernel"))


def test_a_bare_tree_does_not_show_what_follows_and_says_so(client):
    with pytest.warns(UnknownActivationWarning, match="a tree does not show how it is used"):
        found = plan(PARAMS, 42, client=client)
    assert found.unknown == ("hidden/kernel", "out/kernel")


def test_a_tree_of_which_no_kernel_is_known_is_refused(client):
    with pytest.raises(ModelRejected, match="no kernel is recognized among a, b"):
        initialize({"a": jnp.zeros((3, 4)), "b": jnp.zeros(4)}, 42, client=client)


def test_unless_strict_it_is_left_as_it_is(client):
    tree = {"a": jnp.ones((3, 4))}
    assert initialize(tree, 42, strict=False, client=client)["a"] is tree["a"]


def test_what_is_no_kernel_stays_the_same_object(client):
    assert initialize(PARAMS, 42, client=client)["out"]["bias"] is PARAMS["out"]["bias"]


def test_the_tree_that_is_given_stays_as_it_is(client):
    initialize(PARAMS, 42, client=client)
    assert not PARAMS["hidden"]["kernel"].any()


def test_rules_say_what_follows(client):
    drawn = initialize(PARAMS, 42, rules={"hidden/*": {"activation": "relu"}}, client=client)
    np.testing.assert_array_equal(
        drawn["hidden"]["kernel"], draw(5, 7, name="hidden/kernel", activation="relu")
    )


def test_a_rule_can_leave_leaves_alone(client):
    drawn = initialize(PARAMS, 42, rules={"out/*": None}, client=client)
    assert drawn["out"]["kernel"] is PARAMS["out"]["kernel"]


PACKED = {"cell": {"kernel": jnp.arange(24.0).reshape(3, 8)}}
GATES = {"*/kernel": {"parts": ["i", "f", "g", "o"], "activation": "tanh"}}


@pytest.mark.parametrize("left", ["i", "f", "o"])
def test_a_part_that_a_rule_leaves_alone_keeps_its_values(client, left):
    drawn = initialize(PACKED, 42, rules={f"*/kernel.{left}": None, **GATES}, client=client)
    parts = dict(zip("ifgo", np.split(np.asarray(drawn["cell"]["kernel"]), 4, axis=-1), strict=True))
    old = dict(zip("ifgo", np.split(np.asarray(PACKED["cell"]["kernel"]), 4, axis=-1), strict=True))
    np.testing.assert_array_equal(parts[left], old[left])
    for gate in set("ifgo") - {left}:
        expected = draw(3, 2, name=f"cell/kernel.{gate}", activation="tanh")
        np.testing.assert_array_equal(parts[gate], expected)


def test_all_parts_left_alone_are_the_same_object(client):
    drawn = initialize(PACKED, 42, rules={"*/kernel.*": None, **GATES}, client=client)
    assert drawn["cell"]["kernel"] is PACKED["cell"]["kernel"]


def test_a_part_of_an_abstract_leaf_cannot_be_left_alone(client):
    abstract = jax.eval_shape(lambda: PACKED)
    with pytest.raises(ModelRejected, match=r"cell/kernel\.f: an abstract leaf has no values"):
        initialize(abstract, 42, rules={"*/kernel.f": None, **GATES}, client=client)


def test_a_rule_that_matches_nothing_is_refused(client):
    with pytest.raises(ModelRejected, match=r"rules\['hiden/\*'\] matches none of the 4 tensors"):
        initialize(PARAMS, 42, rules={"hiden/*": None}, client=client)


def test_names_can_be_another_framework_s(client):
    drawn = initialize(PARAMS, 42, rename=lambda path: path.replace("/kernel", ".weight"), client=client)
    np.testing.assert_array_equal(drawn["hidden"]["kernel"], draw(5, 7, name="hidden.weight"))


def test_what_the_service_refuses_names_the_tensor(client):
    with pytest.raises(SpecRejected, match="activation must name an activation function") as caught:
        initialize(PARAMS, 42, rules={"hidden/kernel": {"activation": "reluu"}}, client=client)
    assert caught.value.__notes__ == ["This was requested for hidden/kernel."]


def test_shapes_are_enough(client):
    abstract = jax.eval_shape(lambda: {"out": {"kernel": jnp.zeros((7, 3), jnp.bfloat16)}})
    drawn = initialize(abstract, 42, client=client)["out"]["kernel"]
    np.testing.assert_array_equal(drawn, draw(7, 3, name="out/kernel", dtype="bfloat16"))


def test_a_trace_is_refused(client):
    with pytest.raises(TypeError, match="initialize cannot be traced"):
        jax.jit(lambda params: initialize(params, 42, client=client))(PARAMS)


def test_a_plan_says_what_is_resolved_for_each_leaf(client):
    found = plan(PARAMS, 42, rules={"hidden/*": {"activation": "relu"}}, client=client)
    assert found["hidden/kernel"].formula == "σ² = 2 / fan_in = 2 / 5"
    assert found["hidden/bias"].scheme == "kept"


def test_a_plan_asks_once_for_all_that_is_alike(counting):
    params = {name: {"kernel": jnp.zeros((5, 7))} for name in "abc"}
    found = plan(params, 42, client=counting)
    assert counting.queried == [(5, 7)]
    assert found["a/kernel"].variance == found["c/kernel"].variance


def test_a_plan_says_for_what_it_was_refused(client):
    with pytest.raises(SpecRejected) as caught:
        plan(PARAMS, 42, rules={"out/kernel": {"activation": "reluu"}}, client=client)
    assert caught.value.__notes__ == ["This was requested for out/kernel."]


class Model(nnx.Module):
    """A model with all the kernels that have a row."""

    def __init__(self, rngs):
        self.embed = nnx.Embed(9, 6, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 6, decode=False, rngs=rngs)
        self.conv = nnx.Conv(6, 4, (3,), rngs=rngs)
        self.memory = nnx.LSTMCell(4, 5, rngs=rngs)


def test_the_kernels_of_nnx_are_known_by_their_names(client):
    params = nnx.state(nnx.eval_shape(lambda: Model(nnx.Rngs(0))), nnx.Param)
    layouts = {row.name: row.layout for row in plan(params, 42, client=client) if row.layout}
    gates = [f"{side}{gate}" for side in "ih" for gate in "ifgo"]
    memory = {f"memory/{'if_' if gate == 'if' else gate}/kernel": "IO" for gate in gates}
    assert layouts == {
        "attention/key/kernel": "IOO",
        "attention/out/kernel": "IIO",
        "attention/query/kernel": "IOO",
        "attention/value/kernel": "IOO",
        "conv/kernel": "WIO",
        "embed/embedding": "IO",
        **memory,
    }


def test_an_embedding_spreads_as_flax_has_it(client):
    params = {"embedding": jnp.zeros((300, 200))}
    ours = np.asarray(initialize(params, 42, client=client)["embedding"])
    theirs = nnx.Embed(300, 200, rngs=nnx.Rngs(0)).embedding[...]
    assert ours.std() == pytest.approx(np.asarray(theirs).std(), rel=1e-2)


def test_a_model_of_nnx_takes_what_was_drawn(client):
    model = nnx.Linear(5, 7, rngs=nnx.Rngs(0))
    nnx.update(model, initialize(nnx.state(model, nnx.Param), 42, client=client))
    np.testing.assert_array_equal(model.kernel[...], draw(5, 7, name="kernel"))


def test_linen_s_boxes_are_no_part_of_a_path():
    module = nn.Dense(7, kernel_init=nn.with_partitioning(nn.initializers.zeros, (None, "x")))
    params = module.init(jax.random.key(0), jnp.zeros((1, 5)))["params"]
    paths = [name_path(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    assert paths == ["bias", "kernel"]


def test_the_default_client_is_asked_where_none_is_given(service):
    drawn = initialize({"out": {"kernel": jnp.zeros((7, 3))}}, "42")
    np.testing.assert_array_equal(drawn["out"]["kernel"], draw(7, 3, name="out/kernel"))
