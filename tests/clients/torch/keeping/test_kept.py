"""Tensors that the module's author fixed are kept: frozen ones, and deliberate constants."""

import copy
import math

import pytest
import torch
from torch import nn
from weightinit.adapters.actions import Constant, Draw, Leave
from weightinit.torch import ModelRejected, UnsetTensorWarning, initialize_, publish
from weightinit.torch.plan import plan_parameters


def plan(module, **said):
    """Plan a module: its entries by name."""
    return {entry.name: entry for entry in plan_parameters(module, **said)}


def make_mlp():
    """Make two layers with a norm and a ReLU between them."""
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 2))


class Sinusoids(nn.Module):
    """A frozen table of positions before a layer, as Whisper's encoder has it."""

    def __init__(self):
        super().__init__()
        self.embed_positions = nn.Embedding(6, 4)
        angles = torch.arange(6)[:, None] * torch.tensor([1.0, 0.01])
        with torch.no_grad():
            self.embed_positions.weight.copy_(torch.cat([angles.sin(), angles.cos()], dim=1))
        self.embed_positions.requires_grad_(False)
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(x + self.embed_positions.weight)


class Dfl(nn.Module):
    """A frozen convolution that takes a mean of 0, 1, 2, …, as Generalized Focal Loss has it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 16, 1)
        self.dfl = nn.Conv2d(16, 1, 1, bias=False).requires_grad_(False)
        self.dfl.weight.data[:] = torch.arange(16.0).view(1, 16, 1, 1)

    def forward(self, x):
        return self.dfl(self.layer(x).softmax(1))


FROZEN = {"embedding": (Sinusoids, "embed_positions.weight"), "convolution": (Dfl, "dfl.weight")}


@pytest.mark.parametrize(("make", "name"), FROZEN.values(), ids=FROZEN)
def test_a_frozen_tensor_is_kept(make, name, client):
    model = make()
    before = model.get_parameter(name).clone()
    report = initialize_(model, 42, client=client)
    assert torch.equal(model.get_parameter(name), before)
    assert (report[name].scheme, report[name].reason) == ("kept", "Frozen: requires_grad is False.")


@pytest.mark.parametrize("name", ["0.weight", "0.bias", "1.weight"])
def test_whatever_is_frozen_is_kept(name):
    model = make_mlp()
    model.get_parameter(name).requires_grad_(False)
    assert [key for key, entry in plan(model).items() if entry.action == Leave()] == [name]


def test_a_model_of_which_all_is_frozen_is_drawn():
    actions = {name: entry.action for name, entry in plan(make_mlp().requires_grad_(False)).items()}
    assert actions == {name: entry.action for name, entry in plan(make_mlp()).items()}


@pytest.mark.parametrize("rule", ["he_normal", {"stddev": 0.1}, {"activation": "relu", "scheme": "he"}])
def test_a_rule_draws_what_is_frozen(rule):
    planned = plan(Sinusoids(), rules={"embed_positions.weight": rule})
    assert isinstance(planned["embed_positions.weight"].action, Draw)


def test_a_rule_sets_what_is_frozen_to_a_value():
    model = make_mlp()
    model[0].bias.requires_grad_(False)
    assert plan(model, rules={"0.bias": 0.5})["0.bias"].action == Constant(0.5)


@pytest.mark.parametrize("pattern", ["*", "0", "0.weight"])
def test_a_rule_of_an_activation_leaves_what_is_frozen(pattern):
    model = make_mlp()
    model[0].weight.requires_grad_(False)
    assert plan(model, rules={pattern: {"activation": "relu"}})["0.weight"].action == Leave()


def test_a_rule_for_a_part_of_what_is_frozen_draws_that_part():
    model = nn.Sequential(nn.LSTM(3, 4), nn.Identity())
    model[0].weight_hh_l0.requires_grad_(False)
    planned = plan(model, rules={"0.weight_hh_l0.f": "he"})
    kept = [planned[f"0.weight_hh_l0.{gate}"].action == Leave() for gate in "ifgo"]
    assert kept == [True, False, True, True]


def test_a_table_that_is_trained_under_one_of_its_names_is_not_frozen():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 3))
    model[1].weight = nn.Parameter(model[0].weight.data, requires_grad=False)
    assert isinstance(plan(model)["0.weight"].action, Draw)


def test_the_statistics_of_a_frozen_norm_are_kept(client):
    model = nn.Sequential(nn.BatchNorm1d(4).requires_grad_(False), nn.BatchNorm1d(4), nn.Linear(4, 2))
    for norm in model[:2]:
        norm.running_mean.fill_(7)
    initialize_(model, 42, client=client)
    assert [norm.running_mean[0].item() for norm in model[:2]] == [7, 0]


def test_a_frozen_tensor_of_one_value_is_published_as_a_constant(recorder):
    model = make_mlp()
    model[1].weight.requires_grad_(False).fill_(3)
    publish(model, 42, client=recorder)
    (found,) = [one for one in recorder.model.to_json()["tensors"] if one["name"] == "1.weight"]
    assert found["constant"] == 3


@pytest.mark.parametrize(("make", "name"), FROZEN.values(), ids=FROZEN)
def test_a_frozen_tensor_of_several_values_cannot_be_published(make, name, recorder):
    with pytest.raises(ModelRejected, match=f"{name}, which keeps its values: Frozen"):
        publish(make(), 42, client=recorder)


def test_statistics_of_a_frozen_norm_cannot_be_published_if_they_differ(recorder):
    model = nn.Sequential(nn.BatchNorm1d(3).requires_grad_(False), nn.Linear(3, 2))
    model[0].running_mean.copy_(torch.arange(3.0))
    with pytest.raises(ModelRejected, match=r"0\.running_mean cannot be published"):
        publish(model, 42, client=recorder)


def make_zero_convolution():
    """Make a layer that adds nothing at first, as ControlNet's zero convolutions."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 8, 1))
    for parameter in model[2].parameters():
        nn.init.zeros_(parameter)
    return model


def make_modulation():
    """Make a modulation that is the identity at first, as DiT's adaLN-Zero."""
    model = nn.ModuleDict({"mlp": nn.Linear(4, 16), "norm": nn.LayerNorm(4), "modulation": nn.Linear(4, 24)})
    nn.init.constant_(model["modulation"].weight, 0)
    nn.init.constant_(model["modulation"].bias, 0)
    model["out"] = nn.Linear(16, 4)
    return model


def make_last_norm():
    """Make a residual branch that is zero at first, as torchvision's zero_init_residual does it."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 1), nn.BatchNorm2d(3)
    )
    nn.init.constant_(model[4].weight, 0)
    return model


def make_assigned():
    """Make a head that is given a kernel of zeros."""
    model = make_mlp()
    model[3].weight = nn.Parameter(torch.zeros(2, 8))
    return model


ZEROS = {
    "zero convolution": (make_zero_convolution, "2.weight"),
    "modulation": (make_modulation, "modulation.weight"),
    "last norm": (make_last_norm, "4.weight"),
    "assigned": (make_assigned, "3.weight"),
}
RULES = {"*": {"activation": "none"}}


@pytest.mark.parametrize(("make", "name"), ZEROS.values(), ids=ZEROS)
def test_what_the_author_set_to_zero_stays_zero(make, name):
    entry = plan(make(), rules=RULES)[name]
    assert (entry.action, entry.certainty) == (Constant(0.0), "guessed")


@pytest.mark.parametrize(("make", "name"), ZEROS.values(), ids=ZEROS)
def test_all_else_is_drawn(make, name):
    zeros = {key for key, entry in plan(make(), rules=RULES).items() if entry.certainty == "guessed"}
    assert zeros == {name}


@pytest.mark.parametrize(("make", "name"), ZEROS.values(), ids=ZEROS)
def test_a_rule_wins_over_what_the_author_set_to_zero(make, name):
    entry = plan(make(), rules={name: {"stddev": 0.1}, **RULES})[name]
    assert (isinstance(entry.action, Draw), entry.certainty) == (True, "certain")


@pytest.mark.parametrize(("make", "name"), ZEROS.values(), ids=ZEROS)
def test_a_copy_with_a_norm_keeps_its_zeros(make, name):
    model = nn.ModuleDict({"model": make(), "norm": nn.LayerNorm(4)})
    assert plan(copy.deepcopy(model), rules=RULES)[f"model.{name}"].action == Constant(0.0)


@pytest.mark.parametrize(("make", "name"), ZEROS.values(), ids=ZEROS)
def test_where_all_kernels_are_zero_all_are_drawn(make, name):
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert {entry.certainty for entry in plan(model, rules=RULES).values()} == {"certain"}


@pytest.mark.parametrize(("make", "name"), ZEROS.values(), ids=ZEROS)
def test_where_memory_was_never_written_all_is_drawn(make, name):
    model = make().to(device="meta").to_empty(device="cpu")
    for index, parameter in enumerate(model.parameters()):  # as allocators leave it
        parameter.data = torch.zeros_like(parameter) if index else torch.full_like(parameter, 1e-41)
    assert {entry.certainty for entry in plan(model, rules=RULES).values()} == {"certain"}


@pytest.mark.parametrize(("make", "name"), ZEROS.values(), ids=ZEROS)
def test_without_memory_all_is_drawn(make, name):
    assert isinstance(plan(make().to("meta"), rules=RULES)[name].action, Draw | Constant)


def test_a_norm_of_which_all_is_zero_is_reset():
    norm = nn.LayerNorm(4)
    nn.init.zeros_(norm.weight)
    assert plan(norm)["weight"].action == Constant(1.0)


def test_a_bias_that_its_author_set_is_kept():
    """As RetinaNet's prior (Lin et al. 2017, section 4.1)."""
    model = make_mlp()
    nn.init.constant_(model[3].bias, -math.log(99))
    assert plan(model)["3.bias"].action.value == pytest.approx(-math.log(99))


def test_a_bias_of_one_element_is_no_choice():
    assert plan(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1)))["1.bias"].action == Constant(0.0)


def test_what_was_kept_at_zero_is_reported(client):
    report = initialize_(make_zero_convolution(), 42, client=client)
    assert report.guessed == ("2.weight",)


@pytest.mark.parametrize("value", [0.0, 1.0, -math.inf])
def test_a_buffer_that_may_be_meant_is_not_warned_of(value, client):
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.full((2,), value))
    initialize_(model, 42, client=client)
    assert model.mask.tolist() == [value, value]


@pytest.mark.parametrize("value", [torch.nan, 1e-41])
def test_a_buffer_that_holds_no_number_is_warned_of(value, client):
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].register_buffer("angles", torch.full((2,), value))
    with pytest.warns(UnsetTensorWarning, match=r"^0\.angles: kept, but without values"):
        initialize_(model, 42, client=client)


def test_a_buffer_without_memory_is_warned_of(client):
    model = nn.Linear(2, 2)
    model.register_buffer("angles", torch.zeros(2, device="meta"))
    with pytest.warns(UnsetTensorWarning, match="angles"):
        initialize_(model, 42, client=client)


def test_a_frozen_parameter_that_holds_nan_is_warned_of(client):
    model = make_mlp()
    with torch.no_grad():
        model[0].weight.requires_grad_(False).fill_(torch.nan)
    with pytest.warns(UnsetTensorWarning, match=r"^0\.weight"):
        initialize_(model, 42, client=client)
