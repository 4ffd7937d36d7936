"""A user's rules, and the initialization that follows from them."""

import re

import pytest
import torch
from torch import nn
from weightinit.adapters.actions import Block, Constant, Draw, Leave
from weightinit.adapters.rules import Patterns, apply_rule, matches, split_by_rule
from weightinit.torch import ModelRejected, initialize_

KNOWN = Draw({"layout": "OI"})
TABLE = Draw({"layout": "IO", "fan_in": 1, "scheme": "lecun", "activation": None})


@pytest.mark.parametrize(
    ("rule", "start"),
    [
        (None, Leave(by_rule=True)),
        (0.5, Constant(0.5)),
        (0, Constant(0.0)),
        ("he_normal", Draw({"layout": "OI", "scheme": "he_normal"})),
        ({"activation": "relu"}, Draw({"layout": "OI", "activation": "relu"})),
        ({"layout": "IO"}, Draw({"layout": "IO"})),
        ({"constant": 0.5}, Constant(0.5)),
        ({"scheme": "constant", "constant": 2, "layout": "IO"}, Constant(2.0)),
        ("zeros", Constant(0.0)),
        ("Ones_", Constant(1.0)),
        ("orthogonal", Draw({"layout": "OI", "scheme": "orthogonal"})),
        ({"scheme": "eye", "gain": 0.5}, Draw({"layout": "OI", "scheme": "eye", "gain": 0.5})),
        (
            {"low": 0.0, "high": 1.0},
            Draw({"layout": "OI", "low": 0.0, "high": 1.0, "scheme": "explicit"}),
        ),
    ],
)
def test_a_rule_goes_over_what_is_known(rule, start):
    assert apply_rule(rule, KNOWN, (4, 3)) == start


@pytest.mark.parametrize("name", ["stddev", "parent_stddev", "limit"])
def test_a_given_spread_replaces_what_is_known_but_the_axes(name):
    layer = apply_rule({name: 0.02}, TABLE, (4, 3)).layer
    assert layer == {"layout": "IO", "activation": None, name: 0.02, "scheme": "explicit"}


def test_a_given_spread_wants_no_activation():
    assert not apply_rule({"stddev": 0.02, "scheme": "auto"}, KNOWN, (4, 3)).wants_activation


def test_a_standard_deviation_may_come_with_another_distribution():
    rule = {"stddev": 0.02, "distribution": "truncated_normal"}
    assert apply_rule(rule, KNOWN, (4, 3)).layer["distribution"] == "truncated_normal"


@pytest.mark.parametrize("rule", ["glorot_uniform", {"activation": "relu"}])
def test_a_scheme_replaces_one_that_is_known_and_its_fans(rule):
    layer = apply_rule(rule, TABLE, (4, 3)).layer
    assert (layer["layout"], "fan_in" in layer, layer.get("scheme") == "lecun") == ("IO", False, False)


def test_fans_that_no_scheme_came_with_stay():
    assert apply_rule("he", Draw({"layout": "IOHW", "fan_in": 9}), (4, 3, 3, 3)).layer["fan_in"] == 9


@pytest.mark.parametrize("rule", [{"layout": "OI"}, {"fan_in": 3, "fan_out": 4}, {"stddev": 0.1}, 1.0, None])
def test_these_do_for_a_parameter_of_which_nothing_is_known(rule):
    assert apply_rule(rule, Draw({}), (4, 3))


@pytest.mark.parametrize("rule", ["he", {"fan_in": 3}, {"activation": "relu"}])
def test_others_do_not(rule):
    with pytest.raises(ModelRejected, match="must give layout"):
        apply_rule(rule, Draw({}), (4, 3))


def test_without_a_layout_draws_go_in_the_order_of_memory():
    assert apply_rule({"stddev": 0.1}, Draw({}), (4, 3, 2)).layer["layout"] == "BBB"


def test_a_word_that_no_rule_has_is_refused_with_the_nearest():
    with pytest.raises(ModelRejected, match=r"'activatoin'\. Did you mean activation"):
        apply_rule({"activatoin": "relu"}, KNOWN, (4, 3))


@pytest.mark.parametrize(
    ("parts", "rows"),
    [
        (["q", "k", "v"], [slice(0, 4), slice(4, 8), slice(8, 12)]),
        ({"q": 8, "k": 2, "v": 2}, [slice(0, 8), slice(8, 10), slice(10, 12)]),
    ],
)
def test_a_parameter_is_split_into_parts(parts, rows):
    blocks = split_by_rule({"parts": parts}, [Block(KNOWN)], (12, 4))
    assert [(block.suffix, block.rows, block.action) for block in blocks] == [
        (f".{name}", cut, KNOWN) for name, cut in zip("qkv", rows, strict=True)
    ]


@pytest.mark.parametrize("parts", [["a", "b", "c", "d", "e"], {"q": 8, "k": 8}, {"q": 12, "k": 0}, []])
def test_parts_that_do_not_make_up_the_rows_are_refused(parts):
    with pytest.raises(ModelRejected, match="must split 12 rows"):
        split_by_rule({"parts": parts}, [Block(KNOWN)], (12, 4))


@pytest.mark.parametrize("rule", ["he", 1.0, None, {"activation": "relu"}])
def test_other_rules_split_nothing(rule):
    blocks = [Block(KNOWN)]
    assert split_by_rule(rule, blocks, (12, 4)) is blocks


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("fc1.weight", "fc1.weight", True),
        ("*.weight", "a.b.weight", True),
        ("fc?.weight", "fc1.weight", True),
        ("fc1", "fc1.weight", False),
        ("FC1.weight", "fc1.weight", False),
        (re.compile(r"fc\d\.weight"), "fc1.weight", True),
        (re.compile(r"fc\d"), "fc1.weight", False),
    ],
)
def test_a_pattern_matches_whole_names(pattern, name, expected):
    assert matches(pattern, name) == expected


def test_the_first_pattern_that_matches_decides():
    assert Patterns("rules", {"a*": 1, "ab": 2}).find(["ab"]) == ("rules['a*']", 1)


def test_a_pattern_that_comes_too_late_is_not_called_unused():
    patterns = Patterns("rules", {"a*": 1, "ab": 2})
    patterns.find(["ab"])
    patterns.check_matched(["ab"])


def test_a_pattern_that_matches_nothing_is_refused_with_the_nearest():
    with pytest.raises(ModelRejected, match=r"rules\['fc3.weight'\].*Did you mean fc1.weight"):
        Patterns("rules", {"fc3.weight": 1}).check_matched(["fc1.weight", "norm.bias"])


@pytest.mark.parametrize(
    "rule",
    [{"constant": 0.5, "stddev": 0.1}, {"scheme": "zeros", "gain": 2.0}, {"scheme": "ones", "constant": 1}],
)
def test_a_constant_with_fields_that_contradict_it_is_left_to_the_service(rule):
    assert isinstance(apply_rule(rule, KNOWN, (4, 3)), Draw)


def test_a_matrix_of_a_structure_drops_fans_that_it_has_no_use_for():
    known = Draw({"layout": "IOHW", "fan_in": 9})
    assert apply_rule("orthogonal", known, (4, 3, 3, 3)).layer == {"layout": "IOHW", "scheme": "orthogonal"}


@pytest.mark.parametrize("rule", ["preserve", "preserve_uniform", {"scheme": "Preserve-Normal"}])
def test_preserve_wants_the_activation(rule):
    assert apply_rule(rule, KNOWN, (4, 3)).wants_activation


def test_preserve_with_an_activation_wants_no_other():
    assert not apply_rule({"scheme": "preserve", "activation": "gelu"}, KNOWN, (4, 3)).wants_activation


def make_model():
    return nn.Sequential(nn.Linear(6, 4), nn.LeakyReLU(0.3), nn.Linear(4, 4))


def test_a_rule_draws_an_orthogonal_kernel(client):
    model = make_model()
    report = initialize_(model, 42, rules={"2.weight": {"scheme": "orthogonal", "gain": 2.0}}, client=client)
    kernel = model[2].weight.detach()
    torch.testing.assert_close(kernel @ kernel.T, 4 * torch.eye(4), atol=1e-5, rtol=0)
    assert (report["2.weight"].scheme, report["2.weight"].distribution) == ("orthogonal", None)


def test_preserve_gets_the_slope_of_the_activation_that_follows(client):
    report = initialize_(make_model(), 42, rules={"0.weight": "preserve_normal"}, client=client)
    assert report["0.weight"].variance == pytest.approx(2 / (6 * 1.09))  # He et al. 2015, equation 15


def test_a_report_says_what_becomes_of_signals_and_gradients(client):
    row = initialize_(make_model(), 42, client=client)["0.weight"]
    assert (row.forward, row.backward) == (1.0, 0.6667)  # He on fan_in: 1, and fan_out / fan_in


def test_a_constant_by_rule_sets_a_bias(client):
    model = make_model()
    initialize_(model, 42, rules={"*.bias": {"constant": 0.5}}, client=client)
    assert model[0].bias.eq(0.5).all()
