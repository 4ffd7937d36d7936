"""Hooks are not called during a trace: what they change is unknown."""

import types
from functools import partial

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from torch.nn.utils import parametrizations, prune
from weightinit.torch import UnknownActivationWarning
from weightinit.torch.plan import plan_parameters

KEPT = []


def make():
    """Make two layers with nothing between them, but for what hooks do."""
    return nn.Sequential(nn.Linear(16, 32), nn.Linear(32, 4))


class Branching(nn.Module):
    """A forward that torch.fx cannot follow, and that runs on stand-ins."""

    def __init__(self):
        super().__init__()
        self.layers = make()

    def forward(self, x):
        return self.layers(x) if x.sum().item() < 1e6 else x


def find_certainty(model, name="0.weight"):
    """Find how certain it is what follows a kernel."""
    return {one.name: one.certainty for one in plan_parameters(model, strict=False)}[name]


def rectify(_module, _inputs, output):
    """Return another output."""
    return F.relu(output)


def rectify_in_place(_module, _inputs, output):
    """Change the output, and return nothing."""
    output.relu_()


def keep(_module, _inputs, output):
    """Keep the output, and return nothing."""
    KEPT.append(output.detach())


class Watcher:
    """A hook that is an object."""

    def __call__(self, _module, _inputs, output):
        KEPT.append(output)


@pytest.mark.parametrize(
    "hook",
    [
        rectify,
        rectify_in_place,
        partial(rectify),
        lambda _module, _inputs, output: F.gelu(output),
        lambda _module, _inputs, output: output if output.ndim > 2 else None,
        nn.Identity(),
    ],
)
def test_what_follows_a_hook_that_may_change_an_output_is_unknown(hook):
    model = make()
    model[0].register_forward_hook(hook)
    with pytest.warns(UnknownActivationWarning, match="a forward hook of Linear may change what it returns"):
        assert find_certainty(model) == "unknown"


def test_what_precedes_a_pre_hook_that_may_change_an_input_is_unknown():
    model = make()
    model[1].register_forward_pre_hook(lambda _module, inputs: (torch.tanh(inputs[0]),))
    with pytest.warns(UnknownActivationWarning, match="a forward pre-hook of Linear may change what it gets"):
        assert find_certainty(model) == "unknown"


def test_a_hook_of_the_whole_model_may_change_what_it_returns():
    model = make()
    model.register_forward_hook(rectify)
    with pytest.warns(UnknownActivationWarning, match="a forward hook of Sequential"):
        assert find_certainty(model, "1.weight") == "unknown"


def test_hooks_count_where_torch_fx_cannot_follow():
    model = Branching()
    model.layers[0].register_forward_hook(rectify)
    with pytest.warns(UnknownActivationWarning):
        assert find_certainty(model, "layers.0.weight") == "unknown"


@pytest.mark.parametrize(
    "hook",
    [keep, partial(keep), Watcher(), lambda _module, _inputs, output: KEPT.append(output)],
)
def test_a_hook_that_returns_nothing_changes_nothing_and_is_not_called(hook):
    model, before = make(), len(KEPT)
    model[0].register_forward_hook(hook)
    assert find_certainty(model) == "certain"
    assert len(KEPT) == before


@pytest.mark.parametrize(
    "apply",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        nn.utils.spectral_norm,
        partial(prune.random_unstructured, name="weight", amount=0.5),
    ],
)
def test_hooks_of_torch_leave_the_rest_of_a_model_certain(apply):
    model = make()
    apply(model[1])
    assert find_certainty(model) == "certain"


def test_a_forward_that_was_replaced_is_followed():
    model = make()
    model.forward = types.MethodType(lambda self, x: self[1](F.relu(self[0](x))), model)
    planned = {one.name: one for one in plan_parameters(model)}
    assert planned["0.weight"].action.layer["activation"] == "relu"


def test_what_follows_in_a_forward_that_calls_other_modules_is_unknown():
    model = make()
    first, second = model
    model.forward = lambda x: second(F.relu(first(x)))
    with pytest.warns(UnknownActivationWarning, match="it was replaced"):
        assert find_certainty(model) == "unknown"
