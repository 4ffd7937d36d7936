"""A file with a recipe is written out by the service, which alone knows the rules."""

import math

import pytest
from weightinit import SpecRejected, read_model
from weightinit.cli import main

GPT = """
seed: 7
recipe: gpt2
defaults: {layout: torch}
tensors:
  - {name: "h.{0..1}.mlp.c_proj.weight", shape: [8, 32]}
  - {name: special, shape: [8, 8], role: attention_out, layer: 0}
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "gpt.yaml"
    path.write_text(GPT)
    return path


def test_a_file_with_a_recipe_is_read_through_a_service(client, path):
    model = read_model(path, client.expand)
    assert model.by_name["h.1.mlp.c_proj.weight"].parts[0].spec.stddev == 0.02 / math.sqrt(4)


def test_a_file_with_a_recipe_needs_a_service(path):
    with pytest.raises(SpecRejected, match=r"pass expand=client\.expand"):
        read_model(path)


def test_the_client_has_what_decided_each_tensor(client):
    expanded = client.expand(
        {"seed": 1, "recipe": "llama", "tensors": [{"name": "lm_head.weight", "shape": [8, 8]}]}
    )
    (tensor,) = expanded.tensors
    assert (tensor.role, tensor.layer, tensor.formula) == ("head", None, "stddev = sigma")
    assert client.publish(expanded.model).id == expanded.id


def test_an_error_of_the_service_names_the_file_and_the_tensor(client, path):
    path.write_text(GPT.replace("attention_out", "output"))
    with pytest.raises(SpecRejected, match=rf'{path}: .*tensors\["special"\]\.role must be one of'):
        read_model(path, client.expand)


@pytest.mark.usefixtures("service")
def test_the_commands_publish_and_show_take_a_recipe(client, path, capsys):
    main(["publish", str(path), "--seed", "8", "--quiet"])
    published = capsys.readouterr().out.strip()
    assert client.model(published).seed == 8
    main(["show", str(path)])
    assert "h.{0..1}.mlp.c_proj.weight" in capsys.readouterr().out
