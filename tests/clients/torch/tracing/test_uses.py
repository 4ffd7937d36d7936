"""Kernels of unknown layers have the axes of the product that uses them."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from weightinit.torch.plan import plan_parameters


class Applying(nn.Module):
    """Applies a kernel of its own by a function, and a function after it."""

    def __init__(self, shape, apply):
        super().__init__()
        self.first = nn.Linear(8, 4)
        self.weight = nn.Parameter(torch.empty(shape))
        self.apply_weight = apply

    def forward(self, x):
        return torch.relu(self.apply_weight(self.first(x), self.weight))


def plan(shape, apply):
    torch.manual_seed(0)
    module = Applying(shape, apply)
    nn.init.normal_(module.weight)
    return next(tensor for tensor in plan_parameters(module) if tensor.name == "weight")


@pytest.mark.parametrize(
    ("shape", "apply", "layout"),
    [
        ((4, 6), lambda x, w: x @ w, "IO"),
        ((6, 4), lambda x, w: x @ w.T, "OI"),
        ((6, 4), lambda x, w: x @ w.t(), "OI"),
        ((6, 4), lambda x, w: torch.matmul(x, w.transpose(0, 1)), "OI"),
        ((6, 4), lambda x, w: (w @ x.mT).mT, "OI"),
        ((6, 4), F.linear, "OI"),
        ((6, 4), lambda x, w: F.linear(input=x, weight=w), "OI"),
        ((4, 6), lambda x, w: torch.einsum("...i,io->...o", x, w), "IO"),
        ((6, 4), lambda x, w: torch.einsum("oi, ...i -> ...o", w, x), "OI"),
        ((4, 6), lambda x, w: torch.addmm(torch.zeros(6, device=x.device), x, w), "IO"),
        ((2, 4, 6), lambda x, w: x.expand(2, *x.shape) @ w, "BIO"),
        ((2, 6, 4), lambda x, w: torch.bmm(x.expand(2, *x.shape), w.mT), "BOI"),
        ((4, 1), lambda x, w: x @ w, "IO"),
        ((4, 6), lambda x, w: torch.einsum("bi,io", x, w), "IO"),
        ((4, 6), lambda x, w: torch.einsum("...i,...io->...o", x, w), "IO"),
        ((4, 6), lambda x, w: torch.tensordot(x, w, 1), "IO"),
        ((6, 4), lambda x, w: torch.tensordot(x, w, dims=([-1], [1])), "OI"),
        ((2, 4, 6), lambda x, w: x @ w[0] + x @ w[1], "BIO"),
        ((2, 6, 4), lambda x, w: sum(F.linear(x, one) for one in w.unbind()), "BOI"),
        ((2, 4, 6), lambda x, w: x @ w[x.argmax(-1)], "BIO"),
        ((6, 4, 1), lambda x, w: F.conv1d(x[..., None], w), "OIW"),
        ((4, 6, 1, 1), lambda x, w: F.conv_transpose2d(x[..., None, None], w), "IOHW"),
        ((4, 4), lambda x, w: x @ torch.cat([w, w], 1), "IO"),
        ((6, 4), lambda x, w: torch.stack([w, w]) @ x.mT, "OI"),
    ],
)
def test_a_kernel_has_the_axes_that_its_product_gives_it(shape, apply, layout):
    planned = plan(shape, apply)
    assert (planned.action.layer["layout"], planned.action.layer["activation"]) == (layout, "relu")


def test_a_convolution_of_groups_applies_a_kernel_of_each():
    planned = plan((4, 2, 1), lambda x, w: F.conv1d(x[..., None], w, groups=2))
    assert planned.action.layer == {"layout": "OIW", "groups": 2, "activation": "relu"}


def test_an_axis_of_outputs_that_may_be_of_experts_is_a_guess():
    planned = plan((3, 4, 6), lambda x, w: torch.einsum("...i,eio->...eo", x, w))
    assert (planned.action.layer["layout"], planned.certainty) == ("OIO", "guessed")


@pytest.mark.parametrize("apply", [lambda x, w: x + w[0], lambda x, w: x * w.sum(), lambda x, w: x @ w.exp()])
def test_what_no_product_applies_as_it_is_has_no_axes(apply):
    planned = plan_of_unknown(apply)
    assert type(planned.action).__name__ == "Unknown"


def plan_of_unknown(apply):
    module = Applying((4, 4), apply)
    nn.init.normal_(module.weight)
    return next(one for one in plan_parameters(module, strict=False) if one.name == "weight")


def test_the_axes_of_a_kernel_that_a_method_applies_are_found():
    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(4, 6))

        def forward(self, x):
            return x.matmul(self.w).relu()

    assert plan_parameters(Product())[0].action.layer["layout"] == "IO"
