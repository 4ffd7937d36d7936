"""What a module's own parameters' values show: factors that start at zero, and constants."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from weightinit.adapters.actions import Constant, Draw, Leave
from weightinit.torch import ModelRejected, initialize_, publish
from weightinit.torch.plan import plan_parameters


def plan(module, **said):
    """Plan a module: its entries by name."""
    return {entry.name: entry for entry in plan_parameters(module, **said)}


class Lora(nn.Linear):
    """A frozen layer with two factors beside it, as loralib's (Hu et al. 2022, section 4.1)."""

    def __init__(self, inputs, outputs, rank=4):
        super().__init__(inputs, outputs)
        self.weight.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.randn(rank, inputs) / inputs)
        self.lora_B = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x):
        return super().forward(x) + x @ self.lora_A.T @ self.lora_B.T


class Hadamard(nn.Linear):
    """A layer with the product of two products beside it, as LoHa's (Hyeon-Woo et al. 2022, section 2.2)."""

    def __init__(self, inputs, outputs, rank=4):
        super().__init__(inputs, outputs)
        self.first = nn.ParameterList([torch.randn(outputs, rank), torch.randn(rank, inputs)])
        self.second = nn.ParameterList([torch.zeros(outputs, rank), torch.randn(rank, inputs)])

    def forward(self, x):
        delta = (self.first[0] @ self.first[1]) * (self.second[0] @ self.second[1])
        return super().forward(x) + F.linear(x, delta)


class Branch(nn.Module):
    """A branch that adds nothing at first, whose kernel is larger than all others."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.up = nn.Linear(inputs, outputs)
        self.w = nn.Parameter(torch.zeros(outputs, outputs))

    def forward(self, x):
        x = self.up(x)
        return x + F.relu(x) @ self.w


class Dense(nn.Module):
    """A dense layer of parameters alone."""

    def __init__(self, inputs, outputs, kernel=torch.randn):
        super().__init__()
        self.w = nn.Parameter(kernel(inputs, outputs))
        self.b = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ self.w + self.b


class Lists(nn.Module):
    """Three dense layers in lists of parameters."""

    def __init__(self):
        super().__init__()
        self.kernels = nn.ParameterList([torch.randn(4, 4) for _ in range(3)])
        self.shifts = nn.ParameterList([torch.zeros(4) for _ in range(3)])

    def forward(self, x):
        for kernel, shift in zip(self.kernels, self.shifts, strict=True):
            x = torch.relu(x @ kernel + shift)
        return x


FACTORS = {
    "LoRA": (lambda: nn.Sequential(Lora(8, 8), nn.ReLU(), Lora(8, 2)), {"0.lora_B", "2.lora_B"}),
    "LoHa": (lambda: nn.Sequential(Hadamard(8, 8), nn.ReLU(), nn.Linear(8, 2)), {"0.second.0"}),
    "a branch": (lambda: nn.Sequential(Branch(4, 16), nn.Linear(16, 2)), {"0.w"}),
    "own layers alone": (
        lambda: nn.Sequential(Dense(4, 4), nn.ReLU(), Dense(4, 4, torch.zeros)),
        {"2.w", "0.b", "2.b"},
    ),
}


@pytest.mark.parametrize(("make", "names"), FACTORS.values(), ids=FACTORS)
def test_a_factor_that_its_author_set_to_zero_stays_zero(make, names):
    guessed = {name: entry.action for name, entry in plan(make()).items() if entry.certainty == "guessed"}
    assert guessed.keys() >= names
    assert {name: guessed[name] for name in names} == dict.fromkeys(names, Constant(0.0))


@pytest.mark.parametrize(("make", "names"), FACTORS.values(), ids=FACTORS)
def test_a_rule_draws_a_factor_that_was_zero(make, names):
    name = min(names, key=len)
    assert isinstance(plan(make(), rules={name: {"stddev": 0.1}})[name].action, Draw)


def test_an_adapter_whose_factor_is_kept_changes_nothing(client):
    model, x = nn.Sequential(Lora(8, 8), nn.ReLU(), Lora(8, 2)), torch.randn(4, 8)
    for layer in (model[0], model[2]):
        nn.init.zeros_(layer.bias)
    before = model(x)
    initialize_(model, 42, client=client)
    assert torch.equal(model(x), before)


def test_without_memory_a_factor_is_drawn_by_its_use():
    model = nn.Sequential(Branch(4, 16), nn.Linear(16, 2)).to("meta")
    assert isinstance(plan(model)["0.w"].action, Draw)


def test_where_memory_was_never_written_a_factor_is_drawn_by_its_use():
    model = nn.Sequential(Branch(4, 16), nn.Linear(16, 2)).to("meta").to_empty(device="cpu")
    for parameter in model.parameters():  # as allocators leave it
        parameter.data = torch.zeros_like(parameter)
    assert isinstance(plan(model)["0.w"].action, Draw)


OWN = {
    "modules": (lambda: nn.Sequential(Dense(4, 4), nn.ReLU(), Dense(4, 2)), {"0.b", "2.b"}),
    "lists": (Lists, {"shifts.0", "shifts.1", "shifts.2"}),
}


@pytest.mark.parametrize(("make", "names"), OWN.values(), ids=OWN)
def test_biases_of_a_model_of_its_own_layers_alone_stay_zero(make, names):
    planned = plan(make())
    assert {name: planned[name].action for name in names} == dict.fromkeys(names, Constant(0.0))
    assert all(isinstance(planned[name].action, Draw) for name in planned.keys() - names)


@pytest.mark.parametrize("value", [1 / 9, -1.0])
def test_a_kernel_of_one_other_value_is_kept(value):
    """As a mean of 3 by 3 pixels."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(), nn.Conv2d(1, 4, 3))
    nn.init.constant_(model[0].weight, value)
    entry = plan(model)["0.weight"]
    assert (entry.action.value, entry.certainty) == (pytest.approx(value), "guessed")


@pytest.mark.parametrize("value", [1.0, 0.5])
def test_where_all_kernels_are_of_one_value_all_are_drawn(value):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    for layer in (model[0], model[2]):
        nn.init.constant_(layer.weight, value)
    assert all(isinstance(plan(model)[name].action, Draw) for name in ("0.weight", "2.weight"))


def test_a_kernel_of_one_element_is_no_choice():
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 4))
    assert isinstance(plan(model)["0.weight"].action, Draw)


def make_transformer():
    """Make the last layer of a spatial transformer, which begins as identity (Jaderberg et al. 2015)."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6))
    nn.init.zeros_(model[2].weight)
    with torch.no_grad():
        model[2].bias.copy_(torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float))
    return model


def make_forget_gate():
    """Make a recurrent layer whose forget gate is open (Jozefowicz et al. 2015, section 2.2)."""
    model = nn.Sequential(nn.LSTM(3, 4))
    with torch.no_grad():
        model[0].bias_hh_l0.zero_()
        model[0].bias_hh_l0[4:8] = 1
    return model


def make_focal():
    """Make a head whose background class has a bias of its own."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
    with torch.no_grad():
        model[2].bias.copy_(torch.tensor([-4.6, 0, 0, 0]))
    return model


def make_half_norm():
    """Make a norm of which half begins at zero."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GroupNorm(2, 4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    with torch.no_grad():
        model[1].weight[2:] = 0
    return model


def make_identity():
    """Make a kernel that is the identity, among others (Le et al. 2015, for recurrent ones)."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.eye_(model[2].weight)
    return model


def make_dirac():
    """Make a convolution that passes its inputs on."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    nn.init.dirac_(model[2].weight)
    return model


class Turn(nn.Module):
    """A kernel of its own that begins as the identity, as the transformations of PointNet."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 2)
        self.turn = nn.Parameter(torch.eye(8) * 0.9)

    def forward(self, x):
        return self.last(F.relu(self.first(x) @ self.turn))


def make_bilinear():
    """Make a transposed convolution that interpolates (Long et al. 2015, section 3.3)."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 4, 4, 2))
    ramp = 1 - (torch.arange(4) - 1.5).abs() / 2
    with torch.no_grad():
        model[2].weight.zero_()
        for channel in range(4):
            model[2].weight[channel, channel] = ramp[:, None] * ramp
    return model


PATTERNS = {
    "spatial transformer": (make_transformer, "2.bias"),
    "forget gate": (make_forget_gate, "0.bias_hh_l0"),
    "background": (make_focal, "2.bias"),
    "half of a norm": (make_half_norm, "1.weight"),
    "identity": (make_identity, "2.weight"),
    "dirac": (make_dirac, "2.weight"),
    "own identity": (Turn, "turn"),
    "bilinear": (make_bilinear, "2.weight"),
}


@pytest.mark.parametrize(("make", "name"), PATTERNS.values(), ids=PATTERNS)
def test_a_few_values_that_the_author_set_stay(make, name, client):
    model = make()
    before = model.get_parameter(name).clone()
    row = initialize_(model, 42, client=client)[name]
    assert torch.equal(model.get_parameter(name), before)
    assert (row.scheme, row.certainty) == ("kept", "guessed")


@pytest.mark.parametrize(("make", "name"), PATTERNS.values(), ids=PATTERNS)
def test_all_but_those_values_is_initialized(make, name):
    kept = {key for key, entry in plan(make()).items() if entry.action == Leave()}
    assert kept == {name}


@pytest.mark.parametrize(("make", "name"), PATTERNS.values(), ids=PATTERNS)
def test_a_rule_wins_over_a_few_values(make, name):
    assert plan(make(), rules={name: 0.5})[name].action == Constant(0.5)


@pytest.mark.parametrize("name", ["spatial transformer", "forget gate", "background", "half of a norm"])
def test_a_few_values_of_rows_are_published(name, client):
    make, parameter = PATTERNS[name]
    published = publish(make(), 42, client=client)
    model = make()
    before = model.get_parameter(parameter).clone()
    nn.init.zeros_(model.get_parameter(parameter))
    initialize_(model, published.id, client=client)
    assert torch.equal(model.get_parameter(parameter), before)


def test_a_few_values_inside_of_rows_cannot_be_published(recorder):
    with pytest.raises(ModelRejected, match=r"2\.weight, which keeps its values: It has few distinct values"):
        publish(make_bilinear(), 42, client=recorder)


def make_grouped_dirac():
    """Make a convolution of groups that passes its inputs on, with the center of an even kernel."""
    model = nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.ReLU(), nn.Conv1d(4, 6, 4, groups=2), nn.ReLU(), nn.Conv1d(6, 2, 1)
    )
    nn.init.dirac_(model[2].weight, 2)
    return model


IDENTITIES = {
    "identity": (make_identity, "2.weight"),
    "own identity": (Turn, "turn"),
    "dirac": (make_dirac, "2.weight"),
    "dirac of groups": (make_grouped_dirac, "2.weight"),
}


@pytest.mark.parametrize(("make", "name"), IDENTITIES.values(), ids=IDENTITIES)
def test_an_identity_is_published(make, name, client):
    published = publish(make(), 42, client=client)
    model = make()
    before = model.get_parameter(name).clone()
    nn.init.zeros_(model.get_parameter(name))
    initialize_(model, published.id, client=client)
    assert torch.equal(model.get_parameter(name), before)


def test_where_most_kernels_have_few_values_all_are_drawn():
    """As after training with binary kernels."""
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.weight.sign_()
    assert {entry.certainty for entry in plan(model).values()} == {"certain"}


def test_where_memory_was_never_written_no_values_are_kept():
    model = make_transformer().to("meta").to_empty(device="cpu")
    for parameter in model.parameters():  # as allocators leave it
        parameter.data = torch.zeros_like(parameter)
        parameter.data.view(-1)[::2] = 1
    assert {entry.certainty for entry in plan(model).values()} == {"certain"}


class Uncertain(nn.Module):
    """A kernel, and how uncertain each of its elements is (Blundell et al. 2015, section 3.2)."""

    def __init__(self, value):
        super().__init__()
        self.mean = nn.Parameter(torch.randn(2, 8))
        self.rho = nn.Parameter(torch.full((2, 8), value))

    def forward(self, x):
        variance = F.linear(x.square(), F.softplus(self.rho).square())
        return F.linear(x, self.mean) + variance.sqrt() * torch.randn_like(variance)


def test_a_matrix_of_one_value_that_nobody_knows_keeps_it():
    entry = plan(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), Uncertain(-3.0)))["2.rho"]
    assert (entry.action, entry.certainty) == (Constant(-3.0), "guessed")


def test_a_matrix_of_zeros_that_nobody_knows_is_refused():
    with pytest.raises(ModelRejected, match=r"2\.rho"):
        plan(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), Uncertain(0.0)))
