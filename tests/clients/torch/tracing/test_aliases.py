"""In-place changes are seen by all aliases and views of a tensor, as in PyTorch."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from weightinit.torch.tracing.activations import ActivationFinder

WIDTH = 8


class Net(nn.Module):
    """Two layers, and what its test does between them."""

    def __init__(self, between):
        super().__init__()
        self.layer, self.last = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3)
        self.between = between

    def forward(self, x):
        return self.last(self.between(self.layer(x)))


def find(between, batch):
    """Find what follows the first layer of a net."""
    model = Net(between)
    return ActivationFinder(model, batch).find(model.layer.weight, model.layer)


def change(y, how):
    """Change a tensor by a function that returns nothing of use."""
    how(y)
    return y


def change_later(y):
    """Return a view that was made before what it is of was changed."""
    view = y.view(-1, 2, 4)
    y.relu_()
    return view.flatten(1)


def change_by_halves(y):
    """Change two views, of which each is one half."""
    y[:, :4].relu_()
    y[:, 4:].relu_()
    return y


def multiply(y):
    """Multiply by a mask in place, by an operator."""
    other = y
    y *= y > 0
    return other


def add(y):
    """Add in place, and return another name."""
    other = y
    y += 1
    y = F.relu(y, inplace=True)
    return other


CHANGES = {
    "function": lambda y: change(y, F.relu_),
    "method": lambda y: change(y, torch.Tensor.relu_),
    "method of its own": lambda y: change(y, lambda z: z.relu_()),
    "flag": lambda y: change(y, lambda z: F.relu(z, inplace=True)),
    "module": lambda y: change(y, nn.ReLU(inplace=True)),
    "twice": lambda y: change(y, lambda z: z.add_(1).relu_()),
    "clamp": lambda y: change(y, lambda z: z.clamp_(min=0)),
    "operator": multiply,
    "operator and flag": add,
    "a view of all": lambda y: change(y, lambda z: z.view(-1).relu_()),
    "a view of a view": lambda y: change(y, lambda z: z.unsqueeze(0).transpose(0, 1).relu_()),
    "the base of a view": change_later,
    "two halves": change_by_halves,
}


@pytest.mark.parametrize("batch", [None, torch.zeros(8, WIDTH)], ids=["guessed inputs", "a batch"])
@pytest.mark.parametrize("between", CHANGES.values(), ids=CHANGES)
def test_a_change_in_place_is_seen_by_all_names_and_views(between, batch):
    model = Net(between)  # PyTorch's own forward tells that the change is seen
    x = torch.randn(64, WIDTH, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(between(model.layer(x)), model.layer(x).add(between in CHANGED_BEFORE).relu())
    found = find(between, batch)
    assert (found.activation, found.certainty) in {("relu", "certain"), ("relu", "guessed")}


CHANGED_BEFORE = {CHANGES["twice"], CHANGES["operator and flag"]}


def test_a_half_that_is_changed_in_place_is_no_certain_activation():
    found = find(lambda y: change(y, lambda z: z[:, :4].relu_()), torch.zeros(8, WIDTH))
    assert (found.activation, found.certainty) == ("relu", "guessed")


def test_a_copy_is_not_changed():
    def copy_first(y):
        copied = y.clone()
        y.relu_()
        return copied

    found = find(copy_first, torch.zeros(8, WIDTH))
    assert (found.activation, found.certainty) == (None, "certain")
