"""Build the models of examples/ from a framework's own layers, with their libraries' parameter names."""

import keras
import torch
from torch import nn

from tests.clients.resnet import ResNet50


class Conv1D(nn.Module):
    """The Linear layer of GPT-2 in transformers, whose kernel is [inputs, outputs]."""

    def __init__(self, outputs, inputs):
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter(torch.empty(inputs, outputs)),
            nn.Parameter(torch.empty(outputs)),
        )


def nest(**modules):
    return nn.ModuleDict(modules)


def repeat(count, make):
    return nn.ModuleList([make() for _ in range(count)])


def build_gpt2():
    """GPT2LMHeadModel of transformers, configuration gpt2, without its tied head."""

    def make_block():
        return nest(
            ln_1=nn.LayerNorm(768),
            attn=nest(c_attn=Conv1D(3 * 768, 768), c_proj=Conv1D(768, 768)),
            ln_2=nn.LayerNorm(768),
            mlp=nest(c_fc=Conv1D(4 * 768, 768), c_proj=Conv1D(768, 4 * 768)),
        )

    embeddings = {"wte": nn.Embedding(50257, 768), "wpe": nn.Embedding(1024, 768)}
    return nest(transformer=nest(**embeddings, h=repeat(12, make_block), ln_f=nn.LayerNorm(768)))


def build_vit():
    """timm's vit_base_patch16_224."""

    def make_block():
        return nest(
            norm1=nn.LayerNorm(768),
            attn=nest(qkv=nn.Linear(768, 3 * 768), proj=nn.Linear(768, 768)),
            norm2=nn.LayerNorm(768),
            mlp=nest(fc1=nn.Linear(768, 4 * 768), fc2=nn.Linear(4 * 768, 768)),
        )

    model = nest(
        patch_embed=nest(proj=nn.Conv2d(3, 768, 16, 16)),
        blocks=repeat(12, make_block),
        norm=nn.LayerNorm(768),
        head=nn.Linear(768, 1000),
    )
    model.cls_token = nn.Parameter(torch.empty(1, 1, 768))
    model.pos_embed = nn.Parameter(torch.empty(1, 1 + (224 // 16) ** 2, 768))
    return model


def build_llama():
    """LlamaForCausalLM of transformers, with the sizes of Llama 3 8B."""
    width, heads, groups, inner = 4096, 32, 8, 14336

    def project(inputs, outputs):
        return nn.Linear(inputs, outputs, bias=False, dtype=torch.bfloat16)

    def norm():
        return nn.RMSNorm(width, dtype=torch.bfloat16)

    def make_layer():
        shared = width // heads * groups
        return nest(
            self_attn=nest(
                q_proj=project(width, width),
                k_proj=project(width, shared),
                v_proj=project(width, shared),
                o_proj=project(width, width),
            ),
            mlp=nest(
                gate_proj=project(width, inner),
                up_proj=project(width, inner),
                down_proj=project(inner, width),
            ),
            input_layernorm=norm(),
            post_attention_layernorm=norm(),
        )

    embedding = nn.Embedding(128256, width, dtype=torch.bfloat16)
    return nest(
        model=nest(embed_tokens=embedding, layers=repeat(32, make_layer), norm=norm()),
        lm_head=project(width, 128256),
    )


def describe_in_torch(build):
    """Return the shape and dtype of each tensor that a module saves, by name, without counters."""
    with torch.device("meta"):
        saved = build().state_dict()
    described = {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in saved.items()
    }
    return {name: row for name, row in described.items() if not name.endswith("num_batches_tracked")}


def describe_mlp():
    """Describe the variables of Géron's perceptron, built in Keras."""
    layers = [("hidden1", 300, "relu"), ("hidden2", 100, "relu"), ("output", 10, "softmax")]
    model = keras.Sequential([keras.Input((784,))])
    for name, units, activation in layers:
        model.add(keras.layers.Dense(units, activation=activation, name=name))
    return {
        f"{layer.name}/{variable.name}": (tuple(variable.shape), variable.dtype)
        for layer in model.layers
        for variable in layer.weights
    }


REAL = {
    "mnist-mlp": describe_mlp,
    "resnet50": lambda: describe_in_torch(ResNet50),
    "gpt2-small": lambda: describe_in_torch(build_gpt2),
    "vit-b16": lambda: describe_in_torch(build_vit),
    "llama3-8b": lambda: describe_in_torch(build_llama),
}
