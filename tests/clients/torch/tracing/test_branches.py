"""Forwards that could distinguish stand-ins from tensors are followed as with tensors."""

import contextlib
import functools

import pytest
import torch
from torch import nn
from weightinit.torch.tracing.activations import ActivationFinder
from weightinit.torch.tracing.frames import explain_branches


class Branching(nn.Module):
    """ReLU follows where code is right about a tensor, tanh where it is not."""

    def __init__(self, is_right):
        super().__init__()
        self.first = nn.Linear(16, 32)
        self.last = nn.Linear(32, 4)
        self.is_right = is_right

    def forward(self, x):
        y = self.first(x)
        return self.last(torch.relu(y) if self.is_right(y) else torch.tanh(y))


class Derived(Branching):
    """One whose base branches."""

    def forward(self, x):
        return super().forward(x)


class Helpless(Branching):
    """One that cannot be run, since it wants what nobody can guess."""

    def forward(self, x, secret):
        return super().forward(x) if secret == "sesame" else x + secret


def has_sum(y):
    try:
        return bool(y.sum() == y.sum())
    except torch.fx.proxy.TraceError:
        return False


def has_any_sum(y):
    try:
        return bool(y.sum() == y.sum())
    except:  # noqa: E722 - as users write it
        return False


def is_suppressed(y):
    with contextlib.suppress(Exception):
        return len(y) == 2
    return False


def matches(y):
    match y:
        case torch.Tensor():
            return True
    return False


@functools.singledispatch
def is_dispatched(y):
    return False


@is_dispatched.register
def _(y: torch.Tensor):
    return True


def ask_helper(y):
    return [is_of_type(one) for one in (y,)] == [True]


def is_of_type(y):
    return type(y) is torch.Tensor


TELLING = {
    "its type": is_of_type,
    "its class": lambda y: y.__class__ is torch.Tensor,
    "whether it is callable": lambda y: not callable(y),
    "an attribute that no tensor has": lambda y: not hasattr(y, "missing"),
    "a default attribute": lambda y: getattr(y, "missing", True) is True,
    "a suppressed error": is_suppressed,
    "a pattern": matches,
    "a dispatch by type": is_dispatched,
    "its text": lambda y: str(y).startswith("tensor"),
    "a helper": ask_helper,
    "a partial": functools.partial(lambda kind, y: type(y) is kind, torch.Tensor),
    "isinstance": lambda y: isinstance(y, torch.Tensor),
}


@pytest.mark.parametrize("is_right", TELLING.values(), ids=TELLING)
def test_a_branch_goes_as_it_does_with_tensors_for(is_right):
    module = Branching(is_right)
    found = ActivationFinder(module).find(module.first.weight, module.first)
    assert (found.activation, found.certainty) == ("relu", "certain")


@pytest.mark.parametrize("is_right", [has_sum, has_any_sum])
def test_a_branch_on_an_error_that_values_would_not_raise_is_a_guess(is_right):
    module = Branching(is_right)
    assert ActivationFinder(module).find(module.first.weight, module.first).certainty == "guessed"


def test_a_branch_on_the_type_of_what_cannot_be_run_is_a_guess():
    module = Helpless(is_of_type)
    found = ActivationFinder(module).find(module.first.weight, module.first)
    assert found.certainty != "certain"


def test_what_a_base_does_counts():
    module = Derived(is_of_type)
    assert ActivationFinder(module).find(module.first.weight, module.first).activation == "relu"


def test_the_reason_names_the_module():
    assert explain_branches(nn.Sequential(Branching(is_of_type))).startswith("Branching.forward")


@pytest.mark.parametrize("module", [nn.TransformerEncoderLayer(16, 2), nn.LSTM(4, 4), nn.Conv2d(3, 3, 3)])
def test_modules_of_pytorch_are_not_suspected(module):
    assert not explain_branches(module)


def test_a_context_that_lets_errors_through_is_not_suspected():
    class Plain(Branching):
        def forward(self, x):
            with torch.no_grad():
                self.first(x)
            return super().forward(x)

    assert not explain_branches(Plain(lambda _: True))
