"""Modules that cannot be planned or measured are rejected, with what to do."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.utils.checkpoint import checkpoint
from weightinit.torch import ModelRejected, check, initialize_
from weightinit.torch.plan import plan_parameters

ignore_deprecation = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.* are deprecated:UserWarning"
)


def make_mlp():
    """Make two layers."""
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def trace(model):
    """Trace a module by torch.jit."""
    return torch.jit.trace(model, torch.randn(2, 8))


COMPILED = {
    "scripted": lambda: torch.jit.script(make_mlp()),
    "traced": lambda: trace(make_mlp()),
    "inside": lambda: nn.Sequential(torch.jit.script(make_mlp()), nn.Linear(4, 2)),
}


@ignore_deprecation
@pytest.mark.parametrize("make", COMPILED.values(), ids=COMPILED)
def test_a_module_of_torch_jit_is_refused(make):
    with pytest.raises(ModelRejected, match=r"is compiled by torch\.jit"):
        plan_parameters(make())


@ignore_deprecation
@pytest.mark.parametrize("make", COMPILED.values(), ids=COMPILED)
def test_a_module_of_torch_jit_cannot_be_checked(make):
    with pytest.raises(ModelRejected, match=r"is compiled by torch\.jit"):
        check(make(), torch.randn(4, 8))


@ignore_deprecation
def test_a_module_that_was_initialized_can_be_scripted(client):
    model = make_mlp()
    initialize_(model, 42, client=client)
    x = torch.randn(2, 8)
    assert torch.equal(torch.jit.script(model)(x), model(x))


def quantize(model, *kinds):
    """Quantize the layers of some kinds."""
    return torch.ao.quantization.quantize_dynamic(model, set(kinds))


class Packed(nn.Module):
    """A layer whose weights are integers in a buffer, several to each, as GPTQ's."""

    def __init__(self, name):
        super().__init__()
        self.register_buffer(name, torch.zeros(4, 8, dtype=torch.int32))

    def forward(self, x):
        return x


PACKED = {
    "linear": (lambda: quantize(make_mlp(), nn.Linear), "0, 2"),
    "recurrent": (lambda: quantize(nn.Sequential(nn.LSTM(8, 16)), nn.LSTM), "0"),
    "some": (lambda: quantize(nn.Sequential(nn.Embedding(8, 16), nn.Linear(16, 4)), nn.Linear), "1"),
    "buffers": (lambda: nn.Sequential(nn.Linear(8, 8), Packed("qweight")), "1"),
    "other buffers": (lambda: nn.Sequential(Packed("weight_packed"), nn.Linear(8, 8)), "0"),
}


@ignore_deprecation
@pytest.mark.parametrize(("make", "names"), PACKED.values(), ids=PACKED)
def test_packed_weights_are_refused(make, names):
    with pytest.raises(
        ModelRejected, match=f"packed weights instead of parameters: {names}; initialize the model before"
    ):
        plan_parameters(make())


@ignore_deprecation
def test_packed_weights_are_left_where_that_is_said():
    model = quantize(nn.Sequential(nn.Embedding(8, 16), nn.Linear(16, 4)), nn.Linear)
    assert [entry.name for entry in plan_parameters(model, strict=False)] == ["0.weight"]


@pytest.mark.parametrize("name", ["relative_position_index", "mask"])
def test_a_buffer_of_integers_is_no_packed_weight(name):
    planned = plan_parameters(nn.Sequential(nn.Linear(8, 8), Packed(name)))
    assert [entry.name for entry in planned] == ["0.weight", "0.bias"]


def test_what_is_made_ready_to_be_quantized_is_planned():
    model = nn.Sequential(torch.ao.quantization.QuantStub(), nn.Linear(4, 4))
    assert [entry.name for entry in plan_parameters(model)] == ["1.weight", "1.bias"]


NORMED = {
    "spectral_norm": (
        torch.nn.utils.spectral_norm,
        "initialize before applying weight_norm or spectral_norm",
    ),
    "weight_norm": (torch.nn.utils.weight_norm, "initialize before applying weight_norm or spectral_norm"),
    "parametrization": (
        torch.nn.utils.parametrizations.weight_norm,
        "initialize before registering parametrizations",
    ),
    "pruning": (lambda layer: prune.l1_unstructured(layer, "weight", 0.5), "initialize before pruning"),
}


@ignore_deprecation
@pytest.mark.parametrize(("apply", "hint"), NORMED.values(), ids=NORMED)
def test_what_stands_for_a_kernel_is_refused_with_a_hint(apply, hint):
    with pytest.raises(ModelRejected, match=hint):
        plan_parameters(nn.Sequential(apply(nn.Linear(4, 4)), nn.ReLU()))


class Checkpointed(nn.Module):
    """A part that is run again on the way back."""

    def __init__(self, *, use_reentrant):
        super().__init__()
        self.first, self.part, self.last = nn.Linear(8, 8), make_mlp(), nn.Linear(4, 2)
        self.use_reentrant = use_reentrant

    def forward(self, x):
        return self.last(checkpoint(self.part, self.first(x), use_reentrant=self.use_reentrant))


def test_a_reentrant_checkpoint_cannot_be_checked():
    with pytest.raises(ModelRejected, match="use_reentrant=False"):
        check(Checkpointed(use_reentrant=True), torch.randn(4, 8))


def test_another_checkpoint_is_checked():
    assert check(Checkpointed(use_reentrant=False), torch.randn(4, 8))
