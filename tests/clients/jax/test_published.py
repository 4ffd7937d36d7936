"""A tree initialized by reference gets the published bits, in JAX's order of axes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from weightinit import Model, NotFound, Part, Spec, SpecRejected, TensorSpec
from weightinit.jax import ModelRejected, initialize

from tests.clients.drawing import draw

PARAMS = {
    "hidden": {"kernel": jnp.zeros((5, 7)), "bias": jnp.ones(7)},
    "out": {"kernel": jnp.zeros((7, 3)), "bias": jnp.ones(3)},
}


def name_as_torch(path):
    return path.replace("/kernel", ".weight").replace("/", ".")


def make_linear(name, inputs, outputs, **said):
    """Make the tensors of a layer in PyTorch's order."""
    weight = Part.of(Spec((outputs, inputs), layout="OI", name=f"{name}.weight", **said))
    return [
        TensorSpec.of(f"{name}.weight", weight),
        TensorSpec.of(f"{name}.bias", Part.constant(outputs, 0)),
    ]


@pytest.fixture(scope="module")
def published(client):
    """A model as PyTorch publishes it."""
    tensors = (*make_linear("hidden", 5, 7, activation="relu"), *make_linear("out", 7, 3))
    return client.publish(Model(42, tensors), name="tests/jax/1", author="tests").name


def test_kernels_are_turned_and_biases_filled(client, published):
    drawn = initialize(PARAMS, published, rename=name_as_torch, client=client)
    expected = draw(7, 5, name="hidden.weight", layout="OI", activation="relu").T
    np.testing.assert_array_equal(drawn["hidden"]["kernel"], expected)
    assert drawn["hidden"]["bias"].tolist() == [0] * 7


def test_the_tree_that_is_given_stays_as_it_is(client, published):
    initialize(PARAMS, published, rename=name_as_torch, client=client)
    assert PARAMS["hidden"]["bias"].all()


def test_shapes_are_enough_and_dtypes_are_the_leaves(client, published):
    abstract = jax.eval_shape(lambda: jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), PARAMS))
    drawn = initialize(abstract, published, rename=name_as_torch, client=client)
    expected = draw(3, 7, name="out.weight", layout="OI", dtype="bfloat16").T
    np.testing.assert_array_equal(drawn["out"]["kernel"], expected)


def test_an_id_will_do(client, published):
    model = client.resolve(published).model
    drawn = initialize(PARAMS, model, rename=name_as_torch, client=client)
    np.testing.assert_array_equal(drawn["out"]["kernel"], draw(3, 7, name="out.weight", layout="OI").T)


def test_a_seed_may_still_be_text(client):
    drawn = initialize(PARAMS, "42", rules={"*": {"activation": "none"}}, client=client)
    np.testing.assert_array_equal(drawn["out"]["kernel"], draw(7, 3, name="out/kernel"))


def test_a_rule_says_which_axis_is_which(client):
    params = {"table": jnp.zeros((4, 4))}
    tensor = TensorSpec.of("table", Part.of(Spec((4, 4), layout="OI", name="table")))
    model = client.publish(Model(42, (tensor,))).id
    plain = initialize(params, model, client=client)["table"]
    turned = initialize(params, model, rules={"table": {"layout": "IO"}}, client=client)["table"]
    np.testing.assert_array_equal(plain, draw(4, 4, name="table", layout="OI"))
    np.testing.assert_array_equal(turned, draw(4, 4, name="table"))


def test_a_rule_can_leave_leaves_alone(client, published):
    rules = {"out/*": None}
    drawn = initialize(PARAMS, published, rules=rules, rename=name_as_torch, strict=False, client=client)
    assert drawn["out"]["kernel"] is PARAMS["out"]["kernel"]


def test_a_rule_may_say_no_more(client, published):
    with pytest.raises(ModelRejected, match="a rule may only give the layout of out/kernel"):
        initialize(PARAMS, published, rules={"out/kernel": {"scheme": "he"}}, client=client)


def test_a_rule_that_matches_nothing_is_refused(client, published):
    with pytest.raises(ModelRejected, match=r"rules\['hiden/\*'\] matches none of the 4 tensors"):
        initialize(PARAMS, published, rules={"hiden/*": None}, client=client)


def test_rules_are_checked_before_the_model_is_asked_for(client):
    with pytest.raises(ModelRejected, match="matches none"):
        initialize(PARAMS, "tests/unknown/1", rules={"hiden/*": None}, client=client)


def test_every_mismatch_is_listed_at_once_before_anything_is_fetched(counting, published):
    params = {**PARAMS, "out": {"kernel": jnp.zeros((8, 3))}, "extra": jnp.zeros(2)}
    with pytest.raises(ModelRejected) as caught:
        initialize(params, published, rename=name_as_torch, client=counting)
    for said in (
        "out/kernel [8, 3] IO is published as out.weight [3, 7] OI",
        "extra [2] is not published",
        "out.bias [3] is published, but not in the model",
    ):
        assert said in str(caught.value)
    assert counting.asked == []


def test_unless_strict_what_only_one_of_the_two_has_is_left_alone(client, published):
    params = {"out": PARAMS["out"], "extra": jnp.full(2, 7)}
    drawn = initialize(params, published, rename=name_as_torch, strict=False, client=client)
    assert drawn["extra"] is params["extra"]
    assert drawn["out"]["bias"].tolist() == [0] * 3


def test_integers_are_no_weights(client, published):
    params = {**PARAMS, "count": jnp.zeros((), jnp.int32)}
    drawn = initialize(params, published, rename=name_as_torch, client=client)
    assert drawn["count"] is params["count"]


def test_a_trace_is_refused(client, published):
    with pytest.raises(TypeError, match="initialize cannot be traced"):
        jax.jit(lambda params: initialize(params, published, client=client))(PARAMS)


@pytest.mark.parametrize("reference", ["vision", "a/b", ""])
def test_what_is_no_reference_is_refused(client, reference):
    with pytest.raises(SpecRejected):
        initialize(PARAMS, reference, client=client)


def test_what_is_not_published_is_not_found(client):
    with pytest.raises(NotFound):
        initialize(PARAMS, "tests/unknown/1", client=client)
