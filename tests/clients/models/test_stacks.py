"""Parts along any axis and values, between the client and a real service."""

import numpy as np
import pytest
import torch
import weightinit.torch
from weightinit import Spec, SpecRejected
from weightinit.models import Model, Part, TensorSpec
from weightinit.models.diff import Side, find_differences


def make_model(**options):
    heads = (Part.of(Spec((8, 4), layout="IO", seed=42, name=f"qkv.{name}")) for name in "qkv")
    return Model(
        42,
        (
            TensorSpec.of("qkv", *heads, axis=1),
            TensorSpec.of("ids", Part.values((1, 16), "arange", **options), dtype="int64"),
            TensorSpec.of("positions", Part.values((9, 8), "sinusoidal", grid=(3, 3))),
        ),
    )


def test_a_model_with_an_axis_and_values_is_the_same_after_a_round_trip(client):
    model = make_model(start=3)
    published = client.publish(model)
    found = client.model(published.id)
    assert client.publish(found).id == published.id
    assert {tensor.name: tensor for tensor in found.tensors} == {
        tensor.name: tensor for tensor in model.tensors
    }


def test_a_tensor_of_a_published_model_is_fetched_by_its_name(client):
    model = client.publish(make_model(start=3)).id
    heads = [client.weights((8, 4), layout="IO", seed=42, name=f"qkv.{name}") for name in "qkv"]
    assert np.array_equal(client.tensor(model, "qkv"), np.concatenate(heads, 1))
    assert np.array_equal(client.tensor(model, "qkv", slice=":,2:6"), np.concatenate(heads, 1)[:, 2:6])
    assert np.array_equal(client.tensor(model, "ids"), np.arange(3, 19)[None])


def test_the_parameters_say_the_axis_and_the_rule(client):
    rows = {row.name: row for row in client.model_parameters(client.publish(make_model(start=3)).id)}
    assert rows["qkv"].axis == 1
    assert rows["ids"].parts[0].summarize() == "arange, start=3"


def test_another_option_is_a_difference(client):
    sides = []
    for start in (0, 3):
        rows = client.model_parameters(client.publish(make_model(start=start)).id)
        sides.append(Side(f"start {start}", 42, 1, rows))
    (difference,) = find_differences(*sides)
    assert difference == ("ids", "values arange → arange, start=3")


@pytest.mark.parametrize(
    ("parts", "axis", "rule"),
    [
        ((Part.constant((3, 4), 0), Part.constant((2, 4), 0)), 1, "of equal shapes except for axis 1"),
        ((Part.constant((3,), 0), Part.constant((3,), 0)), 1, "of equal shapes except for axis 1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, axis, rule):
    with pytest.raises(SpecRejected, match=rule):
        TensorSpec.of("x", *parts, axis=axis)


def test_a_part_takes_a_range_of_a_later_axis():
    part = Part.of(Spec((4, 10), name="x"), ":,1:10", axis=1)
    assert (part.shape, part.slice_text) == ((4, 9), ":,1:10")


def test_a_part_takes_a_range_of_one_axis_only():
    with pytest.raises(SpecRejected, match="must be a range of axis 1"):
        Part.of(Spec((4, 10), name="x"), "0:2,1:10", axis=1)


def publish_fused(client, layout, axis):
    """Publish a layer of 8 inputs and three times 4 outputs, whose parts are stacked along its outputs."""
    shape = (8, 4) if layout == "IO" else (4, 8)
    heads = (Part.of(Spec(shape, layout=layout, seed=42, name=f"weight.{name}")) for name in "qkv")
    tensors = (TensorSpec.of("weight", *heads, axis=axis), TensorSpec.of("bias", Part.constant(12, 0)))
    return client.publish(Model(42, tensors)).id


@pytest.mark.parametrize(("layout", "axis"), [("IO", 1), ("OI", 0)])
def test_a_live_model_starts_from_parts_along_either_axis(client, layout, axis):
    model = torch.nn.Linear(8, 12)
    published = publish_fused(client, layout, axis)
    weightinit.torch.initialize_(model, published, client=client)
    served = client.tensor(published, "weight")
    assert np.array_equal(model.weight.detach().numpy(), served.T if layout == "IO" else served)


def test_a_live_model_is_not_set_to_values_that_follow_from_a_rule(client):
    class Positions(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Parameter(torch.zeros(9, 8))

    tensor = TensorSpec.of("table", Part.values((9, 8), "sinusoidal"))
    published = client.publish(Model(42, (tensor,))).id
    with pytest.raises(weightinit.torch.ModelRejected, match=r"table of .* follows from a rule .*sinusoidal"):
        weightinit.torch.initialize_(Positions(), published, client=client)
