"""Which activation follows a layer, found in its module."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from torch.utils.checkpoint import checkpoint
from weightinit.torch.tracing.activations import ActivationFinder

from tests.clients.torch.models import check_rank, reversed_pair

# ruff: noqa: ARG005 - every forward takes the same


# Without Inductor, which takes seconds to import.
COMPILE = partial(torch.compile, backend="eager")


def find(module, layer):
    """Find what follows a layer, given its name."""
    found = module.get_submodule(layer)
    return ActivationFinder(module).find(found.weight, found)


class Net(nn.Module):
    """A layer, and what its test does with what comes out of it."""

    def __init__(self, rest):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.other = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.scale = nn.Parameter(torch.ones(4))
        self.rest = rest

    def forward(self, x):
        return self.rest(self, self.layer(x), x)


SEQUENCES = {
    "next": ([nn.ReLU()], "relu"),
    "after norm and dropout": ([nn.BatchNorm1d(4), nn.Dropout(), nn.SiLU()], "silu"),
    "after pooling": (
        [nn.Unflatten(1, (1, 4)), nn.MaxPool1d(2), nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.ELU()],
        "elu",
    ),
    "inside": ([nn.Sequential(nn.Identity(), nn.Sequential(nn.GELU()))], "gelu"),
    "not beyond a layer": ([nn.Linear(4, 4), nn.ReLU()], None),
    "none": ([], None),
    "PReLU": ([nn.PReLU()], "prelu"),
    "LeakyReLU": ([nn.LeakyReLU(0.2)], "leaky_relu"),
    "softmax": ([nn.Softmax(-1)], "softmax"),
    "GLU": ([nn.GLU()], "glu"),
}


@pytest.mark.parametrize(("rest", "activation"), SEQUENCES.values(), ids=SEQUENCES)
def test_in_a_sequence(rest, activation):
    found = find(nn.Sequential(nn.Linear(4, 4), *rest), "0")
    assert (found.activation, found.certainty) == (activation, "certain")


FORWARDS = {
    "function": (lambda net, y, x: F.relu(y), "relu"),
    "function of torch": (lambda net, y, x: torch.tanh(y), "tanh"),
    "in place": (lambda net, y, x: torch.relu_(y), "relu"),
    "method": (lambda net, y, x: y.sigmoid(), "sigmoid"),
    "residual": (lambda net, y, x: F.relu(x + y), "relu"),
    "residual, then norm": (lambda net, y, x: F.gelu(net.norm(y + x)), "gelu"),
    "scaled by a number": (lambda net, y, x: F.relu(2 * y / 3), "relu"),
    "scaled by a parameter": (lambda net, y, x: F.relu(net.scale * y), "relu"),
    "reshaped": (lambda net, y, x: F.relu(y.view(2, -1).transpose(0, 1).contiguous().flatten()), "relu"),
    "concatenated": (lambda net, y, x: F.elu(torch.cat([x, y], 1)), "elu"),
    "functional norm": (lambda net, y, x: F.silu(F.layer_norm(y, (4,))), "silu"),
    "dropped out": (lambda net, y, x: F.selu(F.dropout(y, training=net.training)), "selu"),
    "scaled by a signal": (lambda net, y, x: F.relu(y * x), "relu"),
    "queries": (
        lambda net, y, x: F.relu(F.scaled_dot_product_attention(y, net.other(x), net.other(x))),
        None,
    ),
    "product of kernels": (lambda net, y, x: (y @ net.other(x)).softmax(-1), None),
    "another layer": (lambda net, y, x: F.relu(net.other(y)), None),
    "gate, SiLU": (lambda net, y, x: F.silu(y) * net.other(x), "silu"),
    "linear half, SiLU": (lambda net, y, x: F.silu(net.other(x)) * y, "swiglu"),
    "linear half, GELU": (lambda net, y, x: y * F.gelu(net.other(x)), "geglu"),
    "linear half, sigmoid": (lambda net, y, x: y * net.other(x).sigmoid(), "glu"),
    "spelled out SiLU": (lambda net, y, x: y * torch.sigmoid(y), "silu"),
    "branch on no tensor": (lambda net, y, x: F.relu(y) if net.training else y, "relu"),
    "after an assertion": (lambda net, y, x: F.relu(check_rank(y)), "relu"),
    "unpacked sizes": (lambda net, y, x: F.relu(y.view(*reversed_pair(y.size()))), "relu"),
}


@pytest.mark.parametrize(("rest", "activation"), FORWARDS.values(), ids=FORWARDS)
def test_in_a_forward(rest, activation):
    found = find(Net(rest), "layer")
    assert (found.activation, found.certainty) == (activation, "certain")


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.ReLU()),
        nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Dropout(), nn.Hardshrink()),
    ],
)
def test_the_first_of_two_activations_is_a_guess(module):
    found = find(module, "0")
    assert (found.activation, found.certainty) == ("tanh", "guessed")


def test_the_first_of_two_ways_is_a_guess():
    found = find(Net(lambda net, y, x: torch.cat([net.other(torch.tanh(y)), net.other(F.relu(y))])), "layer")
    assert (found.activation, found.certainty) == ("tanh", "guessed")


def test_the_reason_names_the_module():
    assert find(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), "0").reason == "1 (ReLU) follows."


def test_the_reason_names_the_function():
    assert find(Net(lambda net, y, x: F.relu(y)), "layer").reason == "relu() follows."


class Choice(nn.Module):
    """A forward that depends on values."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.Sequential(*parts)

    def forward(self, x):
        return self.parts(x) if x.sum() > 0 else x


def test_what_comes_after_a_part_of_what_cannot_be_traced_is_not_certain():
    found = find(Choice(nn.Linear(4, 4)), "parts.0")
    assert (found.activation, found.certainty) == (None, "unknown")


def test_a_part_that_cannot_be_traced_is_traced_alone():
    found = find(nn.Sequential(Choice(nn.Linear(4, 4), nn.ReLU())), "0.parts.0")
    assert (found.activation, found.certainty) == ("relu", "certain")


def test_a_root_that_cannot_be_traced_is_traced_by_its_parts():
    assert find(Choice(nn.Linear(4, 4), nn.ReLU()), "parts.0").activation == "relu"


def test_what_a_part_that_cannot_be_traced_does_is_not_certain():
    found = find(nn.Sequential(nn.Linear(4, 4), Choice(nn.ReLU())), "0")
    assert (found.activation, found.certainty) == (None, "unknown")


def test_a_layer_before_the_end_of_a_trace_is_not_certain():
    def rest(net, y, x):
        if y.sum() > 0:
            return F.relu(y)
        return y

    found = find(Net(rest), "layer")
    assert (found.activation, found.certainty) == (None, "unknown")
    assert "Net.forward cannot be traced" in found.reason


def test_a_layer_that_feeds_another_before_the_end_of_a_trace_has_no_activation():
    def rest(net, y, x):
        z = net.other(y)
        return F.relu(z) if z.sum() > 0 else z

    model = Net(rest)
    assert [find(model, layer).certainty for layer in ("layer", "other")] == ["certain", "unknown"]


def test_the_end_of_a_trace_inside_a_part_is_not_certain():
    def rest(net, y, x):
        return F.relu(y) if y.sum() > 0 else y

    assert find(nn.Sequential(Net(rest), nn.ReLU()), "0.layer").certainty == "unknown"


def test_an_activation_before_the_end_of_a_trace_is_not_certain():
    found = find(Net(lambda net, y, x: F.relu(y) if F.relu(y).sum() > 0 else y), "layer")
    assert (found.activation, found.certainty) == (None, "unknown")


def test_a_layer_that_is_never_called_is_not_certain():
    found = find(Net(lambda net, y, x: y), "other")
    assert (found.activation, found.certainty) == (None, "unknown")


def test_the_reason_says_which_module_could_not_be_traced():
    model = nn.Sequential(Choice(nn.Sequential(), Choice(nn.Linear(4, 4))))
    assert (
        "Choice.forward cannot be traced"
        in ActivationFinder(model).find(model[0].parts[1].parts[0].weight, model[0].parts[1].parts[0]).reason
    )


def test_the_first_use_of_a_layer_counts():
    def rest(net, y, x):
        return torch.tanh(net.layer(F.relu(y)))

    assert find(Net(rest), "layer").activation == "relu"


def test_a_layer_alone_has_nothing_after_it():
    layer = nn.Linear(4, 4)
    found = ActivationFinder(layer).find(layer.weight, layer)
    assert (found.activation, found.certainty) == (None, "certain")


def test_attention_ends_in_its_projection():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(4, 2)

        def forward(self, x):
            return F.relu(self.attend(x, x, x)[0])

    assert find(Attention(), "attend.out_proj").activation == "relu"


@pytest.mark.parametrize("kind", [nn.TransformerEncoderLayer, nn.TransformerDecoderLayer])
@pytest.mark.parametrize(
    ("said", "activation"), [("relu", "relu"), ("gelu", "gelu"), (nn.SiLU(), "silu"), (torch.tanh, "tanh")]
)
def test_a_transformer_layer_keeps_its_activation(kind, said, activation):
    assert find(kind(4, 2, 8, activation=said), "linear1").activation == activation


@pytest.mark.parametrize("layer", ["self_attn.out_proj", "linear2"])
def test_what_ends_a_branch_of_a_transformer_layer_has_no_activation(layer):
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2)
    found = find(encoder, f"layers.1.{layer}")
    assert (found.activation, found.certainty) == (None, "certain")


class NewGELUActivation(nn.Module):
    """As transformers has it: its own arithmetic holds a tanh."""

    def __init__(self, factor=0.7978845608028654):  # √(2/π)
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(self.factor * (x + 0.044715 * torch.pow(x, 3))))


def test_an_activation_that_a_library_made_goes_by_its_values():
    assert find(nn.Sequential(nn.Linear(4, 4), NewGELUActivation()), "0").activation == "gelu_tanh"


def test_an_activation_of_other_values_is_unknown_whatever_its_name():
    found = find(nn.Sequential(nn.Linear(4, 4), NewGELUActivation(2.0)), "0")
    assert (found.activation, found.certainty) == (None, "unknown")


class RMSNorm(nn.Module):
    """As many models write it themselves."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True)) * self.weight


def test_a_norm_that_a_library_made_lets_a_signal_through():
    assert find(nn.Sequential(nn.Linear(4, 4), RMSNorm(), nn.ReLU()), "0").activation == "relu"


class Special(nn.ReLU):
    """An activation of another name."""


def test_a_subclass_of_an_activation_is_that_activation():
    found = find(nn.Sequential(nn.Linear(4, 4), Special()), "0")
    assert (found.activation, found.reason) == ("relu", "1 (Special) follows.")


class NormLinear(nn.Linear):
    """A layer whose name has a norm in it."""


def test_a_layer_is_a_layer_whatever_its_name():
    assert find(nn.Sequential(nn.Linear(4, 4), NormLinear(4, 4), nn.ReLU()), "0").activation is None


@pytest.mark.parametrize("wrap", [COMPILE, nn.DataParallel])
def test_a_wrapper_is_looked_through(wrap):
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    assert ActivationFinder(wrap(model)).find(model[0].weight, model[0]).activation == "relu"


def test_a_wrapper_inside_is_looked_through():
    layer = nn.Linear(4, 4)
    model = nn.Sequential(COMPILE(nn.Sequential(layer)), nn.ReLU())
    assert ActivationFinder(model).find(layer.weight, layer).activation == "relu"


def test_checkpointing_in_a_forward_does_not_hide_what_is_inside():
    model = Net(lambda net, y, x: checkpoint(net.other, y, use_reentrant=False))
    assert find(model, "other").certainty == "unknown" or find(model, "other").activation is None


def test_a_forward_that_keeps_what_it_computes_is_left_as_it_was():
    class Keeper(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.seen = None

        def forward(self, x):
            self.seen = self.layer(x)
            return self.seen

    model = Keeper()
    find(model, "layer")
    assert model.seen is None


def test_hooks_are_not_called():
    calls = []
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 4)), nn.ReLU())
    model[0].register_forward_pre_hook(lambda *_: calls.append("pre"))
    model[0].register_forward_hook(lambda *_: calls.append("post"))
    assert find(model, "0.0").activation == "relu"
    assert calls == []
