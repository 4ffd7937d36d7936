"""Biases that were set are distinguished from those that layers drew and from trained ones."""

import copy
import math

import pytest
import torch
from torch import nn
from weightinit.adapters.actions import Constant, Leave
from weightinit.torch import initialize_
from weightinit.torch.plan import plan_parameters


def plan(module, **said):
    """Plan a module: its entries by name."""
    return {entry.name: entry for entry in plan_parameters(module, **said)}


def make_steps():
    """Make a layer whose bias is the inverse softplus of steps, as Mamba's (Gu & Dao 2023, section 3.6)."""
    model = nn.Sequential(nn.Linear(8, 4, bias=False), nn.Linear(4, 16), nn.Softplus())
    steps = torch.exp(torch.rand(16) * math.log(100) + math.log(0.001))
    with torch.no_grad():
        model[1].bias.copy_(steps + torch.log(-torch.expm1(-steps)))
    return model


def make_prior():
    """Make a head whose bias has the logarithms of how frequent classes are."""
    model = nn.Sequential(nn.Linear(4, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 5))
    nn.init.normal_(model[3].weight, std=0.5)
    with torch.no_grad():
        model[3].bias.copy_(torch.tensor([0.5, 0.3, 0.1, 0.07, 0.03]).log())
    return model


def make_only():
    """Make a head, as above, with the only bias of the model."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1))
    nn.init.normal_(model[3].weight, std=0.01)
    with torch.no_grad():
        model[3].bias.copy_(torch.tensor([0.5, 0.3, 0.15, 0.05]).log())
    return model


def make_gates():
    """Make a recurrent layer that remembers for long (Tallec & Ollivier 2018, section 2)."""
    model = nn.Sequential(nn.LSTM(3, 16))
    with torch.no_grad():
        model[0].bias_ih_l0[16:32] = torch.log(torch.rand(16) * 98 + 1)
    return model


def make_phases():
    """Make a layer of random features, whose shifts are phases (Rahimi & Recht 2007, section 3)."""
    model = nn.Sequential(nn.Linear(4, 32), nn.Linear(32, 2))
    nn.init.uniform_(model[0].bias, 0, 2 * math.pi)
    return model


def make_zeroed():
    """Make a head with the logarithms of how frequent classes are, where its author drew all layers."""
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 5))
    for layer in (model[0], model[2]):
        nn.init.normal_(layer.weight, std=0.02)
        nn.init.zeros_(layer.bias)
    with torch.no_grad():
        model[2].bias.copy_(torch.tensor([0.5, 0.2, 0.15, 0.1, 0.05]).log())
    return model


SET = {
    "steps": (make_steps, "1.bias"),
    "prior": (make_prior, "3.bias"),
    "only": (make_only, "3.bias"),
    "gates": (make_gates, "0.bias_ih_l0"),
    "phases": (make_phases, "0.bias"),
    "zeroed": (make_zeroed, "2.bias"),
}


@pytest.mark.parametrize(("make", "name"), SET.values(), ids=SET)
def test_a_bias_that_its_author_set_is_kept(make, name, client):
    torch.manual_seed(0)
    model = make()
    before = model.get_parameter(name).clone()
    row = initialize_(model, 42, client=client)[name]
    assert torch.equal(model.get_parameter(name), before)
    assert (row.scheme, row.certainty) == ("kept", "guessed")


@pytest.mark.parametrize(("make", "name"), SET.values(), ids=SET)
def test_other_biases_are_not(make, name):
    torch.manual_seed(0)
    assert {key for key, entry in plan(make()).items() if entry.action == Leave()} == {name}


@pytest.mark.parametrize(("make", "name"), SET.values(), ids=SET)
def test_a_rule_wins_over_a_bias_that_its_author_set(make, name):
    assert plan(make(), rules={name: 0.0})[name].action == Constant(0.0)


NEW = {
    "dense": lambda: nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4)),
    "convolutions": lambda: nn.Sequential(
        nn.Conv2d(8, 8, 3, groups=4), nn.ReLU(), nn.ConvTranspose2d(8, 4, 3, groups=2), nn.Conv1d(4, 4, 3)
    ),
    "recurrent": lambda: nn.Sequential(nn.LSTM(3, 8, 2, bidirectional=True)),
    "cells": lambda: nn.Sequential(nn.GRUCell(3, 8), nn.RNNCell(8, 4)),
    "bfloat16": lambda: nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4)).bfloat16(),
}


@pytest.mark.parametrize("make", NEW.values(), ids=NEW)
def test_a_bias_that_its_layer_drew_is_not_kept(make):
    torch.manual_seed(0)
    planned = [entry for _ in range(5) for entry in plan_parameters(make())]
    assert {entry.certainty for entry in planned} == {"certain"}


TRAINED = {
    "dense": lambda: nn.Sequential(
        nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4)
    ),
    "norms": lambda: nn.Sequential(
        nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.LayerNorm(32), nn.Linear(32, 4)
    ),
}


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize("make", TRAINED.values(), ids=TRAINED)
def test_a_model_that_was_trained_starts_anew(make, optimizer):
    torch.manual_seed(0)
    model = make()
    before = copy.deepcopy(model)
    steps = optimizer(model.parameters(), lr=0.1)
    for _ in range(60):
        x = torch.randn(64, 8)
        loss = (model(x) - 3 * x[:, :4] - 2).square().mean()
        steps.zero_grad()
        loss.backward()
        steps.step()
    limits = [
        (layer.bias.abs().max(), layer.in_features**-0.5) for layer in model if isinstance(layer, nn.Linear)
    ]
    assert any(largest > limit for largest, limit in limits)  # so that there is something to tell apart
    actions = {name: entry.action for name, entry in plan(model).items()}
    assert actions == {name: entry.action for name, entry in plan(before).items()}


def test_without_memory_a_bias_is_not_kept():
    assert plan(make_phases().to("meta"))["0.bias"].action == Constant(0.0)


def test_a_bias_that_may_be_trained_is_zero_as_a_guess():
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 5))
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.weight.mul_(3)
            layer.bias.copy_(torch.linspace(-1, 1, len(layer.bias)).exp())
    planned = plan(model)["2.bias"]
    assert (planned.action, planned.certainty) == (Constant(0.0), "guessed")
    assert "as after training" in planned.reason
