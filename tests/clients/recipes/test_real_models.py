"""A live model starts as its own code would start it: each tensor has that spread, and the same constants."""

from functools import partial

import numpy as np
import pytest
import torch
import weightinit.torch
from weightinit import read_model

from tests.clients.recipes.comparing import compare, stack
from tests.core.recipes.test_real_models import LARGE, MODELS, SMALL, build_transformers

#: BERT with the padding row that it has by default.
PADDED = ("bert", partial(build_transformers, "BertForMaskedLM", **SMALL, vocab_size=90))
CASES = {**MODELS, "bert_padded": PADDED}
QUICK = ("gpt2", "vit_timm")
FEW, MANY = 2, 12  # seeds


def read_tensors(model):
    """Read the parameters of a model, each once."""
    return {name: value.detach().float().numpy().copy() for name, value in model.named_parameters()}


def check(recipe, make, seeds, client):
    torch.manual_seed(0)
    models = [make() for _ in range(seeds)]
    theirs = stack([read_tensors(model) for model in models])
    model, runs = models[0], []
    for seed in range(seeds):
        report = weightinit.torch.initialize_(model, seed, recipe=recipe, client=client)
        runs.append(read_tensors(model))
    compare(stack(runs), theirs, report)


@pytest.mark.parametrize("name", QUICK)
def test_a_live_model_has_the_spread_of_its_own_code(name, client):
    check(*CASES[name], FEW, client)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_live_model_has_the_spread_of_its_own_code_over_many_seeds(name, client):
    check(*CASES[name], FEW if name in LARGE else MANY, client)


def make_llama():
    recipe, make = MODELS["llama"]
    torch.manual_seed(0)
    return recipe, make()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file with the names and shapes of a model, and its recipe."""
    recipe, model = make_llama()
    # The rows of a table are what it is looked up by: its inputs.
    rows = "".join(
        f"  - {{name: {name}, shape: {list(value.shape)}{', layout: IO' if 'embed' in name else ''}}}\n"
        for name, value in model.named_parameters()
    )
    path = tmp_path_factory.mktemp("llama") / "llama.yaml"
    path.write_text(f"seed: 7\nrecipe: {recipe}\ndefaults: {{layout: torch}}\ntensors:\n{rows}")
    return path


def test_a_live_model_is_published_as_its_names_and_shapes_are(written, client):
    recipe, model = make_llama()
    published = weightinit.torch.publish(model, 7, recipe=recipe, client=client)
    assert published.id == client.publish(read_model(written, client.expand)).id


def test_a_live_model_has_the_bits_of_its_published_names_and_shapes(written, client):
    recipe, model = make_llama()
    weightinit.torch.initialize_(model, 7, recipe=recipe, client=client)
    ours = read_tensors(model)
    published = client.publish(read_model(written, client.expand)).id
    weightinit.torch.initialize_(model, published, client=client)
    for name, value in read_tensors(model).items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


def test_a_published_padding_row_is_zero(client):
    recipe, make = PADDED
    torch.manual_seed(0)
    model = make()
    published = weightinit.torch.publish(model, 3, recipe=recipe, client=client).id
    weightinit.torch.initialize_(model, 3, recipe=recipe, client=client)
    ours = read_tensors(model)["bert.embeddings.word_embeddings.weight"]
    weightinit.torch.initialize_(model, published, client=client)
    theirs = read_tensors(model)["bert.embeddings.word_embeddings.weight"]
    assert not ours[0].any()
    np.testing.assert_array_equal(ours, theirs)
