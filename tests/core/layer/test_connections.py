"""Fans of strided, transposed and grouped convolutions, and the fans that frameworks count."""

import math

import pytest

from service.core import LayerSpec, resolve_parameters
from service.core.layer.fans import compute_fans


def count(shape, **fields):
    parameters = resolve_parameters(LayerSpec.parse({"shape": shape, "scheme": "he", **fields}))
    return parameters.fan_in, parameters.fan_out


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (4, 2), (6, 3), (2, 2), (3, 2)])
def test_fan_out_is_the_mean_number_of_units_that_an_input_feeds(kernel, stride):
    """Counted on a line: unit u has the inputs stride · u to stride · u + kernel - 1."""
    fed = [start * stride + tap for start in range(3000) for tap in range(kernel)]
    inputs = range(1200, 1200 + 60 * stride)
    mean = sum(fed.count(position) for position in inputs) / len(inputs)
    assert float(compute_fans((kernel, 5, 7), "WIO", stride=(stride,)).fan_out) == pytest.approx(7 * mean)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (4, 2), (6, 3), (2, 2)])
def test_a_transposed_convolution_has_the_fans_exchanged(kernel, stride):
    plain = compute_fans((kernel, 5, 7), "WIO", stride=(stride,))
    turned = compute_fans((kernel, 7, 5), "WIO", stride=(stride,), transposed=True)
    assert (turned.fan_in, turned.fan_out) == (plain.fan_out, plain.fan_in)


def test_a_fan_that_is_not_whole_is_told_as_a_fraction():
    assert count((3, 3, 5, 7), stride=2) == (45, 15.75)


def test_a_stride_for_each_axis_divides_by_their_product():
    assert count((3, 3, 5, 8), stride=[1, 2]) == (45, 36)


def test_groups_of_a_transposed_convolution_divide_its_inputs():
    assert count((8, 3, 4, 4), layout="IOHW", groups=2, transposed=True) == (64, 48)


SHAPES = [(4, 3), (3, 5, 7), (3, 3, 8, 16), (2, 3, 4, 5, 6)]


@pytest.mark.parametrize("shape", [(9,), *SHAPES])
def test_fans_as_keras_are_those_of_keras(shape):
    from keras.src.initializers.random_initializers import compute_fans as count_in_keras

    expected = count_in_keras(shape)
    assert count(shape, fans_as="keras") == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_fans_as_torch_are_those_of_pytorch(shape):
    import torch

    expected = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert count(shape, layout="torch", fans_as="torch") == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_fans_as_jax_are_those_of_jax(shape):
    from jax._src.nn.initializers import _compute_fans

    assert count(shape, fans_as="jax") == tuple(_compute_fans(shape))


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (1, 4), (2, 1), (2, 4)])
def test_the_gradient_keeps_its_variance_with_fan_out(stride, groups):
    """Measured in PyTorch: 64 channels, kernel 4, weights of σ² = 1 / fan_out, gradients of N(0, 1)."""
    import torch

    _, fan_out = count((64, 64 // groups, 4, 4), layout="torch", stride=stride, groups=groups)
    generator = torch.Generator().manual_seed(5)
    layer = torch.nn.Conv2d(64, 64, 4, stride, groups=groups, bias=False)
    with torch.no_grad():
        layer.weight.normal_(0, math.sqrt(1 / fan_out), generator=generator)
    inputs = torch.randn(4, 64, 24, 24, generator=generator, requires_grad=True)
    outputs = layer(inputs)
    outputs.backward(torch.randn(outputs.shape, generator=generator))
    assert float(inputs.grad[..., 6:18, 6:18].var()) == pytest.approx(1, rel=0.06)
