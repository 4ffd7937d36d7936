"""Rules beside a recipe, what it has no role for, and what a report says of roles."""

import json

import pytest
import torch
import weightinit.torch
from torch import nn
from weightinit import SpecRejected
from weightinit.torch import ModelRejected


class Mixer(nn.Module):
    """Two matrices, of which a pattern knows only one by its name, and a norm."""

    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(20, 8)
        self.norm = nn.LayerNorm(8)
        self.mix = nn.Parameter(torch.full((8, 8), 7.0))
        self.register_buffer("mask", torch.ones(8))


NAMED = {"mix": {"role": "mlp_in", "layer": 0}}


def plan(client, **settings):
    return weightinit.torch.plan(Mixer(), 1, client=client, **{"recipe": "llama", **settings})


def test_a_tensor_without_a_role_is_refused_with_its_name_and_what_to_do(client):
    with pytest.raises(ModelRejected, match=r"mix \[8, 8\]: role is required: .*rules=\{name: None\}"):
        plan(client)


def test_a_tensor_is_refused_by_its_name_in_the_model_and_not_by_that_of_rename(client):
    with pytest.raises(ModelRejected, match=r"these tensors: mix \[8, 8\]"):
        plan(client, rename="decoder.{}".format)


def test_a_rule_of_none_leaves_a_tensor(client):
    model = Mixer()
    report = weightinit.torch.initialize_(model, 1, recipe="llama", rules={"mix": None}, client=client)
    assert (report["mix"].scheme, model.mix.unique().tolist()) == ("kept", [7.0])


def test_a_rule_gives_a_role(client):
    row = plan(client, rules=NAMED)["mix"]
    assert (row.role, row.layer, row.pattern, row.variance) == ("mlp_in", 0, None, pytest.approx(0.0004))


def test_a_tensor_without_a_role_is_skipped_if_not_strict(client):
    report = plan(client, strict=False)
    assert (report.skipped, report["embed_tokens.weight"].role) == (("mix",), "embedding")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (0.5, ("constant", None)),
        ("he_normal", ("he", 2 / 8)),
        ({"stddev": 0.5}, ("explicit", 0.25)),
    ],
)
def test_a_rule_replaces_that_of_the_recipe(rule, expected, client):
    row = plan(client, rules={"mix": rule})["mix"]
    assert (row.scheme, row.variance, row.certainty) == (*expected, "certain")


def test_fields_of_a_rule_are_merged_with_those_of_the_recipe(client):
    row = plan(client, rules={"embed_tokens.weight": {"distribution": "uniform"}}, strict=False)
    assert (row["embed_tokens.weight"].distribution, row["embed_tokens.weight"].role) == (
        "uniform",
        "embedding",
    )


def test_a_rule_that_matches_nothing_is_refused(client):
    with pytest.raises(ModelRejected, match=r"rules\['mixer'\] matches none"):
        plan(client, rules={"mixer": None})


def test_parts_beside_a_recipe_are_refused(client):
    with pytest.raises(ModelRejected, match="parts cannot be set beside a recipe"):
        plan(client, rules={"mix": {"parts": ["a", "b"]}})


def test_a_role_without_a_recipe_is_refused(client):
    with pytest.raises(ModelRejected, match="has 'role', which is for models with recipe="):
        plan(client, recipe=None, rules=NAMED)


def test_a_recipe_beside_a_published_model_is_refused(client):
    with pytest.raises(ModelRejected, match="recipe must not be given"):
        weightinit.torch.plan(Mixer(), "team/mixer/1", recipe="llama", client=client)


def test_an_unknown_recipe_is_refused_with_the_nearest(client):
    with pytest.raises(SpecRejected, match=r"recipe.*llama"):
        plan(client, recipe="llamma", rules=NAMED)


def test_a_size_that_is_missing_is_named(client):
    with pytest.raises(SpecRejected, match=r"recipe\.key_size"):
        plan(client, recipe="t5", rules={"mix": {"role": "query", "layer": 0}})


def test_the_sizes_of_a_recipe_may_be_those_of_numpy(client):
    sigma = torch.tensor(0.5).numpy()[()]
    report = plan(client, recipe={"name": "llama", "sigma": sigma}, rules=NAMED)
    assert report["mix"].variance == pytest.approx(0.25)


def test_frozen_parameters_keep_their_values(client):
    model = Mixer()
    model.mix.requires_grad_(False)
    report = weightinit.torch.initialize_(model, 1, recipe="llama", client=client)
    assert (report["mix"].scheme, model.mix.unique().tolist()) == ("kept", [7.0])


def test_buffers_keep_their_values(client):
    model = Mixer()
    weightinit.torch.initialize_(model, 1, recipe="llama", rules=NAMED, client=client)
    assert model.mask.tolist() == [1.0] * 8


def test_a_tied_tensor_is_drawn_once(client):
    model = Mixer()
    model.lm_head = nn.Linear(8, 20, bias=False)
    model.lm_head.weight = model.embed_tokens.weight
    report = weightinit.torch.plan(model, 1, recipe="llama", rules=NAMED, client=client)
    row = report["embed_tokens.weight"]
    assert (row.aliases, row.role, len(report)) == (("lm_head.weight",), "embedding", 4)


def test_a_tensor_that_keeps_its_values_cannot_be_published(client):
    with pytest.raises(ModelRejected, match="mix, which keeps its values: Set by rules"):
        weightinit.torch.publish(Mixer(), 1, recipe="llama", rules={"mix": None}, client=client)


def test_a_report_has_roles_patterns_and_sources(client):
    report = plan(client, rules=NAMED)
    row = report["norm.weight"]
    assert (row.role, row.value, row.certainty) == ("norm_scale", 1.0, "certain")
    assert "norm" in row.pattern
    assert row.reason == (
        f"norm_scale of recipe llama: constant = 1 ({row.source}). Its role is by pattern {row.pattern}."
    )
    assert "Its role is by rules['mix']." in str(report)


def test_a_report_for_json_has_the_recipe_and_the_roles(client):
    found = json.loads(plan(client, rules=NAMED).to_json())
    roles = {row["name"]: row["role"] for row in found["tensors"]}
    assert found["recipe"] == {"name": "llama", "sigma": 0.02}
    assert roles == {
        "embed_tokens.weight": "embedding",
        "norm.weight": "norm_scale",
        "norm.bias": "norm_shift",
        "mix": "mlp_in",
    }
