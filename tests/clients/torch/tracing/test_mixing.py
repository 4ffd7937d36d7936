"""Products with tensors that are not kernels, maxima over outputs, and selection by masks.

The expected results are from the layers' papers: graph convolutions (Kipf & Welling 2017, equation 2), maxout
(Goodfellow et al. 2013), and the definition of softmax.
"""
# ruff: noqa: ARG005 - all functions between layers have the same arguments

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as PyTorch's users call it
from weightinit.torch.tracing.activations import ActivationFinder

WIDTH = 8


class Net(nn.Module):
    """Three layers of the same inputs, and what its test makes of them."""

    def __init__(self, rest):
        super().__init__()
        self.layer, self.other, self.last = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.register_buffer("adjacency", torch.eye(WIDTH) / 2 + 0.5)
        self.rest = rest

    def forward(self, x):
        return self.last(self.rest(self, self.layer(x), x))


def find(rest, layer="layer"):
    """Find what follows a layer of a net on eight rows."""
    model = Net(rest)
    found = getattr(model, layer)
    finder = ActivationFinder(model, batch=torch.zeros(WIDTH, WIDTH))
    return finder.find(found.weight, found)


def attend(net, y, x, after=F.relu):
    """Attend to the layer's outputs, as values."""
    return after(F.softmax(net.other(x) @ net.other(x).T, -1) @ y)


MIXES = {
    "a buffer from the left": lambda net, y, x: (net.adjacency @ y).relu(),
    "a buffer from the right": lambda net, y, x: (y @ net.adjacency).relu(),
    "einsum": lambda net, y, x: torch.einsum("ij,jk->ik", net.adjacency, y).relu(),
    "a sum and a product": lambda net, y, x: torch.addmm(x, net.adjacency, y).relu(),
    "a sparse product": lambda net, y, x: torch.sparse.mm(net.adjacency, y).relu(),
    "a product of inputs": lambda net, y, x: (x @ x.T @ y).relu(),
    "a fixed convolution": lambda net, y, x: F.conv1d(y[:, None], torch.ones(1, 1, 3) / 3, padding=1)[
        :, 0
    ].relu(),
    "values of attention": attend,
    "values of fused attention": lambda net, y, x: F.scaled_dot_product_attention(
        net.other(x)[None], net.other(x)[None], y[None]
    )[0].relu(),
}


@pytest.mark.parametrize("rest", MIXES.values(), ids=MIXES)
def test_an_activation_after_a_product_with_no_kernel_is_a_guess(rest):
    found = find(rest)
    assert (found.activation, found.certainty) == ("relu", "guessed")


@pytest.mark.parametrize("rest", [attend, MIXES["values of fused attention"]])
def test_queries_and_keys_end_at_their_product(rest):
    found = find(rest, "other")
    assert (found.activation, found.certainty) == (None, "certain")


def test_what_follows_sums_and_is_no_activation_is_a_guess():
    found = find(lambda net, y, x: (z := net.adjacency @ y) / (z.square() + 1))
    assert (found.activation, found.certainty) == (None, "guessed")


def test_values_that_nothing_follows_are_certain():
    found = find(lambda net, y, x: attend(net, y, x, after=lambda values: values + x))
    assert (found.activation, found.certainty) == (None, "certain")


PICKED = {
    "maxout": lambda net, y, x: y.view(-1, 2, 4).amax(1).repeat(1, 2),
    "maxout, with places": lambda net, y, x: y.view(-1, 2, 4).max(1)[0].repeat(1, 2),
    "of stacked layers": lambda net, y, x: torch.stack([y, net.other(x)]).amax(0),
}


@pytest.mark.parametrize("rest", PICKED.values(), ids=PICKED)
def test_the_largest_of_several_outputs_is_unknown(rest):
    assert find(rest).certainty == "unknown"


def test_the_largest_of_one_output_over_places_is_a_pool():
    found = find(lambda net, y, x: y.view(2, 4, WIDTH).amax(1).relu())
    assert (found.activation, found.certainty) == ("relu", "certain")


def test_zeros_of_a_pad_are_no_part_of_a_kernel():
    found = find(lambda net, y, x: F.pad(y, (0, WIDTH))[:, WIDTH:] + y.relu())
    assert (found.activation, found.certainty) == ("relu", "certain")


SOFTMAX = {
    "plain": lambda net, y, x: y.exp() / y.exp().sum(-1, keepdim=True),
    "stable": lambda net, y, x: (e := (y - y.amax(-1, keepdim=True)).exp()) / e.sum(-1, keepdim=True),
}


@pytest.mark.parametrize("rest", SOFTMAX.values(), ids=SOFTMAX)
def test_a_softmax_by_hand_is_a_softmax(rest):
    found = find(rest)
    assert (found.activation, found.certainty) == ("softmax", "certain")


def put_zeros(net, y, x):
    """Set what is below zero to zero, in place."""
    y[y < 0] = 0
    return y


MASKED = {
    "masked_fill": lambda net, y, x: y.masked_fill(y < 0, 0),
    "assigned": put_zeros,
    "a factor": lambda net, y, x: y * (y > 0),
    "a factor that was cast": lambda net, y, x: y * (y > 0).float(),
    "of another": lambda net, y, x: (y > 0).to(x.dtype).mul(y),
}


@pytest.mark.parametrize("rest", MASKED.values(), ids=MASKED)
def test_a_mask_of_a_signal_by_itself_is_an_activation(rest):
    found = find(rest)
    assert (found.activation, found.certainty) == ("relu", "certain")


def test_what_only_chooses_among_others_is_not_followed():
    assert find(lambda net, y, x: net.other(x).masked_fill(y < 0, 0)).certainty == "unknown"


JOINED = {
    "of two functions": lambda net, y, x: torch.cat([y.relu(), y.tanh()])[:WIDTH],
    "where a mask says so": lambda net, y, x: torch.where(x > 0, y.relu(), y.tanh()),
    "of one, and itself": lambda net, y, x: torch.stack([y.relu(), y]).mean(0),
}


@pytest.mark.parametrize("rest", JOINED.values(), ids=JOINED)
def test_several_functions_side_by_side_are_a_guess(rest):
    found = find(rest)
    assert (found.activation, found.certainty) == ("relu", "guessed")


def test_a_rectifier_of_both_signs_is_certain():  # Shang et al. 2016, CReLU
    found = find(lambda net, y, x: torch.stack([y.relu(), (-y).relu()]).mean(0))
    assert (found.activation, found.certainty) == ("relu", "certain")
