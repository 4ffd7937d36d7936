"""Tensors of modules that nobody knows: what their values and names say of them."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from weightinit.adapters.actions import Constant
from weightinit.torch import ModelRejected, initialize_
from weightinit.torch.plan import plan_parameters

RULES = {"*": {"activation": "none"}}


def plan(module, **said):
    """Plan a module: its entries by name."""
    return {entry.name: entry for entry in plan_parameters(module, **said)}


class RmsNorm(nn.Module):
    """A norm that no table has, with a scale and perhaps a shift."""

    def __init__(self, weight=1.0, bias=None):
        super().__init__()
        self.weight = nn.Parameter(torch.full((4,), weight))
        if bias is not None:
            self.bias = nn.Parameter(torch.full((4,), bias))

    def forward(self, x):
        return self.weight * F.rms_norm(x, (4,))


class ZeroCenteredRmsNorm(RmsNorm):
    """A norm that adds one to its scale, as Gemma's."""

    def __init__(self):
        super().__init__(0.0)

    def forward(self, x):
        return (1 + self.weight) * F.rms_norm(x, (4,))


class LayerScale(nn.Module):
    """A scale of each channel that begins small, as CaiT's (Touvron et al. 2021, section 2.2)."""

    def __init__(self, *shape, value=1e-5):
        super().__init__()
        self.gamma = nn.Parameter(torch.full(shape, value))

    def forward(self, x):
        return x * self.gamma


VALUES = {
    "norm": (RmsNorm, {"weight": 1.0}),
    "norm with a shift": (lambda: RmsNorm(1.0, 0.0), {"weight": 1.0, "bias": 0.0}),
    "zero-centered norm": (ZeroCenteredRmsNorm, {"weight": 0.0}),
    "layer scale": (lambda: LayerScale(4), {"gamma": 1e-5}),
    "layer scale of channels": (lambda: LayerScale(4, 1, 1), {"gamma": 1e-5}),
    "a number": (lambda: LayerScale(value=2.5), {"gamma": 2.5}),
    "one element": (lambda: LayerScale(1, value=0.5), {"gamma": 0.5}),
}


@pytest.mark.parametrize(("make", "values"), VALUES.values(), ids=VALUES)
def test_a_vector_of_one_value_that_nobody_knows_keeps_it(make, values):
    planned = plan(nn.Sequential(nn.Linear(4, 4), make()), rules=RULES)
    found = {name: planned[f"1.{name}"] for name in values}
    assert {name: entry.action.value for name, entry in found.items()} == pytest.approx(values)
    assert {entry.certainty for entry in found.values()} == {"guessed"}


@pytest.mark.parametrize("name", ["norm", "norm with a shift", "zero-centered norm"])
@pytest.mark.parametrize(
    "move", [lambda one: one.to("meta"), lambda one: one.to("meta").to_empty(device="cpu")]
)
def test_a_norm_without_values_begins_as_identity(name, move):
    make, values = VALUES[name]
    planned = plan(move(nn.Sequential(nn.Linear(4, 4), make())), rules=RULES)
    assert {key: planned[f"1.{key}"].action.value for key in values} == values


@pytest.mark.parametrize("make", [lambda: LayerScale(4), lambda: LayerScale(value=2.5)])
def test_what_is_no_norm_and_has_no_values_is_refused(make):
    with pytest.raises(ModelRejected, match="nothing says how to initialize these: gamma"):
        plan(make().to("meta"))


def test_a_vector_of_several_values_that_nobody_knows_is_refused():
    module = LayerScale(4)
    nn.init.normal_(module.gamma)
    with pytest.raises(ModelRejected, match="nothing says how to initialize these: gamma"):
        plan(module)


class Tokens(nn.Module):
    """A token and positions, in front of a layer, as in a vision transformer."""

    def __init__(self, fill):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.pos_embed = nn.Parameter(torch.zeros(1, 6, 4))
        self.layer = nn.Linear(4, 4)
        fill(self.pos_embed)

    def forward(self, x):
        return self.layer(torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed)


def test_a_table_of_positions_has_rows_of_length_one(client):
    row = initialize_(Tokens(nn.init.normal_), 42, client=client)["pos_embed"]
    assert (row.variance, row.certainty) == (1 / 4, "guessed")


def test_a_table_of_positions_that_begins_at_zero_stays_zero():
    planned = plan(Tokens(nn.init.zeros_), rules=RULES)
    assert [planned[name].action for name in ("cls_token", "pos_embed")] == [Constant(0.0)] * 2


@pytest.mark.parametrize(
    "name", ["relative_position_bias_table", "rel_pos_bias", "attention_biases", "relative_position_bias"]
)
def test_a_table_of_biases_begins_at_zero(name):
    module = nn.Module()
    module.register_parameter(name, nn.Parameter(torch.randn(9, 3)))
    entry = plan(module)[name]
    assert (entry.action, entry.certainty) == (Constant(0.0), "guessed")
