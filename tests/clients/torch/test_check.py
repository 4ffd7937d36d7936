"""`check` of modules: its report, and that the modules do not change."""

import math
import pickle
import random
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from weightinit.adapters.rules import ModelRejected
from weightinit.adapters.signal_report import FLAGS
from weightinit.torch import check

DEPTH, WIDTH = 30, 256
PAGE = (Path(__file__).parents[3] / "docs" / "check.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def stack(activation, initialize, depth=DEPTH, width=WIDTH):
    layers = [nn.Linear(width, width, bias=False) for _ in range(depth)]
    for layer in layers:
        initialize(layer.weight)
    return nn.Sequential(*(module for layer in layers for module in (layer, activation())))


def batch(*shape):
    return torch.randn(*(shape or (WIDTH, WIDTH)))


def has_flag(report, flag):
    return [row.name for row in report if flag in row.flags]


# --- theory --------------------------------------------------------------------------------------


def test_he_keeps_the_variance_of_a_relu_network():  # He et al. 2015, equations 10 and 14
    report = check(stack(nn.ReLU, nn.init.kaiming_normal_), batch())
    first, *_, last = report.layers
    # Hanin & Nica 2018: chance moves the logarithm by sqrt(5 depth / width).
    assert abs(math.log(last.variance / first.variance)) < 3 * math.sqrt(5 * DEPTH / WIDTH)
    assert abs(math.log(last.gradient / first.gradient)) < 3 * math.sqrt(5 * DEPTH / WIDTH)
    assert not report.flagged


def test_glorot_halves_the_variance_of_a_relu_network_at_each_layer():  # He et al. 2015, section 2.2
    report = check(stack(nn.ReLU, nn.init.xavier_normal_), batch())
    first, *_, last = report.layers
    halvings = DEPTH - 1  # between as many outputs; the first has the input's own variance
    spread = 3 * math.sqrt(5 * DEPTH / WIDTH) / math.log(2)
    assert math.log2(first.variance / last.variance) == pytest.approx(halvings, abs=spread)
    assert math.log2(last.gradient / first.gradient) == pytest.approx(halvings, abs=spread)
    assert has_flag(report, "vanishes") == [row.name for row in report.layers]


def test_glorot_in_a_tanh_network_decays_as_one_over_the_depth():
    # E[tanh²(√q z)] = q - 2 q² + …, so dq/dl = -2 q² and q = 1 / (2 l).
    report = check(stack(nn.Tanh, nn.init.xavier_normal_), batch())
    assert report.layers[-1].variance == pytest.approx(1 / (2 * DEPTH), rel=0.5)
    assert not report.flagged


def test_unit_variance_explodes_in_a_relu_network():  # He et al. 2015, equation 9: a factor of width / 2
    report = check(stack(nn.ReLU, nn.init.normal_), batch())
    ratios = [row.ratio for row in report.layers[1:]]
    assert np.mean(np.log(ratios)) == pytest.approx(math.log(WIDTH / 2), rel=0.05)
    assert len(has_flag(report, "explodes")) == DEPTH


def test_unit_variance_saturates_a_tanh_network():
    report = check(stack(nn.Tanh, nn.init.normal_), batch())
    assert len(has_flag(report, "saturated")) == DEPTH
    assert has_flag(report, "explodes")  # the gradient


def test_the_gradient_vanishes_in_a_sigmoid_network():  # its derivative is a quarter at most
    report = check(stack(nn.Sigmoid, nn.init.xavier_normal_), batch())
    ratio = report.layers[-1].gradient / report.layers[0].gradient
    assert ratio > 16 ** (DEPTH - 1)
    assert "vanishes" in report.layers[0].flags
    assert "vanishes" not in report.layers[-1].flags


def test_the_gradient_at_the_outputs_has_variance_one():
    (row,) = check(nn.Linear(64, 512), batch(64, 64))
    assert row.gradient == pytest.approx(1, abs=5 * math.sqrt(2 / (64 * 512)))


# --- flags ---------------------------------------------------------------------------------------


def test_units_that_are_zero_for_every_sample_are_dead():
    model = nn.Sequential(nn.Linear(8, 100), nn.ReLU(), nn.Linear(100, 8))
    nn.init.constant_(model[0].bias, -100.0)
    assert has_flag(check(model, batch(16, 8)), "dead") == ["1"]


def test_units_that_are_zero_for_some_samples_are_not_dead():
    model = nn.Sequential(nn.Linear(8, 100), nn.ReLU(), nn.Linear(100, 8))
    nn.init.constant_(model[0].bias, -1.0)
    row = check(model, batch(512, 8))["1"]
    assert row.mean < 0.1
    assert not row.flags


def test_what_is_not_finite_is_said():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    with torch.no_grad():
        model[2].weight[0, 0] = math.inf
    report = check(model, batch(16, 8))
    assert "not finite" in report["2"].flags
    assert report.to_json()


def test_a_layer_of_zeros_is_said_and_what_is_before_it_has_no_gradient():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    nn.init.zeros_(model[2].weight)
    nn.init.zeros_(model[2].bias)
    report = check(model, batch(16, 8))
    assert has_flag(report, "zero") == ["2"]
    assert has_flag(report, "no gradient") == ["0", "1"]


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)).detach())


def test_what_is_detached_has_no_gradient():
    assert has_flag(check(Detached(), batch(16, 8)), "no gradient") == ["first", "relu"]


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)) for _ in range(4)
        )
        for block in self.blocks:
            nn.init.normal_(block[2].weight, std=1e-4)

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x)
        return x


def test_a_small_branch_of_a_residual_network_does_not_vanish():
    assert not check(Residual(), batch(16, 64)).flagged


class Towers(nn.Module):
    def __init__(self, left, right):
        super().__init__()
        self.left, self.right = left, right

    def forward(self, a, b):
        return self.left(a), self.right(b)


@pytest.mark.parametrize("odd", ["left", "right"])
def test_one_tower_that_vanishes_is_found_beside_one_that_does_not(odd):
    schemes = {"left": nn.init.kaiming_normal_, "right": nn.init.kaiming_normal_, odd: nn.init.xavier_normal_}
    towers = {name: stack(nn.ReLU, scheme) for name, scheme in schemes.items()}
    report = check(Towers(**towers), (batch(), batch()))
    assert {row.name.split(".")[0] for row in report.flagged} == {odd}
    assert len(report.flagged) >= DEPTH - 1


def test_what_a_norm_rescales_does_not_vanish():
    layers = [(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()) for _ in range(6)]
    for convolution, _, _ in layers:
        nn.init.normal_(convolution.weight, std=0.01)
    model = nn.Sequential(*(module for layer in layers for module in layer))
    assert not check(model, batch(8, 8, 12, 12)).flagged
    # In eval, running statistics that are still those it was made with rescale nothing.
    assert has_flag(check(model.eval(), batch(8, 8, 12, 12)), "vanishes")


# --- rows ----------------------------------------------------------------------------------------


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.conv(x).clamp(min=0).mean((2, 3)))


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(8))

    def forward(self, x):
        return torch.tanh(x @ self.weight)


def name_rows(report):
    return [(row.name, row.kind) for row in report]


def test_rows_are_in_the_order_of_execution():
    model = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 4), nn.Softmax(-1))
    assert name_rows(check(model, batch(4, 8))) == [("0", "Linear"), ("1", "gelu"), ("3", "Linear")]


def test_an_activation_that_is_called_as_a_function_has_a_row():
    report = check(Functional(), batch(4, 3, 8, 8))
    assert name_rows(report) == [("conv", "Conv2d"), ("relu", "relu"), ("head", "Linear")]
    assert report["conv"].shape == (4, 4, 6, 6)


def test_an_activation_of_ones_own_is_known_by_its_values():
    report = check(nn.Sequential(nn.Linear(8, 8), Swish()), batch(4, 8))
    assert name_rows(report) == [("0", "Linear"), ("1", "silu")]


def test_a_layer_of_ones_own_is_measured_before_its_activation():
    report = check(nn.Sequential(Own()), batch(1000, 8))
    assert name_rows(report) == [("0", "Own"), ("0.tanh", "tanh")]
    assert report["0"].variance == pytest.approx(1, rel=0.1)


def test_a_layer_that_is_called_twice_has_two_rows():
    layer = nn.Linear(8, 8)
    report = check(nn.Sequential(layer, nn.Tanh(), layer), batch(4, 8))
    assert [row.name for row in report.layers] == ["0", "0 (2)"]


def test_an_activation_in_place_changes_nothing():
    model = stack(nn.ReLU, nn.init.kaiming_normal_, depth=3)
    inputs = batch()
    before = check(model, inputs)
    for module in model:
        module.inplace = True
    after = check(model, inputs)
    assert [row.variance for row in after] == [row.variance for row in before]
    assert [row.gradient for row in after] == [row.gradient for row in before]


def test_a_frozen_model_of_indices_has_gradients():
    model = nn.Sequential(nn.Embedding(10, 8), nn.Linear(8, 8)).requires_grad_(requires_grad=False)
    report = check(model, torch.arange(10))
    assert not has_flag(report, "no gradient")
    assert not any(parameter.requires_grad for parameter in model.parameters())


@dataclass
class Output:
    logits: torch.Tensor
    hidden: tuple[torch.Tensor, ...]
    label: str = "x"


class Many(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.a, self.b, self.wrap = nn.Linear(8, 8), nn.Linear(8, 8), wrap

    def forward(self, x, scale=1.0):
        return self.wrap(self.a(x) * scale, self.b(x))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda a, b: (a, [b]),
        lambda a, b: {"a": a, "b": {"c": b}, "n": 3},
        lambda a, b: Output(a, (b,)),
    ],
    ids=["tuple", "dict", "dataclass"],
)
def test_all_outputs_count(wrap):
    report = check(Many(wrap), batch(64, 8))
    assert [round(row.gradient, 1) for row in report] == pytest.approx([1, 1], abs=0.3)


def test_a_mapping_is_keyword_arguments_and_a_tuple_arguments():
    model, inputs = Many(lambda a, b: (a, b)), batch(64, 8)
    named, placed = check(model, {"x": inputs, "scale": 2.0}), check(model, (inputs, 2.0))
    assert named == placed
    assert named["a"].gradient == pytest.approx(4 * check(model, inputs)["a"].gradient)


def test_a_loss_is_what_is_derived():
    model, inputs = nn.Linear(8, 4), batch(16, 8)
    report = check(model, inputs, loss=lambda outputs: outputs.square().sum() / 2)
    assert report[""].gradient == pytest.approx(report[""].variance)  # d/dy of y² / 2 is y


def test_a_loss_that_is_no_scalar_is_refused():
    with pytest.raises(ValueError, match="one element"):
        check(nn.Linear(8, 4), batch(16, 8), loss=lambda outputs: outputs)


@pytest.mark.parametrize("model", [nn.ReLU(), nn.Flatten()])
def test_a_model_without_a_layer_is_refused(model):
    with pytest.raises(ModelRejected, match="nothing to check"):
        check(model, batch(4, 8))


@pytest.mark.parametrize("model", [nn.LazyLinear(4), nn.Linear(8, 4, device="meta")])
def test_a_model_without_values_is_refused(model):
    with pytest.raises(ModelRejected, match=r"no shape yet|meta device"):
        check(model, batch(4, 8))


def test_half_precision_is_measured():
    report = check(nn.Sequential(nn.Linear(8, 8), nn.ReLU()).bfloat16(), batch(64, 8).bfloat16())
    assert 0 < report["0"].gradient < 2


# --- no trace ------------------------------------------------------------------------------------


class Restless(nn.Module):
    """Changes all that a forward can change, and draws from every global generator."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm, self.drop = nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout()
        self.spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))
        self.register_buffer("steps", torch.zeros(()))
        self.calls, self.seen, self.cache = 0, [], {"last": None}
        self.own = torch.Generator().manual_seed(3)
        self.array = np.zeros(3)
        self.fails = False

    def forward(self, x):
        self.calls += 1
        self.seen.append(x.shape)
        self.cache["last"] = x
        self.steps += 1
        self.array += random.random() + np.random.random()  # noqa: NPY002
        self.extra = torch.rand(3, generator=self.own)
        with torch.no_grad():
            self.layer.weight.mul_(1.5)
        x.add_(1)
        if self.fails:
            raise RuntimeError("the forward failed")
        return self.spectral(self.drop(self.norm(self.layer(x))))


def describe(model, inputs):
    """Describe all that has to be as it was."""
    modules = dict(model.named_modules())
    return pickle.dumps(
        [
            {name: tensor.detach().numpy().tobytes() for name, tensor in model.state_dict().items()},
            {name: (one.requires_grad, one.grad is None) for name, one in model.named_parameters()},
            {name: module.training for name, module in modules.items()},
            {name: (len(one._forward_hooks), len(one._forward_pre_hooks)) for name, one in modules.items()},
            [sorted(vars(module)) for module in modules.values()],
            (model.calls, model.seen, model.cache, model.array.tobytes(), model.own.get_state().tolist()),
            inputs.numpy().tobytes(),
            (torch.get_rng_state().tolist(), random.getstate()),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
        ]
    )


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_changed(training, fails):
    model, inputs = Restless().train(training), batch(16, 8)
    model.norm.eval()
    model.layer.bias.requires_grad_(requires_grad=False)
    model.fails = fails
    calls = []
    model.layer.register_forward_hook(lambda *_: calls.append(1))
    before = describe(model, inputs)
    if fails:
        with pytest.raises(RuntimeError, match="the forward failed"):
            check(model, inputs)
    else:
        check(model, inputs)
    assert describe(model, inputs) == before


def test_a_gradient_that_is_there_stays():
    model = nn.Linear(8, 8)
    model(batch(4, 8)).sum().backward()
    kept, values = model.weight.grad, model.weight.grad.clone()
    check(model, batch(4, 8), loss=lambda outputs: outputs.sum())
    assert model.weight.grad is kept
    assert torch.equal(kept, values)


def test_a_loss_that_fails_leaves_no_trace():
    model, inputs = Restless(), batch(16, 8)
    before = describe(model, inputs)

    def fail(outputs):
        torch.rand(1)
        raise RuntimeError("the loss failed")

    with pytest.raises(RuntimeError, match="the loss failed"):
        check(model, inputs, loss=fail)
    assert describe(model, inputs) == before


def test_two_checks_are_equal():
    model, inputs = nn.Sequential(nn.Linear(8, 8), nn.Dropout(), nn.Linear(8, 8)), batch(16, 8)
    assert check(model, inputs) == check(model, inputs)


def test_it_works_where_no_gradients_are_wanted():
    model, inputs = nn.Sequential(nn.Linear(8, 8), nn.ReLU()), batch(16, 8)
    expected = check(model, inputs)
    with torch.no_grad():
        assert check(model, inputs) == expected


# --- the page ------------------------------------------------------------------------------------


def test_the_example_of_the_page_prints_what_it_shows(capsys):
    (example, shown), *_ = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/check.md", "exec"), {"__name__": "example"})
    printed = capsys.readouterr().out
    number = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
    assert re.sub(r" +", " ", number.sub("", printed)) == re.sub(r" +", " ", number.sub("", shown))
    found, expected = (list(map(float, number.findall(text))) for text in (printed, shown))
    assert found == pytest.approx(expected, rel=0.02, abs=1e-4)  # processors round differently


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_on_the_page(flag):
    assert f"| {flag} |" in PAGE
