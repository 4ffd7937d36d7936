"""Tensors of a model may have every field of a layer, and are the same by the client and by the service."""

import numpy as np
import pytest
from weightinit import Model, Spec

TENSORS = [
    {"name": "transposed", "shape": [3, 3, 4, 4], "stride": 2, "transposed": True},
    {"name": "strides", "shape": [3, 3, 4, 4], "stride": [2, 1]},
    {"name": "orthogonal", "shape": [4, 4], "scheme": "orthogonal"},
    {
        "name": "preserve",
        "shape": [4, 4],
        "scheme": "preserve",
        "activation": "elu",
        "activation_parameter": 0.5,
    },
    {"name": "mean", "shape": [4, 4], "stddev": 0.5, "mean": 1.0},
    {"name": "interval", "shape": [4, 4], "low": 0, "high": 1.5},
    {"name": "cut", "shape": [4, 4], "parent_stddev": 0.5, "lower": 0, "upper": 3},
    {
        "name": "sparse",
        "shape": [4, 4],
        "scheme": "sparse",
        "stddev": 0.5,
        "sparsity": 0.5,
        "sparsity_axis": "O",
    },
    {"name": "dirac", "shape": [3, 3, 4, 4], "scheme": "dirac", "center": "torch", "gain": 0.5},
]
MODEL = {"seed": 42, "defaults": {"gain": 2.0, "scheme": "he"}, "tensors": TENSORS}


def test_the_client_s_model_has_the_id_of_its_json(client):
    assert client.publish(Model.from_json(MODEL)).id == client.publish(MODEL).id


def test_a_fetched_model_is_published_as_itself(client):
    published = client.publish(MODEL).id
    assert client.publish(client.model(published)).id == published


def test_the_parameters_of_a_file_are_those_that_the_service_resolves(client):
    published = client.publish(MODEL).id
    by_service = {row.name: row for row in client.model_parameters(published)}
    assert {row.name: row for row in client.model_parameters(Model.from_json(MODEL))} == by_service


@pytest.mark.parametrize("name", [row["name"] for row in TENSORS])
def test_the_weights_of_a_tensor_are_those_of_its_published_spec(client, name):
    specs = [
        model.by_name[name].parts[0].spec
        for model in (Model.from_json(MODEL), client.model(client.publish(MODEL).id))
    ]
    assert all(isinstance(spec, Spec) for spec in specs)
    np.testing.assert_array_equal(*(client.weights(spec) for spec in specs))


def test_zeros_and_a_constant_of_a_drawn_tensor_are_constants_once_published(client):
    tensors = [
        {"name": "zeros", "shape": [4], "scheme": "zeros"},
        {"name": "b", "shape": [4], "constant": 0.5},
    ]
    published = client.model(client.publish({"seed": 42, "tensors": tensors}).id)
    assert {row.name: row.parts[0].value for row in published.tensors} == {"zeros": 0.0, "b": 0.5}
