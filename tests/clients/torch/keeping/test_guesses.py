"""Tensors of unknown modules are described by their values and names."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from weightinit.adapters.actions import Constant, Draw
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
    with pytest.raises(ModelRejected, match="nothing determines how to initialize these: gamma"):
        plan(make().to("meta"))


def test_a_vector_of_several_values_that_nobody_knows_is_refused():
    module = LayerScale(4)
    nn.init.normal_(module.gamma)
    with pytest.raises(ModelRejected, match="nothing determines how to initialize these: gamma"):
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


@pytest.mark.parametrize(
    "name", ["relative_attention_bias", "rel_pos_bias", "relative_position_bias", "attn_bias"]
)
def test_an_embedding_that_is_called_biases_of_attention_begins_at_zero(name):
    """As in T5 (Raffel et al. 2020, section 2.1)."""
    entry = plan(nn.ModuleDict({name: nn.Embedding(31, 4)}))[f"{name}.weight"]
    assert (entry.action, entry.certainty) == (Constant(0.0), "guessed")


class Biased(nn.Module):
    """Attention with an embedding, added to its logits by a function."""

    def __init__(self, attend):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(8, 8, bias=False) for _ in range(3))
        self.far = nn.Embedding(5, 1)
        self.attend = attend

    def forward(self, x):
        distance = (torch.arange(4)[:, None] - torch.arange(4)).abs()
        far = self.far(distance).permute(2, 0, 1)
        return self.attend(self.q(x), self.k(x), self.v(x), far)


def attend_in_place(q, k, v, far):
    """Add biases to logits in place, together with a mask."""
    scores = torch.matmul(q, k.transpose(1, 2)) / 8**0.5
    scores += far + torch.zeros(4, 4)
    return F.softmax(scores.float(), dim=-1).type_as(scores) @ v


ATTENTIONS = {
    "sum": lambda q, k, v, far: torch.softmax(q @ k.mT + far, -1) @ v,
    "einsum": lambda q, k, v, far: torch.softmax(far + torch.einsum("bid,bjd->bij", q, k) * 8**-0.5, -1) @ v,
    "in place": attend_in_place,
    "mask": lambda q, k, v, far: F.scaled_dot_product_attention(q, k, v, attn_mask=far),
}


@pytest.mark.parametrize("attend", ATTENTIONS.values(), ids=ATTENTIONS)
def test_an_embedding_that_is_added_to_logits_of_attention_begins_at_zero(attend):
    entry = plan(Biased(attend), batch=torch.zeros(2, 4, 8))["far.weight"]
    assert (entry.action, entry.certainty) == (Constant(0.0), "guessed")


OTHERS = {
    "keys": lambda q, k, v, far: torch.softmax(q @ (k + far).mT, -1) @ v,
    "outputs": lambda q, k, v, far: torch.softmax(q @ k.mT, -1) @ v + far[..., :1],
    "scaled": lambda q, k, v, far: F.scaled_dot_product_attention(q + far[..., :1], k, v),
}


@pytest.mark.parametrize("attend", OTHERS.values(), ids=OTHERS)
def test_an_embedding_that_is_added_elsewhere_is_a_lookup(attend):
    model = Biased(lambda q, k, v, far: attend(q, k, v, far[..., :1]))
    assert isinstance(plan(model, batch=torch.zeros(2, 4, 8))["far.weight"].action, Draw)


def test_a_rule_draws_what_is_added_to_logits_of_attention():
    rules = {"far.weight": {"stddev": 0.1}}
    model = Biased(ATTENTIONS["sum"])
    assert isinstance(plan(model, rules=rules, batch=torch.zeros(2, 4, 8))["far.weight"].action, Draw)
