"""Recipes give each tensor the distribution that the real code gives it, measured over many seeds."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from tests.clients.architectures.building import import_library, load_torchvision
from tests.core.recipes.expanding import expand, expand_shapes

#: E[z⁴] / σ⁴ of each distribution.
KURTOSIS = {"normal": 3.0, "uniform": 1.8, "truncated_normal": 3.0}
FEW, MANY = 4, 100  # seeds


def build_transformers(kind, **settings):
    library = import_library("transformers")
    made = getattr(library, kind)
    return made(made.config_class(**settings))


def build_timm(name, init=None, **settings):
    model = import_library("timm").create_model(name, **settings)
    if init is not None:
        model.init_weights(init)
    return model


def build_torchvision(name, **settings):
    load_torchvision()
    return import_library("torchvision").models.get_model(name, weights=None, **settings)


SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
CLIP = {"projection_dim": 24, "text_config": SMALL | {"vocab_size": 60}}
CLIP["vision_config"] = SMALL | {"num_hidden_layers": 2, "image_size": 8, "patch_size": 4}
VIT = {"img_size": 16, "patch_size": 4, "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 10}

# recipe and a real model, with what its layers are beside PyTorch's layout
MODELS = {
    "gpt2": (
        "gpt2",
        partial(build_transformers, "GPT2LMHeadModel", n_embd=32, n_layer=3, n_head=4, vocab_size=90),
    ),
    "llama": (
        "llama",
        partial(build_transformers, "LlamaForCausalLM", **SMALL, num_key_value_heads=2, vocab_size=90),
    ),
    "bloom": (
        "llama",
        partial(build_transformers, "BloomForCausalLM", hidden_size=32, n_layer=2, n_head=4, vocab_size=90),
    ),
    "bert": (
        "bert",
        partial(build_transformers, "BertForMaskedLM", **SMALL, vocab_size=90, pad_token_id=None),
    ),
    "t5": (
        {"name": "t5", "key_size": 6, "width": 32},
        partial(
            build_transformers,
            "T5ForConditionalGeneration",
            d_model=32,
            d_kv=6,
            d_ff=48,
            num_layers=2,
            num_heads=4,
            vocab_size=90,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
        ),
    ),
    "vit_hf": ("vit_hf", partial(build_transformers, "ViTModel", **SMALL, image_size=16, patch_size=4)),
    "clip_hf": ("clip_hf", partial(build_transformers, "CLIPModel", **CLIP)),
    "vit_timm": ("vit_timm", partial(build_timm, "vit_tiny_patch16_224", "", **VIT)),
    "vit_jax": ("vit_jax", partial(build_timm, "vit_tiny_patch16_224", "jax", **VIT)),
    "resnet": ("resnet", partial(build_torchvision, "resnet18")),
    "resnet50": ("resnet", partial(build_torchvision, "resnet50")),
    "resnet_zero": ("resnet_zero", partial(build_timm, "resnet18")),
    "efficientnet": ("efficientnet", partial(build_timm, "efficientnet_b0")),
}
QUICK = ("gpt2", "t5", "clip_hf", "vit_jax", "resnet_zero")
LARGE = {"resnet", "resnet50", "resnet_zero", "efficientnet"}  # of which one seed has enough values


def list_tensors(model):
    """List the tensors of a model, each once, without integers and tables of positions."""
    seen, tensors = set(), {}
    for name, value in model.state_dict(keep_vars=True).items():
        if id(value) not in seen and value.is_floating_point():
            seen.add(id(value))
            tensors[name] = value
    return tensors


def list_layouts(model):
    """List the tensors whose layout is not PyTorch's: kernels of transformers' Conv1D."""
    return {f"{name}.weight" for name, module in model.named_modules() if type(module).__name__ == "Conv1D"}


def check(recipe, make, seeds, leave=()):
    """Compare the moments of each tensor over seeds with those that the recipe gives."""
    torch.manual_seed(0)
    models = [list_tensors(model := make()) for _ in range(seeds)]
    shapes = {name: tuple(value.shape) for name, value in models[0].items() if not name.endswith(leave)}
    turned = list_layouts(model)
    parsed = expand_shapes(
        recipe, {name: shape[::-1] if name in turned else shape for name, shape in shapes.items()}
    )
    for name in shapes:
        compare(name, parsed, torch.cat([tensors[name].detach().double().flatten() for tensors in models]))


def compare(name, parsed, values):
    """Compare values with the parameters or the constant of a tensor."""
    for part in parsed.model.by_name[name].parts:
        if hasattr(part, "value"):
            assert (values - part.value).abs().max() <= 1e-6 * abs(part.value), name
            continue
        # The mean square of n draws has a standard deviation of √((κ - 1) / n) of itself.
        error = 5 * math.sqrt((KURTOSIS[part.parameters.distribution] - 1) / len(values))
        assert values.square().mean().item() / part.parameters.variance == pytest.approx(1, abs=error), name


@pytest.mark.parametrize("name", QUICK)
def test_each_tensor_has_the_spread_of_the_real_code(name):
    recipe, make = MODELS[name]
    check(recipe, make, 1 if name in LARGE else FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_each_tensor_has_the_spread_of_the_real_code_over_many_seeds(name):
    recipe, make = MODELS[name]
    check(recipe, make, 3 if name in LARGE else MANY)


def build_torch_layers():
    return nn.ModuleDict(
        {
            "fc": nn.Linear(24, 10),
            "conv": nn.Conv2d(6, 8, 3),
            "embedding": nn.Embedding(30, 8),
            "lstm": nn.LSTM(8, 12),
            "attention": nn.MultiheadAttention(16, 4),
            "norm": nn.LayerNorm(16),
            "batch": nn.BatchNorm1d(16),
        }
    )


def test_torch_layers_have_their_own_spread():
    check("torch", build_torch_layers, 60)


def test_mamba_has_the_spread_of_its_blocks():
    """transformers draws the other kernels from N(0, 0.1²), and the published code leaves them to PyTorch."""
    make = partial(build_transformers, "MambaForCausalLM", hidden_size=32, num_hidden_layers=3, vocab_size=90)
    leave = ("A_log", "dt_proj.bias", "in_proj.weight", "x_proj.weight", "conv1d.bias", "embeddings.weight")
    check("mamba", partial(make, rescale_prenorm_residual=True), FEW, leave)


def test_keras_layers_have_their_own_spread():
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = {
        "dense": (keras.layers.Dense(24), (None, 30)),
        "conv": (keras.layers.Conv2D(16, 3), (None, 8, 8, 6)),
        "embedding": (keras.layers.Embedding(60, 24), (None, 4)),
        "batch_normalization": (keras.layers.BatchNormalization(), (None, 16)),
    }
    values = {}
    for name, (layer, shape) in layers.items():
        layer.build(shape)
        values |= {f"{name}/{weight.name}": keras.ops.convert_to_numpy(weight) for weight in layer.weights}
    shapes = ({"name": name, "shape": list(value.shape)} for name, value in values.items())
    parsed = expand("keras", *shapes, defaults={})
    for name, value in values.items():
        compare(name, parsed, torch.from_numpy(value.copy()).double().flatten())


def test_keras_lstm_starts_with_open_forget_gates():
    keras = pytest.importorskip("keras")
    cell = keras.layers.LSTMCell(4)
    cell.build((None, 3))
    kernels = {"lstm/lstm_cell/recurrent_kernel": {"scheme": "he", "shape": [4, 16]}}
    tensors = {**kernels, "lstm/lstm_cell/bias": {"shape": [16]}}
    parsed = expand("keras", *({"name": name, **fields} for name, fields in tensors.items()), defaults={})
    parts = parsed.model.by_name["lstm/lstm_cell/bias"].parts
    ours = [part.value for part in parts for _ in range(part.shape[0])]
    assert ours == keras.ops.convert_to_numpy(cell.bias).tolist()


def test_flax_layers_have_their_own_spread():
    nnx = pytest.importorskip("flax.nnx")
    rngs = nnx.Rngs(0)
    layers = {
        "linear": nnx.Linear(30, 24, rngs=rngs),
        "conv": nnx.Conv(6, 16, (3, 3), rngs=rngs),
        "embed": nnx.Embed(60, 24, rngs=rngs),
        "layer_norm": nnx.LayerNorm(16, rngs=rngs),
    }
    values = {
        "/".join((name, *map(str, path))): torch.tensor(leaf.get_value().tolist())
        for name, layer in layers.items()
        for path, leaf in nnx.to_flat_state(nnx.state(layer, nnx.Param))
    }
    shapes = ({"name": name, "shape": list(value.shape)} for name, value in values.items())
    parsed = expand("flax", *shapes, defaults={})
    for name, value in values.items():
        compare(name, parsed, value.double().flatten())
