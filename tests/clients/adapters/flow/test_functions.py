"""Activation functions are recognized by their values; the expected ones are PyTorch's."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from weightinit.adapters.flow.functions import GRID, recognize

X = torch.from_numpy(GRID)

PYTORCH = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "hard_silu": F.hardswish,
    "hard_sigmoid": F.hardsigmoid,
    "hard_tanh": F.hardtanh,
    "hard_shrink": F.hardshrink,
    "soft_shrink": F.softshrink,
    "tanh_shrink": F.tanhshrink,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "log_sigmoid": F.logsigmoid,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "exponential": torch.exp,
    "none": lambda x: x,
}

SPELLED = {
    "leaky_relu of slope 0.2": (lambda x: torch.where(x > 0, x, 0.2 * x), "leaky_relu"),
    "relu by clamp": (lambda x: x.clamp(min=0), "relu"),
    "relu by absolute values": (lambda x: (x + x.abs()) / 2, "relu"),
    "relu by a comparison": (lambda x: x * (x > 0), "relu"),
    "relu, scaled": (lambda x: 1.7139588594436646 * F.relu(x), "relu"),
    "gelu by erf": (lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2))), "gelu"),
    "gelu by tanh": (
        lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        "gelu_tanh",
    ),
    "quick gelu": (lambda x: x * torch.sigmoid(1.702 * x), "quick_gelu"),
    "silu": (lambda x: x / (1 + torch.exp(-x)), "silu"),
    "hard sigmoid by relu6": (lambda x: F.relu6(x + 3) / 6, "hard_sigmoid"),
    "hard silu by relu6": (lambda x: x * F.relu6(x + 3) / 6, "hard_silu"),
    "mish": (lambda x: x * torch.tanh(F.softplus(x)), "mish"),
    "tanh by exponentials": (lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()), "tanh"),
    "tanh by sigmoid, an offset": (lambda x: 2 * torch.sigmoid(x) - 1, "sigmoid"),
    "elu of another alpha": (lambda x: F.elu(x, 0.5), "elu"),
    "soft shrink of another width": (lambda x: F.softshrink(x, 1.5), "soft_shrink"),
    "hard shrink of another width": (lambda x: F.hardshrink(x, 1.5), "hard_shrink"),
    "a line": (lambda x: 3 - 2 * x, "none"),
    "sine": (torch.sin, None),
    "snake": (lambda x: x + torch.sin(x) ** 2, None),
    "square": (torch.square, None),
    "squared relu": (lambda x: F.relu(x) ** 2, None),
    "a constant": (torch.ones_like, None),
    "not a number": (torch.log, None),
}


LEAKY = {
    "of 0.01": (F.leaky_relu, 0.01),
    "of 0.2 in float32": (lambda x: F.leaky_relu(x.float(), 0.2), 0.2),
    "scaled": (lambda x: 3 * F.leaky_relu(0.5 * x, 0.1) + 1, 0.1),
    "upside down": (lambda x: -F.leaky_relu(x, 0.3), 0.3),
    "as a larger one": (lambda x: torch.maximum(x, x / 3), 0.333333),
    "none for a ReLU": (F.relu, None),
    "none for an ELU": (F.elu, None),
}


@pytest.mark.parametrize(("function", "slope"), LEAKY.values(), ids=LEAKY)
def test_the_slope_of_a_leaky_relu_is_measured(function, slope):
    assert recognize(function(X).numpy()).slope == slope


@pytest.mark.parametrize(("name", "function"), PYTORCH.items(), ids=PYTORCH)
def test_a_function_of_pytorch_is_recognized(name, function):
    assert recognize(function(X).numpy()).name == name


@pytest.mark.parametrize(("function", "name"), SPELLED.values(), ids=SPELLED)
def test_a_function_written_by_hand_is_recognized(function, name):
    assert recognize(function(X).numpy()).name == name


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "tanh", "hard_sigmoid"])
def test_a_function_in_single_precision_is_recognized(name):
    assert recognize(PYTORCH[name](X.float()).numpy()).name == name


def test_a_scaled_argument_is_recognized_where_the_scale_is_known():
    values = F.gelu(2 * X).numpy()
    assert (recognize(values).name, recognize(values, scale=2.0).name) == (None, "gelu")


# Integrals by mpmath, of a standard normal variable.
MOMENTS = {
    "relu": (0.5, 0.5),
    "gelu": (0.4252214825702987, 0.4558508656492871),
    "tanh": (0.3942944903978412, 0.4644029024482682),
    "selu": (1.0, 1.071574992455799),
}


@pytest.mark.parametrize(("name", "moments"), MOMENTS.items(), ids=MOMENTS)
def test_the_moments_are_those_of_a_standard_normal_variable(name, moments):
    found = recognize(PYTORCH[name](X).numpy())
    assert (found.second_moment, found.derivative_moment) == pytest.approx(moments, rel=2e-3)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "gelu", "softplus"])
def test_a_function_of_what_has_a_factor_and_a_bias_is_that_function(name):
    values = PYTORCH[name](1.5 * X + 1).numpy()
    assert (recognize(values).name, recognize(values, 1.5, 1.0).name) == (None, name)


@pytest.mark.parametrize("factor", [1e-12, 1e-6, 1e6])  # 1e-6 is LayerScale's of ConvNeXt and CaiT
def test_a_factor_changes_no_function(factor):
    assert recognize(factor * np.tanh(GRID)).name == "tanh"


def test_a_small_function_is_found_beside_a_large_offset():
    assert recognize(np.tanh(GRID) + 1e3).name == "tanh"
