"""Parts along any axis and values, between the client and a real service."""

import numpy as np
import pytest
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
