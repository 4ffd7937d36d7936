"""Patterns give the names of libraries their roles."""

import pytest

from service.core.recipes.patterns import MAX_MATCHED, find_layer, find_role
from service.core.recipes.roles import ROLES

ALONE = {}.get
# Names of state dicts of the libraries, and of Flax and Keras; shapes of the kernels are rank 2 unless said.
NAMES = {
    "transformer.h.3.attn.c_attn.weight": ("query_key_value", 3),  # transformers GPT-2, nanoGPT
    "transformer.h.3.attn.c_proj.weight": ("attention_out", 3),
    "transformer.h.3.mlp.c_proj.weight": ("mlp_out", 3),
    "model.layers.11.self_attn.o_proj.weight": ("attention_out", 11),  # transformers Llama
    "model.layers.11.mlp.gate_proj.weight": ("gate", 11),
    "bert.encoder.layer.2.attention.self.query.weight": ("query", 2),  # transformers BERT
    "bert.encoder.layer.2.attention.output.dense.weight": ("attention_out", 2),
    "bert.encoder.layer.2.intermediate.dense.weight": ("mlp_in", 2),
    "bert.encoder.layer.2.output.dense.weight": ("mlp_out", 2),
    "bert.embeddings.position_embeddings.weight": ("position", None),
    "bert.pooler.dense.weight": ("projection", None),
    "decoder.block.5.layer.1.EncDecAttention.o.weight": ("attention_out", 5),  # transformers T5
    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": ("relative_position", 0),
    "encoder.block.4.layer.1.DenseReluDense.wo.weight": ("mlp_out", 4),
    "transformer.h.1.self_attention.query_key_value.weight": ("query_key_value", 1),  # transformers BLOOM
    "transformer.h.1.mlp.dense_4h_to_h.weight": ("mlp_out", 1),
    "layers.7.attention.wo.weight": ("attention_out", 7),  # torchtitan
    "layers.7.feed_forward.w1.weight": ("gate", 7),
    "layers.7.feed_forward.w2.weight": ("mlp_out", 7),
    "layers.7.feed_forward.w3.weight": ("mlp_in", 7),
    "tok_embeddings.weight": ("embedding", None),
    "transformer.blocks.7.att_proj.weight": ("query_key_value", 7),  # OLMo
    "transformer.blocks.7.attn_out.weight": ("attention_out", 7),
    "transformer.blocks.7.ff_out.weight": ("mlp_out", 7),
    "transformer.ff_out.weight": ("head", None),
    "blocks.0.attn.qkv.weight": ("query_key_value", 0),  # timm
    "blocks.0.attn.proj.weight": ("attention_out", 0),
    "blocks.0.mlp.fc2.bias": ("mlp_bias", 0),
    "blocks.0.adaLN_modulation.1.weight": ("modulation", 0),  # DiT
    "visual.transformer.resblocks.2.attn.in_proj_weight": ("vision_attention_in", 2),  # CLIP
    "transformer.resblocks.2.attn.in_proj_weight": ("query_key_value", 2),
    "encoder.layers.encoder_layer_3.self_attention.out_proj.weight": ("attention_out", 3),  # torchvision
    "backbone.layers.1.mixer.out_proj.weight": ("state_out", 1),  # mamba_ssm
    "blocks.1.ffn.value.weight": ("mlp_out", 1),  # RWKV
    "Transformer/encoderblock_6/MlpBlock_0/Dense_1/kernel": ("mlp_out", 6),  # big_vision
    "Transformer/encoderblock_6/MultiHeadDotProductAttention_0/out/kernel": ("attention_out", 6),
    "transformer_layer_2/self_attention_layer/query/kernel": ("query", 2),  # keras_hub
    "transformer_layer_2/self_attention_layer/attention_output/kernel": ("attention_out", 2),
    "token_embedding/embeddings": ("embedding", None),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_has_the_role_and_the_layer_of_its_library(name):
    pattern, layer = find_role(name, 1 if name.endswith("bias") else 2, ALONE), find_layer(name)
    assert (pattern and pattern.role, layer and layer[1]) == NAMES[name]


@pytest.mark.parametrize("name", ["x.matrix", "weights", "lambda_q1", "attn.c_projection.weight"])
def test_an_unknown_name_has_no_role(name):
    assert find_role(name, 2, ALONE) is None


def test_a_long_name_is_matched_by_its_end():
    name = "normattn" * 100 + ".h.3.attn.c_proj.weight"
    assert len(name) > MAX_MATCHED
    assert find_role(name, 2, ALONE).role == "attention_out"


def test_every_general_role_is_a_role():
    assert {role.general for role in ROLES.values()} - {None} <= ROLES.keys()
