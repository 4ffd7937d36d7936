"""What the author of a module fixed stays: frozen tensors, and those that begin at one value on purpose."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
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
    with pytest.raises(ModelRejected, match=f"{name}, which is left as it is: Frozen"):
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


def make_shared(second=None):
    """Make two layers whose kernels are two parameters on one memory."""
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = nn.Parameter(second(model[0].weight.data) if second else model[0].weight.data)
    return model


def test_parameters_on_one_memory_are_tied():
    (entry,) = plan(make_shared()).values()
    assert (entry.name, entry.aliases) == ("0.weight", ("1.weight",))


def test_parameters_on_one_memory_are_tied_on_the_meta_device():
    with torch.device("meta"):
        model = make_shared()
    assert list(plan(model)) == ["0.weight"]


def test_parameters_on_one_memory_are_published_once(recorder):
    publish(make_shared(), 42, client=recorder)
    assert [tensor["name"] for tensor in recorder.model.to_json()["tensors"]] == ["0.weight"]


def test_a_head_on_the_memory_of_a_table_is_tied():
    model = nn.Sequential(nn.Embedding(6, 4), nn.Linear(4, 6, bias=False))
    model[1].weight = nn.Parameter(model[0].weight.data)
    assert plan(model)["0.weight"].aliases == ("1.weight",)


OVERLAPS = {
    "transposed": torch.t,
    "rows": lambda table: table[1:],
    "columns": lambda table: table[:, 1:],
    "another shape": lambda table: table.view(2, 8),
    "an expanded row": lambda table: table[:1].expand(4, 4),
    "an element": lambda table: table[3:, 3:],
}


@pytest.mark.parametrize("cut", OVERLAPS.values(), ids=OVERLAPS)
def test_memory_that_is_shared_in_part_is_refused(cut):
    with pytest.raises(ModelRejected, match=r"0\.weight.* and 1\.weight.*share some of their memory"):
        plan(make_shared(cut))


@pytest.mark.parametrize("name", ["0.weight", "1.weight"])
def test_memory_that_is_shared_in_part_is_written_where_a_rule_leaves_one(name):
    planned = plan(make_shared(torch.t), rules={name: None})
    assert [entry.action == Leave(by_rule=True) for entry in planned.values()].count(True) == 1


@pytest.mark.parametrize(
    "cut", [lambda table: (table[:2], table[2:]), lambda table: (table[:, :2], table[:, 2:])]
)
def test_parts_of_one_memory_that_do_not_touch_are_two(cut):
    first, second = cut(torch.ones(4, 4))
    model = nn.Sequential(nn.Linear(2, 4, bias=False), nn.Linear(2, 4, bias=False))
    model[0].weight, model[1].weight = nn.Parameter(first), nn.Parameter(second)
    assert list(plan(model, rules={"*": {"stddev": 0.1}})) == ["0.weight", "1.weight"]


class Head(nn.Module):
    """A table and a head that are tied, in either order."""

    def __init__(self, names=("table", "head"), padding=None, by_memory=False):
        super().__init__()
        layers = {
            "table": nn.Embedding(50, 16, padding_idx=padding),
            "head": nn.Linear(16, 50, bias=False),
        }
        for name in names:
            self.add_module(name, layers[name])
        weight = layers["table"].weight
        layers["head"].weight = nn.Parameter(weight.data) if by_memory else weight

    def forward(self, tokens):
        return self.head(F.relu(self.table(tokens)))


ORDERS = [("table", "head"), ("head", "table")]


@pytest.mark.parametrize("by_memory", [True, False])
@pytest.mark.parametrize("names", ORDERS)
def test_a_table_that_is_a_head_starts_as_a_head(names, by_memory, client):
    report = initialize_(Head(names, by_memory=by_memory), 42, client=client)
    (row,) = report.rows
    assert (row.variance, row.distribution, "head" in row.reason) == (1 / 16, "normal", True)


def test_a_table_that_is_a_head_is_the_same_in_either_order(client):
    tables = []
    for names in ORDERS:
        model = Head(names)
        initialize_(model, 42, rename=lambda _: "table", client=client)
        tables.append(model.table.weight)
    assert torch.equal(*tables)


def test_a_row_of_padding_of_a_tied_table_is_zero():
    planned = plan(Head(padding=3))
    assert planned["table.weight[3]"].action == Constant(0.0)


@pytest.mark.parametrize("names", ORDERS)
def test_a_tied_table_is_what_was_published_of_it(names, client):
    published = publish(Head(names), 42, client=client)
    first, second = Head(names), Head(names)
    initialize_(first, 42, client=client)
    initialize_(second, published.id, client=client)
    assert torch.equal(first.table.weight, second.table.weight)


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
    with pytest.warns(UnsetTensorWarning, match=r"^0\.angles: left as they are"):
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
