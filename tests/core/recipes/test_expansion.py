"""A recipe is written out before the canonical form, and says what it needs."""

import json
import math

import pytest

from service.core import SpecError
from service.core.models import parse_model
from service.core.recipes import RECIPES
from service.core.recipes.expansion import measure_square
from service.core.recipes.expressions import evaluate, parse_expression
from service.core.recipes.roles import ROLES
from service.core.recipes.rules import OF_TENSOR
from tests.core.recipes.expanding import LIMITS, describe, expand

KERNEL = {"name": "h.0.mlp.c_proj.weight", "shape": [8, 32]}
UNNAMED = {"name": "mixed", "shape": [8, 32]}


def refuse(recipe, *tensors, **fields):
    """Return the fields and rules of the errors of a model."""
    with pytest.raises(SpecError) as raised:
        expand(recipe, *tensors, **fields)
    return {error.field: error.rule for error in raised.value.errors}


def test_a_model_with_a_recipe_has_the_id_of_the_model_written_out():
    written = {"seed": 1, "tensors": [{**KERNEL, "layout": "OI", "stddev": 0.02 / math.sqrt(24)}]}
    assert expand({"name": "gpt2", "layers": 12}, KERNEL).model.id == parse_model(written, 1, LIMITS).id


def test_the_canonical_form_can_be_parsed_again_without_the_recipe():
    model = expand({"name": "gpt2", "layers": 12}, KERNEL).model
    assert parse_model(json.loads(model.canonical), 1, LIMITS).id == model.id


def test_layers_are_counted_from_the_names_of_a_stack():
    tensors = [{**KERNEL, "name": f"h.{layer}.mlp.c_proj.weight"} for layer in range(3)]
    assert describe(expand("gpt2", *tensors), tensors[0]["name"]).stddev == 0.02 / math.sqrt(6)


def test_each_stack_has_its_own_number_of_layers():
    names = [f"text.layers.{n}.self_attn.q_proj.weight" for n in range(2)]
    names += [f"vision.layers.{n}.self_attn.q_proj.weight" for n in range(3)]
    parsed = expand("clip_hf", *({"name": name, "shape": [8, 8]} for name in names))
    found = [describe(parsed, name).stddev for name in (names[0], names[-1])]
    assert found == [1 / math.sqrt(8) / math.sqrt(4), 1 / math.sqrt(8) / math.sqrt(6)]


def test_layers_that_cannot_be_counted_are_required():
    assert refuse("gpt2", {**KERNEL, "name": "h.1.mlp.c_proj.weight"}) == {
        "recipe.layers": "is required by recipe gpt2 for the role mlp_out"
    }


def test_a_layer_beyond_the_layers_is_refused():
    assert refuse({"name": "gpt2", "layers": 2}, {**KERNEL, "layer": 2}) == {
        'tensors["h.0.mlp.c_proj.weight"].layer': "must be below 2, the layers of the recipe"
    }


def test_a_role_and_a_layer_replace_those_of_the_name():
    parsed = expand("torchtitan_llama3", {**UNNAMED, "role": "mlp_out", "layer": 7})
    assert describe(parsed, "mixed").stddev == 0.02 / math.sqrt(16)


def test_the_fields_of_a_tensor_replace_those_of_the_rule():
    parsed = expand("llama", {**KERNEL, "scheme": "he"})
    assert describe(parsed, KERNEL["name"]).scheme == "he"


def test_a_spread_of_a_tensor_replaces_the_cut_of_the_rule():
    found = describe(expand("olmo_mitchell", {**KERNEL, "stddev": 0.5}), KERNEL["name"])
    assert (found.stddev, found.distribution) == (0.5, "normal")


def test_the_rule_replaces_the_defaults_but_not_the_layout_and_the_dtype():
    defaults = {"layout": "IO", "dtype": "float16", "scheme": "he", "distribution": "uniform"}
    parsed = expand("llama", KERNEL, UNNAMED | {"activation": "relu"}, defaults=defaults)
    ruled, free = describe(parsed, KERNEL["name"]), describe(parsed, "mixed")
    assert (ruled.layout, ruled.dtype, ruled.distribution, ruled.stddev) == ("IO", "float16", "normal", 0.02)
    assert (free.layout, free.dtype, free.distribution, free.scheme) == ("IO", "float16", "uniform", "he")


def test_a_constant_and_parts_need_no_role():
    stack = {
        "name": "x",
        "shape": [3, 8],
        "parts": [{"shape": [1, 8], "constant": 0}, {"shape": [2, 8], "role": "embedding"}],
    }
    parsed = expand("bert", stack, {"name": "y", "shape": [2], "constant": 5})
    zero, drawn = parsed.model.by_name["x"].parts
    assert (zero.value, drawn.parameters.stddev, describe(parsed, "y")) == (0, 0.02, 5)


def test_a_fused_kernel_becomes_parts_if_their_rules_differ():
    qkv = {"name": "layers.0.self_attn.qkv.weight", "shape": [24, 8]}
    parts = expand({"name": "t_fixup", "layers": 2}, qkv).model.by_name[qkv["name"]].parts
    assert [part.name.rpartition(".")[2] for part in parts] == ["query", "key", "value"]
    assert len({part.parameters.variance for part in parts}) == 2


def test_the_last_norm_of_a_basic_block_is_its_second():
    names = ["layer1.0.bn2.weight", "layer2.0.bn2.weight", "layer2.0.conv3.weight", "layer2.0.bn3.weight"]
    shapes = [[8], [8], [8, 8, 1, 1], [8]]
    parsed = expand("resnet_zero", *({"name": n, "shape": s} for n, s in zip(names, shapes, strict=True)))
    assert [describe(parsed, names[n]) for n in (0, 1, 3)] == [0, 1, 0]


def test_unknown_names_are_listed_with_the_roles():
    errors = refuse("gpt2", *({"name": f"mixed{n}", "shape": [8, 8]} for n in range(20)))
    assert len(errors) == 16
    assert errors['tensors["mixed0"].role'].endswith(
        "roles are attention_out, mlp_out, kernel, embedding, bias, "
        "norm_scale, running_variance, multiplier, norm_shift, running_mean, counter"
    )


@pytest.mark.parametrize(
    ("recipe", "field"),
    [
        ("gpt3", "recipe.name"),
        ({"layers": 3}, "recipe.name"),
        ({"name": "gpt2", "depth": 3}, "recipe.depth"),
        ({"name": "gpt2", "layers": 0}, "recipe.layers"),
        ({"name": "gpt2", "layers": 2.5}, "recipe.layers"),
        ({"name": "gpt2", "sigma": True}, "recipe.sigma"),
        ({"name": "llama", "layers": 3}, "recipe.layers"),
    ],
)
def test_an_invalid_recipe_is_refused(recipe, field):
    assert list(refuse(recipe, KERNEL)) == [field]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"role": "header"}, ".role"),
        ({"role": 3}, ".role"),
        ({"layer": -1}, ".layer"),
        ({"layer": "1"}, ".layer"),
        ({"shape": "8"}, ".shape"),
        ({"layout": "XY", "role": "head"}, ".layout"),
        ({"recipe": "gpt2"}, ".recipe"),
    ],
)
def test_an_invalid_tensor_is_refused(fields, place):
    (field,) = refuse("t5", {**KERNEL, **fields})
    assert field == 'tensors["h.0.mlp.c_proj.weight"]' + place


@pytest.mark.parametrize(("fields", "place"), [({"role": "head"}, "tensors"), ({}, "defaults")])
def test_a_role_needs_a_recipe(fields, place):
    defaults = {} if fields else {"layer": 1}
    with pytest.raises(SpecError, match="is allowed only in a model with a recipe"):
        parse_model({"seed": 1, "defaults": defaults, "tensors": [{**KERNEL, **fields}]}, 1, LIMITS)


def test_values_that_a_model_cannot_describe_are_refused():
    errors = refuse("zero", {"name": "layers.0.fc.weight", "shape": [8, 16], "role": "kernel"})
    assert "leave the tensor out" in errors['tensors["layers.0.fc.weight"].role']


@pytest.mark.parametrize(
    ("recipe", "tensor", "written"),
    [
        ("mamba", {"name": "layers.0.mixer.A_log", "shape": [8, 16]}, {"values": "log_arange"}),
        (
            "mamba",
            {"name": "layers.0.mixer.dt_proj.bias", "shape": [8]},
            {"values": "softplus_inverse_log_uniform"},
        ),
        ("dit", {"name": "pos_embed", "shape": [1, 9, 8]}, {"values": "sinusoidal", "grid": [3, 3]}),
    ],
)
def test_elements_that_follow_from_their_place_are_values(recipe, tensor, written):
    model = parse_model({"seed": 1, "recipe": recipe, "tensors": [tensor]}, 1, LIMITS)
    expected = parse_model({"seed": 1, "tensors": [{**tensor, **written}]}, 1, LIMITS)
    assert model.id == expected.id


def test_positions_that_make_no_square_are_refused():
    errors = refuse("dit", {"name": "pos_embed", "shape": [1, 10, 8]})
    assert errors == {'tensors["pos_embed"].shape': "must have positions that make a square"}


def test_a_fused_kernel_of_keras_is_split_along_its_outputs():
    fused = {"name": "layers.0.qkv", "shape": [8, 24], "layout": "IO", "role": "query_key_value"}
    (tensor,) = parse_model({"seed": 1, "recipe": "deepnorm", "tensors": [fused]}, 1, LIMITS).tensors
    assert (tensor.axis, [part.shape for part in tensor.parts]) == (1, [(8, 8)] * 3)


def test_a_bias_has_the_fans_that_its_framework_counts_for_the_kernel():
    """PyTorch takes axis 1 of a transposed kernel, its outputs, for the inputs."""
    kernel = {"name": "up.weight", "shape": [6, 4, 3], "layout": "IOW", "fans_as": "torch"}
    parsed = expand("torch", kernel, {"name": "up.bias", "shape": [4]})
    assert describe(parsed, "up.bias").variance == describe(parsed, "up.weight").variance == 1 / 3 / (4 * 3)


def test_a_cell_of_pytorch_has_the_limit_of_its_hidden_size():
    shapes = {"cell.weight_ih": (48, 8), "cell.weight_hh": (48, 12), "cell.bias_ih": (48,)}
    roles = {
        "cell.weight_ih": "recurrent_in",
        "cell.weight_hh": "recurrent",
        "cell.bias_ih": "recurrent_bias",
    }
    tensors = ({"name": name, "shape": list(shape), "role": roles[name]} for name, shape in shapes.items())
    parsed = expand("torch", *tensors)
    assert [describe(parsed, name).variance for name in shapes] == [pytest.approx(1 / 12 / 3)] * 3


def test_a_bias_needs_its_kernel_if_the_rule_does():
    errors = refuse("torch", {"name": "fc.bias", "shape": [8]})
    assert errors == {
        'tensors["fc.bias"].role': "needs a kernel beside it, fc.weight or fc.kernel; or set its σ"
    }


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_rule_has_a_source_roles_and_known_names(recipe):
    sizes = {size.name for size in recipe.sizes}
    for rule in recipe.rules:
        assert rule.source
        assert set(rule.roles) <= ROLES.keys()
        assert rule.names <= sizes | OF_TENSOR.keys()
        assert bool(rule.fields or rule.shares or rule.note)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_rule_makes_a_valid_tensor(recipe):
    names = dict.fromkeys(OF_TENSOR, 6) | {size.name: size.default or 4 for size in recipe.sizes}
    for rule in recipe.rules:
        fields = rule.compute_fields(names)
        if "grid" in fields:  # of a table of 36 positions
            fields["grid"] = measure_square({"shape": [36, 8]})
        shape = [36, 8] if "values" in fields else [6, 6]
        if fields:
            parse_model({"seed": 1, "tensors": [{"name": "x", "shape": shape, **fields}]}, 1, LIMITS)


@pytest.mark.parametrize(
    "text", ["layers ** 2", "abs(1)", "__import__('os')", "a.b", "1 if a else 2", "sqrt(1, 2)"]
)
def test_an_expression_has_arithmetic_only(text):
    with pytest.raises(ValueError, match="has more than numbers"):
        parse_expression(text)


def test_the_logarithm_is_correctly_rounded():
    """mpmath, 60 digits: ln 10 = 2.302585092994045684…, ln 3 = 1.098612288668109691…"""
    assert [evaluate("ln(n)", {"n": n}) for n in (10, 3)] == [2.302585092994045684, 1.098612288668109691]
