"""Planning restores whatever a forward changes, in the module and outside it."""

import copy
import random
from collections import Counter, OrderedDict, defaultdict, deque

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from weightinit.torch.plan import plan_parameters

# ruff: noqa: ARG005, NPY002 - all take the module, and forwards may use NumPy's global generator


class Meter:
    """Counts, as trainers do."""

    def __init__(self):
        self.count = 0


class Net(nn.Module):
    """Two layers and a state, which its forward changes. Where it loops, torch.fx cannot follow it."""

    calls = 0

    def __init__(self, state, change, *, loops):
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 4)
        self.teacher = copy.deepcopy(self.first).requires_grad_(False)
        self.register_buffer("steps", torch.zeros(2))
        self.state, self.change, self.loops = state, change, loops

    def forward(self, x):
        self.change(self)
        for _ in range(x.shape[0] if self.loops else 0):
            pass
        return self.last(F.relu(self.first(x)))


@torch.no_grad()
def average(net):
    """Move the frozen layer towards the trained one, as momentum encoders do."""
    for own, trained in zip(net.teacher.parameters(), net.first.parameters(), strict=True):
        own.mul_(0.9).add_(trained + 1, alpha=0.1)


def average_data(net):
    """Do so by other memory."""
    for own, trained in zip(net.teacher.parameters(), net.first.parameters(), strict=True):
        own.data = own.data * 0.9 + trained.data + 1


def clip(net):
    """Clip all weights, as the critic of a Wasserstein GAN does."""
    for parameter in net.parameters():
        parameter.data.clamp_(-0.01, 0.01)


def raise_count(net):
    net.state.count += 1


def count_class(net):
    type(net).calls += 1


def read_teacher(net):
    return net.teacher.weight.detach().numpy().tobytes(), net.teacher.weight.data_ptr()


def read_weights(net):
    return [parameter.detach().numpy().tobytes() for parameter in net.parameters()]


def read_state(net):
    return repr(net.state)


IN_MODULE = {
    "a list": (list, lambda net: net.state.append(1), read_state),
    "a deque": (deque, lambda net: net.state.append(1), read_state),
    "a counter": (Counter, lambda net: net.state.update("k"), read_state),
    "an ordered dictionary": (OrderedDict, lambda net: net.state.update(k=1), read_state),
    "a default dictionary": (lambda: defaultdict(list), lambda net: net.state["k"].append(1), read_state),
    "lists in a dictionary": (lambda: {"k": []}, lambda net: net.state["k"].append(1), read_state),
    "an object": (Meter, raise_count, lambda net: net.state.count),
    "an array": (lambda: np.zeros(2), lambda net: net.state.__setitem__(0, 1), read_state),
    "a tensor": (lambda: torch.zeros(2), lambda net: net.state.add_(1), read_state),
    "a tensor in a list": (lambda: [torch.zeros(2)], lambda net: net.state[0].add_(1), read_state),
    "a buffer": (list, lambda net: net.steps.add_(1), lambda net: net.steps.tolist()),
    "a generator": (
        lambda: torch.Generator().manual_seed(1),
        lambda net: torch.rand(3, generator=net.state),
        lambda net: net.state.get_state().tolist(),
    ),
    "a generator of NumPy": (
        lambda: np.random.default_rng(1),
        lambda net: net.state.random(),
        lambda net: net.state.bit_generator.state,
    ),
    "a generator of Python": (
        lambda: random.Random(1),
        lambda net: net.state.random(),
        lambda net: net.state.getstate(),
    ),
    "an iterator": (lambda: iter(range(9)), lambda net: next(net.state), lambda net: net.state.__reduce__()),
    "the class": (list, count_class, lambda net: type(net).calls),
    "frozen weights": (list, average, read_teacher),
    "the memory of frozen weights": (list, average_data, read_teacher),
    "all weights": (list, clip, read_weights),
    "the mode": (list, lambda net: net.eval(), lambda net: net.training),
    "the mode of a part": (list, lambda net: net.last.eval(), lambda net: net.last.training),
    "what is trained": (
        list,
        lambda net: net.last.requires_grad_(False),
        lambda net: net.last.weight.requires_grad,
    ),
    "a new part": (
        list,
        lambda net: net.add_module("late", nn.Linear(2, 2)),
        lambda net: [name for name, _ in net.named_modules()],
    ),
}
AROUND = {
    "torch's generator": (lambda net: torch.manual_seed(5), lambda: torch.random.get_rng_state().tolist()),
    "NumPy's generator": (lambda net: np.random.seed(5), lambda: repr(np.random.get_state())),
    "Python's generator": (lambda net: random.seed(5), random.getstate),
    "the mode of gradients": (lambda net: torch.set_grad_enabled(mode=False), torch.is_grad_enabled),
    "the default dtype": (lambda net: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "NumPy's errors": (lambda net: np.seterr(all="raise"), np.geterr),
}
LOOPS = pytest.mark.parametrize("loops", [False, True], ids=["traced", "run"])


@LOOPS
@pytest.mark.parametrize(("make", "change", "read"), IN_MODULE.values(), ids=IN_MODULE)
def test_what_a_forward_changes_in_its_module_is_what_it_was(make, change, read, loops):
    net = Net(make(), change, loops=loops)
    before = read(net)
    plan_parameters(net, strict=False)
    assert read(net) == before


@LOOPS
@pytest.mark.parametrize(("change", "read"), AROUND.values(), ids=AROUND)
def test_what_a_forward_changes_around_its_module_is_what_it_was(change, read, loops):
    net = Net([], change, loops=loops)
    before = read()
    plan_parameters(net, strict=False)
    assert read() == before


@LOOPS
@pytest.mark.parametrize(("make", "change", "read"), IN_MODULE.values(), ids=IN_MODULE)
def test_a_forward_that_changes_a_state_is_followed(make, change, read, loops):
    net = Net(make(), change, loops=loops)
    plan = {tensor.name: tensor for tensor in plan_parameters(net, strict=True)}
    assert plan["first.weight"].action.layer["activation"] == "relu"


class UsedAgain(nn.Module):
    """SiLU by hand, of which the factor comes behind a branch that no trace can take."""

    def __init__(self):
        super().__init__()
        self.weight, self.other = (nn.Parameter(torch.randn(8, 8)) for _ in range(2))

    def forward(self, values):
        """Ask for a value between the sigmoid and the product."""
        hidden = nn.functional.linear(values, self.weight)
        gate = torch.sigmoid(hidden)
        if nn.functional.linear(values, self.other).sum() > 0:
            return gate
        return gate * hidden


def test_a_signal_that_is_needed_where_a_trace_breaks_off_is_used_again():
    with pytest.warns(UserWarning, match="other"):
        plan = plan_parameters(UsedAgain())
    assert next(one for one in plan if one.name == "weight").certainty == "guessed"
