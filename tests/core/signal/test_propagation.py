"""Propagation of signals, against an iteration by Gauss-Hermite quadrature and against real layers."""

import numpy as np
import pytest

from service.core import LayerSpec, resolve_parameters
from service.core.layer.propagate import add_propagation


def propagate(**fields):
    spec = LayerSpec.parse({"shape": (512, 512), **fields})
    return add_propagation(spec, resolve_parameters(spec)).propagation


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(200)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@pytest.mark.parametrize("gain", [1.2, 1.5, 3.0])
def test_the_fixed_point_of_tanh_is_where_an_iteration_ends(gain):
    """Poole et al. (2016), equation 3, without biases."""
    q = 1.0
    for _ in range(5000):
        q = gain * (WEIGHTS @ np.tanh(np.sqrt(q) * NODES) ** 2)
    chi = gain * (WEIGHTS @ (1 - np.tanh(np.sqrt(q) * NODES) ** 2) ** 2)
    found = propagate(activation="tanh", scheme="variance_scaling", scale=gain)
    assert (found.fixed_point, found.chi) == pytest.approx((q, chi), rel=5e-3)


def test_the_depth_scale_is_the_inverse_of_the_logarithm_of_chi():
    found = propagate(activation="tanh", scheme="variance_scaling", scale=1.5)
    assert found.depth_scale == pytest.approx(1 / np.log(found.chi), rel=0.1)


@pytest.mark.parametrize(
    ("activation", "scheme", "forward"),
    [("gelu", "he", 0.850), ("silu", "he", 0.712), ("tanh", "glorot", 0.394)],
)
def test_the_forward_factor_of_common_choices(activation, scheme, forward):
    assert propagate(activation=activation, scheme=scheme).forward == pytest.approx(forward, abs=6e-4)


def test_a_rectifier_under_he_keeps_any_variance():
    found = propagate(activation="relu", scheme="he")
    assert (found.forward, found.backward, found.fixed_point, found.chi) == (1.0, 1.0, None, 1.0)


def test_selu_under_lecun_has_its_fixed_point_at_one():
    """Klambauer et al. (2017), section 2."""
    assert propagate(activation="selu", scheme="lecun").fixed_point == pytest.approx(1, rel=2e-3)


def test_signals_that_vanish_have_a_fixed_point_of_zero():
    assert propagate(activation="gelu", scheme="he").fixed_point == 0.0


def test_signals_that_explode_have_no_fixed_point():
    assert propagate(activation="selu", scheme="variance_scaling", scale=2.0).fixed_point is None


def test_softmax_has_no_propagation():
    assert propagate(activation="softmax") is None


def test_a_constant_has_no_propagation():
    assert propagate(scheme="zeros") is None


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "swiglu", "elu", "sin"])
def test_preserve_keeps_the_variance_of_signals(activation):
    assert propagate(activation=activation, scheme="preserve").forward == 1.0


@pytest.mark.parametrize("activation", ["gelu", "silu", "mish", "tanh", "elu", "softplus"])
def test_preserve_has_a_fixed_point_of_one(activation):
    assert propagate(activation=activation, scheme="preserve").fixed_point == 1.0


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "elu"])
def test_preserve_with_fan_out_keeps_the_variance_of_gradients(activation):
    assert propagate(activation=activation, scheme="preserve", mode="fan_out").backward == 1.0


def test_preserve_is_glorot_for_a_linear_layer_and_he_for_a_rectifier():
    shape = (784, 300)
    for activation, scheme in (("linear", "glorot"), ("relu", "he")):
        fields = {"shape": shape, "activation": activation, "mode": "fan_avg", "distribution": "normal"}
        ours, theirs = (
            resolve_parameters(LayerSpec.parse({**fields, "scheme": name})) for name in ("preserve", scheme)
        )
        assert ours.stddev == pytest.approx(theirs.stddev, rel=1e-15)


@pytest.mark.parametrize("activation", ["gelu", "tanh", "silu"])
def test_forward_is_what_a_real_layer_does(activation):
    """Measured in PyTorch: the second moment after a dense layer of 512 by 512, within 5 standard errors."""
    import torch

    function = {"gelu": torch.nn.functional.gelu, "tanh": torch.tanh, "silu": torch.nn.functional.silu}
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(512, 512, generator=generator) * (2 / 512) ** 0.5
    inputs = function[activation](torch.randn(20000, 512, generator=generator))
    second = float((inputs @ weights).var())
    assert second == pytest.approx(propagate(activation=activation, scheme="he").forward, rel=0.02)
