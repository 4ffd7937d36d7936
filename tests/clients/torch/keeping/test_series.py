"""Tensors whose values are a computed series are kept."""

import math

import pytest
import torch
from torch import nn
from weightinit.adapters.actions import Draw, Leave
from weightinit.torch import initialize_
from weightinit.torch.keeping.series import has_diagonal, is_series
from weightinit.torch.plan import plan_parameters


def make_sinusoids(length=64, width=32):
    """Make the table of positions of Vaswani et al. (2017), section 3.5, as PyTorch's tutorial has it."""
    position = torch.arange(length).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency)
    return table


def make_cosines(size=16):
    """Make the orthonormal DCT-II (Ahmed, Natarajan & Rao 1974, equation 1)."""
    n = torch.arange(float(size))
    table = torch.cos(math.pi / size * (n + 0.5) * n[:, None]) * math.sqrt(2 / size)
    table[0] /= math.sqrt(2)
    return table


SERIES = {
    "sinusoids": make_sinusoids,
    "long sinusoids": lambda: make_sinusoids(5000, 512),
    "cosines": make_cosines,
    "ramp": lambda: torch.linspace(-2, 2, 16),
    "octaves": lambda: 2.0 ** torch.arange(16),
    "powers": lambda: torch.logspace(-3, 3, 24)[:, None].repeat(1, 4),
    "window": lambda: torch.hann_window(32),
}


@pytest.mark.parametrize("make", SERIES.values(), ids=SERIES)
def test_what_follows_a_recurrence_is_a_series(make):
    assert is_series(make())


DRAWS = {
    "normal": lambda: torch.randn(16, 16),
    "uniform": lambda: torch.rand(12) * 2 - 1,
    "long": lambda: torch.randn(4096),
    "norm": lambda: nn.init.normal_(torch.empty(64), 1, 0.02),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(32, 32)),
    "smooth": lambda: torch.randn(64).cumsum(0),
    "bfloat16": lambda: torch.randn(32, 32).bfloat16(),
    "constant": lambda: torch.full((32,), 0.1),
    "infinite": lambda: torch.full((32,), -math.inf),
    "short": lambda: torch.randn(3, 3, 7, 7),
}


@pytest.mark.parametrize("make", DRAWS.values(), ids=DRAWS)
def test_a_draw_is_no_series_and_no_identity(make):
    torch.manual_seed(0)
    tensors = [make() for _ in range(20)]
    assert not any(is_series(tensor) or has_diagonal(tensor) for tensor in tensors)


def test_an_identity_with_noise_is_told_from_draws():
    torch.manual_seed(0)
    assert has_diagonal(0.5 * torch.eye(16) + 0.01 * torch.randn(16, 16))


class Positions(nn.Module):
    """Tokens, and positions that are trained from sinusoids on."""

    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(50, 32), nn.Embedding(64, 32)
        self.positions.weight = nn.Parameter(make_sinusoids())
        self.head = nn.Linear(32, 50)

    def forward(self, tokens):
        return self.head(self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1])))


def test_trained_positions_that_begin_as_sinusoids_are_kept(client):
    model = Positions()
    report = initialize_(model, 42, client=client)
    assert torch.equal(model.positions.weight, make_sinusoids())
    assert report.guessed == ("positions.weight",)


def test_a_rule_wins_over_a_series():
    rules = {"positions.weight": {"stddev": 0.02}}
    planned = {one.name: one.action for one in plan_parameters(Positions(), rules=rules)}
    assert isinstance(planned["positions.weight"], Draw)


def test_a_parameter_of_a_module_that_nobody_knows_is_kept_if_it_is_a_series():
    model = nn.Sequential(nn.Linear(8, 8))
    model.centers = nn.Parameter(torch.linspace(-2, 2, 16))
    planned = {one.name: one.action for one in plan_parameters(model)}
    assert planned["centers"] == Leave()
