"""Computations on a kernel before its product, and kernels made by products, are reported."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from weightinit.adapters.actions import Unknown
from weightinit.torch.plan import plan_parameters


class Changed(nn.Linear):
    """A layer that applies a function of its kernel."""

    def __init__(self, change):
        super().__init__(4, 4)
        self.change = change
        self.mask = nn.Buffer(torch.ones(4, 4).tril())

    def forward(self, x):
        return F.linear(x, self.change(self.weight, self.mask), self.bias)


class Holding(nn.Module):
    """Parameters of a module's own, and what is computed with them."""

    def __init__(self, compute, **shapes):
        super().__init__()
        torch.manual_seed(0)
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.randn(shape)) if isinstance(shape, tuple) else shape)
        self.compute = compute

    def forward(self, *inputs):
        return self.compute(self, *inputs)


def plan(module, *batch):
    found = plan_parameters(module, batch=batch or None, strict=False)
    return {tensor.name: tensor for tensor in found}


def plan_changed(change):
    return plan(nn.Sequential(Changed(change), nn.ReLU(), nn.Linear(4, 2)))["0.weight"]


CHANGES = {
    "a function": (lambda w, _: w.exp(), "a function of it"),
    "its magnitude": (lambda w, _: w.abs(), "a function of it"),
    "a mask": (lambda w, mask: w * mask, "38% of it are masked"),  # 6 of 16
    "half of it": (lambda w, _: w.tril(), "38% of it are masked"),
    "an equalized learning rate": (lambda w, _: w * (1 / math.sqrt(4)), "multiplied by 0.5"),
}


@pytest.mark.parametrize(("change", "reason"), CHANGES.values(), ids=CHANGES)
def test_a_kernel_is_a_guess_where_its_product_applies_something_else(change, reason):
    planned = plan_changed(change)
    assert (planned.action.layer["activation"], planned.certainty) == ("relu", "guessed")
    assert reason in planned.reason


NORMALIZED = {
    "by row": lambda w, _: F.normalize(w, dim=1),
    "weight standardization": lambda w, _: (w - w.mean(1, keepdim=True)) / (w.std(1, keepdim=True) + 1e-5),
    "a batch norm": lambda w, _: F.batch_norm(w.T, None, None, training=True).T,
}


@pytest.mark.parametrize("change", NORMALIZED.values(), ids=NORMALIZED)
def test_the_scale_of_a_kernel_that_is_normalized_has_no_effect(change):
    planned = plan_changed(change)
    assert (planned.action.layer["activation"], planned.certainty) == ("relu", "certain")
    assert "its scale has no effect" in planned.reason


SAME = {
    "another dtype": lambda w, _: w.to(torch.float64).to(torch.float32),
    "contiguous": lambda w, _: w.contiguous(),
    "times one": lambda w, _: w * 1.0,
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_a_kernel_that_stays_what_it_is_is_certain(change):
    assert plan_changed(change).certainty == "certain"


def test_a_forward_that_changes_a_kernel_in_place_makes_a_guess_of_it():
    class Causal(Changed):
        def forward(self, x):
            self.weight.data *= self.mask
            return super().forward(x)

    assert plan(nn.Sequential(Causal(lambda w, _: w), nn.ReLU()))["0.weight"].certainty == "guessed"


MIXING = {
    "rows into columns": ((8, 4), lambda s, x: x @ s.w.reshape(4, 8), (4, 8)),
    "heads beside inputs": ((2, 4, 3), lambda s, x: x @ s.w.permute(1, 0, 2).reshape(4, 6), (4, 6)),
    "a convolution that was flattened": ((6, 12), lambda s, x: F.conv1d(x.mT, s.w.view(6, 4, 3)), (12, 18)),
    "beside other inputs": ((8, 3), lambda s, x: F.linear(x, torch.cat([s.w, s.w[:, :1]], 1)), (4, 8)),
}


@pytest.mark.parametrize(("shape", "compute", "fans"), MIXING.values(), ids=MIXING)
def test_a_kernel_whose_axes_its_product_does_not_have_gets_the_fans_there_as_a_guess(shape, compute, fans):
    planned = plan(Holding(compute, w=shape), torch.randn(2, 5, 4))["w"]
    assert (planned.action.layer["fan_in"], planned.action.layer["fan_out"]) == fans
    assert planned.certainty == "guessed"


BOTH = {
    "low rank": lambda s, x: F.linear(x, s.u @ s.v),
    "a query of its own": lambda s, x: (s.u @ s.v) @ x.mT,
}


@pytest.mark.parametrize("compute", BOTH.values(), ids=BOTH)
def test_two_parameters_that_are_multiplied_are_guesses(compute):
    found = plan(Holding(compute, u=(4, 2), v=(2, 4)), torch.randn(3, 4))
    assert (found["u"].certainty, found["v"].certainty) == ("guessed", "guessed")


def test_what_makes_the_kernel_of_another_product_is_a_guess():
    module = Holding(lambda s, x, z: F.linear(x, s.maker(z).view(4, 4)), maker=nn.Linear(3, 16))
    found = plan(module, torch.randn(2, 4), torch.randn(3))["maker.weight"]
    assert found.certainty == "guessed"
    assert "the kernel of another product" in found.reason


def test_a_factor_of_a_kernel_is_no_kernel():
    module = Holding(lambda s, x: F.linear(x, s.g * F.normalize(s.v)), g=(4, 1), v=(4, 4))
    assert plan(module)["g"].action == Unknown()


COMPARED = {
    "distances": lambda s, z: s.table(torch.cdist(z, s.table.weight).argmin(-1)),
    "products": lambda s, z: s.table((z @ s.table.weight.T).argmax(-1)),
    "cosines": lambda s, z: F.cosine_similarity(z[:, None], s.table.weight[None], dim=-1),
}


@pytest.mark.parametrize("compute", COMPARED.values(), ids=COMPARED)
def test_a_table_that_signals_are_compared_with_is_a_guess(compute):
    planned = plan(Holding(compute, table=nn.Embedding(8, 4)), torch.randn(2, 4))["table.weight"]
    assert planned.certainty == "guessed"
    assert "codebook" in planned.reason


def test_one_kernel_of_two_layers_is_a_guess_where_they_differ():
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    assert plan(nn.Sequential(first, nn.ReLU(), second, nn.ReLU()))["0.weight"].certainty == "certain"
    assert plan(nn.Sequential(first, nn.ReLU(), second))["0.weight"].certainty == "guessed"


def test_one_kernel_of_two_layers_is_a_guess_where_one_has_it_transposed():
    module = Holding(lambda s, x: F.linear(F.relu(s.f(x)), s.f.weight.T).relu(), f=nn.Linear(4, 8))
    planned = plan(module)["f.weight"]
    assert planned.certainty == "guessed"
    assert "as IO and as OI" in planned.reason


def test_the_kernels_of_attention_that_are_put_together_stay_one_each():
    def compute(s, x):
        kernels = torch.cat([s.q.weight, s.k.weight, s.v.weight])
        return F.scaled_dot_product_attention(*F.linear(x, kernels).chunk(3, -1))

    module = Holding(compute, q=nn.Linear(4, 4), k=nn.Linear(4, 4), v=nn.Linear(4, 4))
    kernels = [(name, one.certainty) for name, one in plan(module).items() if name.endswith("weight")]
    assert kernels == [("q.weight", "certain"), ("k.weight", "certain"), ("v.weight", "certain")]


@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_depthwise_convolution_keeps_the_kernels_apart_that_are_split_behind_it(is_recorded):
    """Restormer (Zamir et al. 2022, section 3.1): queries, keys and values pass a depthwise convolution."""

    def compute(s, x):
        if is_recorded and len(x.shape) * x.shape[0] > 1:  # which torch.fx cannot follow
            x = -x
        q, k, v = s.depthwise(s.qkv(x)).chunk(3, 1)
        return v @ (q.mT @ k).softmax(-1)

    layers = {"qkv": nn.Conv1d(4, 12, 1), "depthwise": nn.Conv1d(12, 12, 3, padding=1, groups=12)}
    found = plan(Holding(compute, **layers), torch.randn(2, 4, 5))
    assert [found[f"qkv.weight.{part}"].shape for part in "qkv"] == [(4, 4, 1)] * 3
    assert [found[f"depthwise.weight.{part}"].action.layer["groups"] for part in "qkv"] == [4] * 3


def test_a_table_among_layers_of_pytorch_needs_no_graph(monkeypatch):
    def refuse(_):
        raise AssertionError("it was traced")

    monkeypatch.setattr("weightinit.torch.tracing.activations.trace_whole", refuse)
    module = nn.Sequential(nn.Embedding(8, 4), nn.Linear(4, 2))
    planned = plan_parameters(module, rules={"1.weight": {"activation": "relu"}})
    assert [one.certainty for one in planned] == ["certain"] * 3
