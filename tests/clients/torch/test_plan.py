"""The plan of a module's parameters, before any request."""

import re

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from torch.nn.utils import parametrizations
from weightinit.adapters.actions import Constant, Draw, Leave, Unknown
from weightinit.torch import ModelRejected, TensorRejected, UnknownActivationWarning
from weightinit.torch.plan import plan_parameters


def make_mlp():
    """Make two layers and a ReLU between them."""
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def plan(module, **said):
    """Plan a module: its entries by name."""
    return {entry.name: entry for entry in plan_parameters(module, **said)}


def find_activation(entry):
    """Find the activation that a planned tensor is drawn for."""
    return entry.action.layer["activation"]


def test_entries_come_in_the_order_of_the_parameters():
    assert list(plan(make_mlp())) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_an_entry_has_the_parameter_itself():
    model = make_mlp()
    assert plan(model)["0.weight"].target is model[0].weight


def test_activations_are_found():
    planned = plan(make_mlp())
    assert [find_activation(planned[name]) for name in ("0.weight", "2.weight")] == ["relu", None]


@pytest.mark.parametrize("pattern", ["0", "0.weight", "0*", re.compile(r"\d\.weight")])
def test_an_activation_that_is_said_wins_over_the_graph(pattern):
    assert find_activation(plan(make_mlp(), activations={pattern: "selu"})["0.weight"]) == "selu"


def test_a_rule_wins_over_an_activation_that_is_said():
    planned = plan(make_mlp(), activations={"*.weight": "selu"}, rules={"0.weight": {"activation": "tanh"}})
    assert [find_activation(planned[name]) for name in ("0.weight", "2.weight")] == ["tanh", "selu"]


def test_a_rule_that_says_a_scheme_needs_no_activation():
    assert "activation" not in plan(make_mlp(), rules={"0.weight": "he_normal"})["0.weight"].action.layer


def test_the_graph_is_not_traced_where_all_activations_are_said():
    class Untraceable(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

    assert find_activation(plan(Untraceable(), activations={"layer": "relu"})["layer.weight"]) == "relu"


def test_a_bias_can_be_ruled():
    assert plan(make_mlp(), rules={"0.bias": 0.1})["0.bias"].action == Constant(0.1)


def test_a_gate_can_be_ruled():
    planned = plan(nn.LSTM(3, 4), rules={"weight_hh_l0.f": "he"})
    assert planned["weight_hh_l0.f"].action.layer["scheme"] == "he"
    assert "scheme" not in planned["weight_hh_l0.i"].action.layer


def test_a_rule_for_packed_kernels_is_one_for_each():
    planned = plan(nn.MultiheadAttention(4, 2), rules={"in_proj_weight": "lecun_normal"})
    assert [planned[f"in_proj_weight.{part}"].action.layer["scheme"] for part in "qkv"] == [
        "lecun_normal"
    ] * 3


def test_a_rule_for_an_embedding_leaves_the_row_of_padding_alone():
    planned = plan(nn.Embedding(5, 2, padding_idx=1), rules={"weight": {"stddev": 0.02}})
    assert planned["weight[1]"].action == Constant(0.0)


def test_a_plain_kernel_can_be_split():
    planned = plan(nn.Linear(4, 12), rules={"weight": {"parts": ["q", "k", "v"]}})
    assert [planned[f"weight.{part}"].shape for part in "qkv"] == [(4, 4)] * 3


def test_reasons_say_where_the_activation_was_found():
    assert plan(make_mlp())["0.weight"].reason == "1 (ReLU) follows."


def test_reasons_cite_the_user():
    said = {"activations": {"0": "selu"}, "rules": {"2.*t": "he"}}
    planned = plan(make_mlp(), **said)
    assert [planned[name].reason for name in ("0.weight", "2.weight")] == [
        "activations['0'] sets selu.",
        "Set by rules['2.*t'].",
    ]


def make_tied():
    """Make an embedding whose table is the kernel of the last layer as well."""
    model = nn.Sequential(nn.Embedding(6, 4), nn.Linear(4, 6, bias=False))
    model[1].weight = model[0].weight
    return model


def test_a_tied_parameter_starts_once_under_its_first_name():
    (entry,) = plan(make_tied()).values()
    assert (entry.name, entry.aliases) == ("0.weight", ("1.weight",))


def test_a_tied_parameter_can_be_ruled_by_any_of_its_names():
    (entry,) = plan(make_tied(), rules={"1.weight": {"stddev": 0.02}}).values()
    assert entry.action.layer["stddev"] == 0.02


def test_a_prefix_makes_the_names_of_a_part_those_of_the_whole():
    assert list(plan(nn.Linear(2, 2), prefix="head")) == ["head.weight", "head.bias"]


class Custom(nn.Module):
    """A module that nobody knows."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 3))
        self.layer = nn.Linear(3, 4)

    def forward(self, x):
        return F.relu(self.layer(x)) * self.weight.sum(1)


def test_unknown_parameters_are_refused():
    with pytest.raises(ModelRejected, match=r"weight \[4, 3\] of Custom.*rules=.*strict=False"):
        plan(Custom())


def test_unknown_parameters_are_skipped_where_that_is_wanted():
    assert plan(Custom(), strict=False)["weight"].action == Unknown()


def test_a_rule_makes_a_parameter_known():
    planned = plan(Custom(), rules={"weight": {"layout": "OI", "activation": "relu"}})
    assert planned["weight"].action == Draw({"layout": "OI", "activation": "relu"})


def test_a_list_of_parameters_needs_rules():
    model = nn.ParameterList([torch.zeros(3), torch.ones(3)])
    assert [entry.action for entry in plan(model, rules={"0": 1.0, "1": None}).values()] == [
        Constant(1.0),
        Leave(by_rule=True),
    ]


def test_a_parametrized_layer_is_refused_with_advice():
    with pytest.raises(ModelRejected, match="initialize before registering parametrizations"):
        plan(parametrizations.weight_norm(nn.Linear(3, 4)))


def test_a_rule_that_matches_nothing_is_refused():
    with pytest.raises(ModelRejected, match=r"rules\['3\.weight'\].*0\.weight"):
        plan(make_mlp(), rules={"3.weight": "he"})


def test_an_activation_that_only_a_bias_would_have_is_refused():
    with pytest.raises(ModelRejected, match=r"activations\['0.bias'\]"):
        plan(make_mlp(), activations={"0.bias": "relu"})


def test_a_part_of_a_model_may_take_the_rules_of_the_whole():
    assert plan(make_mlp(), rules={"3.weight": "he"}, strict=False)


def test_a_rule_that_does_not_fit_is_refused_by_name():
    with pytest.raises(ModelRejected, match=r"rules\['w\*'\], for weight \[4, 3\]: must give layout"):
        plan(Custom(), rules={"w*": "he"})


def test_a_lazy_layer_is_refused_with_advice():
    with pytest.raises(TensorRejected, match="run the module once"):
        plan(nn.Sequential(nn.LazyLinear(2)))


def test_a_parameter_without_elements_stays():
    model = nn.Module()
    model.none = nn.Parameter(torch.empty(0, 3))
    assert plan(model)["none"].action == Leave()


def test_a_layer_whose_activation_cannot_be_seen_is_warned_of():
    class Choice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            return self.layer(x) if x.sum() > 0 else x

    with pytest.warns(
        UnknownActivationWarning, match=r"layer.weight: the activation .*Choice.forward cannot"
    ):
        plan(Choice())


@pytest.mark.parametrize("sizes", [{}, {"kdim": 3}, {"vdim": 5}, {"kdim": 3, "vdim": 5}])
def test_all_projections_of_attention_are_certain(sizes):
    planned = plan(nn.MultiheadAttention(8, 2, **sizes))
    assert {entry.certainty for entry in planned.values()} == {"certain"}


def test_what_follows_an_lstm_does_not_follow_its_projection():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 4, proj_size=2)

        def forward(self, x):
            return F.relu(self.lstm(x)[0])

    assert find_activation(plan(Tagger())["lstm.weight_hr_l0"]) is None


def test_what_follows_the_kernels_of_an_adaptive_softmax_is_certain():
    planned = plan(nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0))
    assert {name: find_activation(entry) for name, entry in planned.items()} == {
        "head.weight": "log_softmax",
        "tail.0.0.weight": None,
        "tail.0.1.weight": "log_softmax",
        "tail.1.0.weight": None,
        "tail.1.1.weight": "log_softmax",
    }


def test_a_rule_wins_over_what_follows_in_an_adaptive_softmax():
    planned = plan(nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4]), rules={"head": {"activation": "relu"}})
    assert find_activation(planned["head.weight"]) == "relu"
