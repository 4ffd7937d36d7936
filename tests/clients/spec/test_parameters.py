"""Parameters are read from any version of the service."""

from dataclasses import fields

import pytest
from weightinit import Parameters
from weightinit.spec.parameters import Propagation

from service.core.layer.parameters import Parameters as Sent
from service.core.signal.propagation import Propagation as SentPropagation

# What the service sent for (784, 300) and relu before it had the newer fields.
OLD = {
    "shape": [784, 300],
    "layout": "IO",
    "dtype": "float32",
    "activation": "relu",
    "scheme": "he",
    "mode": "fan_in",
    "distribution": "uniform",
    "fan_in": 784,
    "fan_out": 300,
    "fan_avg": 542,
    "scale": 2.0,
    "variance": 0.002551020408163265,
    "stddev": 0.05050762722761053,
    "limit": 0.08748177652797066,
    "formula": "σ² = 2 / fan_in = 2 / 784",
    "reason": "ReLU zeroes half of its inputs.",
    "reference": "He et al. (2015)",
}


def test_an_older_service_is_read():
    read = Parameters.from_json(OLD)
    assert (read.mean, read.gain, read.lower, read.propagation) == (0.0, 1.0, None, None)


@pytest.mark.parametrize("name", OLD)
def test_a_field_that_every_service_sends_is_required(name):
    with pytest.raises(ValueError, match=name):
        Parameters.from_json({key: value for key, value in OLD.items() if key != name})


def test_a_field_of_another_type_is_refused():
    with pytest.raises(ValueError, match="forward"):
        Parameters.from_json({**OLD, "propagation": {"forward": "1", "backward": 1.0}})


def test_fields_of_a_newer_service_are_ignored():
    newer = {**OLD, "new": 1, "propagation": {"forward": 1.0, "backward": 1, "new": 2}}
    assert Parameters.from_json(newer).propagation == Propagation(1.0, 1.0)


@pytest.mark.parametrize(("ours", "sent"), [(Parameters, Sent), (Propagation, SentPropagation)])
def test_the_fields_are_those_that_the_service_sends(ours, sent):
    assert {row.name for row in fields(ours)} == {row.name for row in fields(sent)}


def test_a_layer_has_its_propagation(client):
    found = client.parameters((512, 512), activation="gelu", scheme="he").propagation
    assert found.forward == 0.8504  # 2 E[gelu(z)²], by SciPy's quad: 0.85035


def test_fans_of_a_stride_need_not_be_whole(client):
    assert client.parameters((3, 3, 4, 5), stride=2).fan_out == 11.25  # 45 / 4


def test_an_orthogonal_matrix_has_no_distribution(client):
    found = client.parameters((6, 4), scheme="orthogonal", gain=2.0)
    assert (found.distribution, found.gain, repr(found)[:40]) == (
        None,
        2.0,
        "<Parameters 6×4 none: orthogonal, σ² = g",
    )


def test_a_constant_has_its_value_as_the_mean(client):
    found = client.parameters((6, 4), constant=0.5)
    assert (found.scheme, found.mean, found.variance, found.propagation) == ("constant", 0.5, 0.0, None)
