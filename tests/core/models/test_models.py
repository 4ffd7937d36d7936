"""Every dense and convolution tensor of two well-known networks, against the frameworks themselves.

The frameworks compute the bounds of their draws; the drawing itself is replaced by a recorder.
"""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from service.core import LayerSpec, resolve_parameters

MODELS = json.loads((Path(__file__).parent / "data" / "models.json").read_text(encoding="utf-8"))
TENSORS = [
    pytest.param(tensor["keras"], tensor["torch"], id=f"{model}-{tensor['name']}")
    for model, facts in MODELS.items()
    for tensor in facts["tensors"]
]


@pytest.mark.parametrize("model", MODELS)
def test_shapes_and_the_rest_add_up_to_the_published_parameter_count(model):
    facts = MODELS[model]
    kernels = sum(math.prod(tensor["keras"]) for tensor in facts["tensors"])
    assert kernels + sum(facts["other_parameters"].values()) == facts["published_parameters"]


def decide_limits(shape, layout, cases):
    """The limits of several schemes for one tensor, each case a pair (scheme, mode)."""
    return [
        resolve_parameters(LayerSpec(shape=tuple(shape), layout=layout, scheme=scheme, mode=mode)).limit
        for scheme, mode in cases
    ]


@pytest.mark.parametrize(("keras_shape", "torch_shape"), TENSORS)
def test_limits_equal_keras(keras_shape, torch_shape, monkeypatch):
    from keras import initializers
    from keras.src.initializers import random_initializers

    def record_limit(_shape, maxval, **_options):
        return maxval

    monkeypatch.setattr(random_initializers.random, "uniform", record_limit)
    computed = [
        initializers.GlorotUniform(seed=1)(keras_shape),
        initializers.HeUniform(seed=1)(keras_shape),
        initializers.LecunUniform(seed=1)(keras_shape),
        initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=1)(keras_shape),
        initializers.VarianceScaling(2.0, "fan_avg", "uniform", seed=1)(keras_shape),
    ]
    cases = [
        ("glorot_uniform", None),
        ("he_uniform", None),
        ("lecun_uniform", None),
        ("he_uniform", "fan_out"),
        ("he_uniform", "fan_avg"),
    ]
    assert decide_limits(keras_shape, "keras", cases) == pytest.approx(computed, rel=1e-15)


@pytest.mark.parametrize(("keras_shape", "torch_shape"), TENSORS)
def test_fans_equal_keras(keras_shape, torch_shape):
    from keras.src.initializers.random_initializers import compute_fans

    decided = resolve_parameters(LayerSpec(shape=tuple(keras_shape)))
    assert (decided.fan_in, decided.fan_out) == compute_fans(keras_shape)


@pytest.mark.parametrize(("keras_shape", "torch_shape"), TENSORS)
def test_limits_equal_torch(keras_shape, torch_shape, monkeypatch):
    import torch
    from torch.nn import init

    def record_limit(_tensor, _low, high, **_options):
        return high

    monkeypatch.setattr(torch.Tensor, "uniform_", record_limit)
    tensor = torch.empty(torch_shape, device="meta")
    computed = [
        init.xavier_uniform_(tensor),
        init.kaiming_uniform_(tensor, nonlinearity="relu"),
        init.kaiming_uniform_(tensor, nonlinearity="relu", mode="fan_out"),
        init.kaiming_uniform_(tensor, nonlinearity="linear"),
    ]
    cases = [
        ("xavier_uniform", None),
        ("kaiming_uniform", None),
        ("kaiming_uniform", "fan_out"),
        ("lecun_uniform", None),
    ]
    assert decide_limits(torch_shape, "torch", cases) == pytest.approx(computed, rel=1e-15)


@pytest.mark.parametrize(("keras_shape", "torch_shape"), TENSORS)
def test_fans_equal_torch(keras_shape, torch_shape):
    import torch
    from torch.nn import init

    decided = resolve_parameters(LayerSpec(shape=tuple(torch_shape), layout="torch"))
    fans = init._calculate_fan_in_and_fan_out(torch.empty(torch_shape, device="meta"))
    assert (decided.fan_in, decided.fan_out) == fans


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.2, 1.0, -0.5])
def test_leaky_scale_is_the_square_of_the_gain_of_torch(slope):
    from torch.nn.init import calculate_gain

    decided = resolve_parameters(LayerSpec(shape=(784, 300), activation="leaky_relu", negative_slope=slope))
    assert decided.scale == pytest.approx(calculate_gain("leaky_relu", slope) ** 2, rel=1e-15)


@pytest.mark.parametrize(("keras_shape", "torch_shape"), TENSORS)
def test_limits_equal_jax(keras_shape, torch_shape, monkeypatch):
    import jax
    from jax._src.nn import initializers as source

    # A draw of 1 comes out as the limit, in the float32 that JAX computes it in.
    monkeypatch.setattr(source, "random", SimpleNamespace(uniform=lambda *_arguments, **_options: 1))
    initializers = jax.nn.initializers
    makers = [
        initializers.glorot_uniform(),
        initializers.he_uniform(),
        initializers.lecun_uniform(),
        initializers.variance_scaling(2.0, "fan_out", "uniform"),
        initializers.variance_scaling(2.0, "fan_geo_avg", "uniform"),
    ]
    cases = [
        ("glorot_uniform", None),
        ("he_uniform", None),
        ("lecun_uniform", None),
        ("he_uniform", "fan_out"),
        ("he_uniform", "fan_geo_avg"),
    ]
    computed = [float(make(None, keras_shape, "float32")) for make in makers]
    assert decide_limits(keras_shape, "keras", cases) == pytest.approx(computed, rel=2**-22)
