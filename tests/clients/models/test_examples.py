"""The examples are the models that they say they are, as the service takes them."""

import math
import re
from collections import Counter
from pathlib import Path

import keras
import pytest
from safetensors.numpy import load_file
from weightinit import read_model

from tests.clients.architectures.examples import REAL

EXAMPLES = Path(__file__).parents[3] / "examples"

# Tensors; and parameters as their libraries and papers count them, without running statistics.
COUNTS = {
    "mnist-mlp": (6, 266_610),  # Géron, chapter 10, model.summary()
    "resnet50": (267, 25_557_032),  # torchvision.models.ResNet50_Weights, num_params
    "gpt2-small": (148, 124_439_808),  # GPT2LMHeadModel.from_pretrained("gpt2").num_parameters()
    "vit-b16": (152, 86_567_656),  # torchvision.models.ViT_B_16_Weights, num_params
    "llama3-8b": (291, 8_030_261_248),  # meta-llama/Meta-Llama-3-8B, model.safetensors.index.json
}
# σ by hand; a limit is √3 times as large.
STDDEVS = {
    ("mnist-mlp", "hidden1/kernel"): 0.0505076,  # √(2 / 784)
    ("mnist-mlp", "hidden2/kernel"): 0.0816497,  # √(2 / 300)
    ("mnist-mlp", "output/kernel"): 0.1348400,  # √(2 / (100 + 10))
    ("resnet50", "conv1.weight"): 0.0252538,  # √(2 / (64 · 7 · 7))
    ("resnet50", "layer1.0.conv1.weight"): 0.1767767,  # √(2 / 64)
    ("resnet50", "layer4.2.conv2.weight"): 0.0208333,  # √(2 / (512 · 3 · 3))
    ("resnet50", "fc.weight"): 0.0127578,  # 1 / √(3 · 2048)
    ("resnet50", "fc.bias"): 0.0127578,
    ("gpt2-small", "transformer.wte.weight"): 0.02,
    ("gpt2-small", "transformer.h.11.attn.c_attn.weight"): 0.02,
    ("gpt2-small", "transformer.h.0.attn.c_proj.weight"): 0.00408248,  # 0.02 / √24
    ("gpt2-small", "transformer.h.11.mlp.c_proj.weight"): 0.00408248,
    ("vit-b16", "blocks.0.attn.qkv.weight"): 0.02,
    ("vit-b16", "pos_embed"): 0.02,
    ("vit-b16", "cls_token"): 1e-6,
    ("vit-b16", "patch_embed.proj.weight"): 0.0208333,  # 1 / √(3 · 768)
    ("llama3-8b", "model.layers.31.mlp.down_proj.weight"): 0.02,
    ("llama3-8b", "lm_head.weight"): 0.02,
}
CONSTANTS = {
    ("resnet50", "layer3.5.bn3.weight"): 1,
    ("resnet50", "layer3.5.bn3.bias"): 0,
    ("resnet50", "layer2.0.downsample.1.running_mean"): 0,
    ("resnet50", "layer2.0.downsample.1.running_var"): 1,
    ("gpt2-small", "transformer.ln_f.weight"): 1,
    ("vit-b16", "head.bias"): 0,
    ("llama3-8b", "model.norm.weight"): 1,
}
DISTRIBUTIONS = {
    "mnist-mlp": {"uniform"},
    "resnet50": {"normal", "uniform"},
    "gpt2-small": {"normal"},
    "vit-b16": {"normal", "uniform"},
    "llama3-8b": {"normal"},
}


@pytest.fixture(scope="module")
def published(client):
    """Each example, published."""
    return {name: client.publish(read_model(EXAMPLES / f"{name}.yaml", client.expand)) for name in COUNTS}


@pytest.fixture(scope="module")
def decided(client, published):
    """What is decided for each tensor of each example."""
    return {
        name: {tensor.name: tensor for tensor in client.model_parameters(publication.id)}
        for name, publication in published.items()
    }


def test_every_example_is_tested():
    assert sorted(path.name for path in EXAMPLES.iterdir()) == sorted(f"{name}.yaml" for name in COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_an_example_has_as_many_tensors_and_parameters_as_its_model(published, decided, name):
    parameters = sum(
        math.prod(tensor.shape) for tensor in decided[name].values() if ".running_" not in tensor.name
    )
    assert (published[name].tensors, parameters) == COUNTS[name]


def test_llama_has_as_many_bytes_as_its_checkpoint(published):
    """`total_size` of meta-llama/Meta-Llama-3-8B, model.safetensors.index.json."""
    assert published["llama3-8b"].nbytes == 16_060_522_496


@pytest.mark.parametrize("name", COUNTS)
def test_names_shapes_and_dtypes_are_those_of_the_real_layers(decided, name):
    tensors = {tensor.name: (tensor.shape, tensor.dtype) for tensor in decided[name].values()}
    assert tensors == REAL[name]()


def test_resnet_has_the_kernels_of_keras_applications(client):
    """Keras' own has the same kernels, and biases besides."""
    model = keras.applications.ResNet50(weights=None)
    theirs = Counter(tuple(v.shape) for v in model.weights if v.name == "kernel")
    ours = Counter(
        tuple(tensor.shape[axis] for axis in ((2, 3, 1, 0) if len(tensor.shape) == 4 else (1, 0)))
        for tensor in read_model(EXAMPLES / "resnet50.yaml", client.expand).tensors
        if len(tensor.shape) > 1
    )
    assert ours == theirs


@pytest.mark.parametrize(("name", "tensor"), STDDEVS)
def test_the_spread_is_what_the_paper_or_the_code_says(decided, name, tensor):
    (part,) = decided[name][tensor].parts
    assert part.parameters.stddev == pytest.approx(STDDEVS[name, tensor], rel=1e-5)


@pytest.mark.parametrize(("name", "tensor"), CONSTANTS)
def test_what_is_not_drawn_has_its_value(decided, name, tensor):
    (part,) = decided[name][tensor].parts
    assert part.constant == CONSTANTS[name, tensor]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_distributions_are_those_that_are_said(decided, name):
    parameters = [tensor.parts[0].parameters for tensor in decided[name].values()]
    assert {one.distribution for one in parameters if one} == DISTRIBUTIONS[name]


@pytest.mark.parametrize("name", ["mnist-mlp", "resnet50"])
def test_a_pulled_example_has_the_variance_that_was_decided(client, published, decided, tmp_path, name):
    client.pull(published[name].id, tmp_path / "m.safetensors")
    arrays = load_file(tmp_path / "m.safetensors")
    for tensor in decided[name].values():
        parameters, array = tensor.parts[0].parameters, arrays[tensor.name]
        if parameters is None:
            assert (array == tensor.parts[0].constant).all()
        elif array.size >= 20_000:
            # The variance of n draws of a normal distribution has a standard deviation of √(2/n) of itself.
            assert array.var() == pytest.approx(parameters.variance, rel=6 * math.sqrt(2 / array.size))


@pytest.mark.parametrize("name", COUNTS)
def test_an_example_says_how_it_is_published(name):
    text = (EXAMPLES / f"{name}.yaml").read_text()
    assert re.search(rf"(?m)^#   weightinit publish examples/{name}\.yaml --as \w+/{name}/1$", text)
