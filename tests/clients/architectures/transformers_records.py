"""Records of small transformers models, from the source code of transformers 5.24, with default functions."""

from functools import partial

from tests.clients.architectures.building import build_transformers
from tests.clients.architectures.records import OTHER, Record

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
# The default numbers of special tokens are beyond a small vocabulary, which is warned of.
TOKENS = {"vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
TEXT = SMALL | TOKENS
GROUPED = TEXT | {"num_key_value_heads": 2}


def record(kind, source, rows, **settings):
    build = partial(build_transformers, kind, **settings)
    return Record(f"transformers {kind}", f"transformers.models.{source}", build, rows)


GPT2 = record(
    "GPT2LMHeadModel",
    "gpt2.modeling_gpt2.GPT2MLP: gelu_new",
    {"*.c_fc": "gelu_tanh", "*": "none"},
    n_embd=64,
    n_layer=2,
    n_head=4,
    **TOKENS,
)

# BertPooler and BertPredictionHeadTransform have an activation, too.
BERT = record(
    "BertForPreTraining",
    "bert.modeling_bert.BertIntermediate, BertPooler: gelu",
    {
        "*.intermediate.dense": "gelu",
        "bert.pooler.dense": "tanh",
        "cls.predictions.transform.dense": "gelu",
        "*": "none",
    },
    **TEXT,
)

ROBERTA = record(
    "RobertaForMaskedLM",
    "roberta.modeling_roberta.RobertaIntermediate, RobertaLMHead: gelu",
    {"*.intermediate.dense": "gelu", "lm_head.dense": "gelu", "*": "none"},
    **TEXT,
)

DISTILBERT = record(
    "DistilBertForMaskedLM",
    "distilbert.modeling_distilbert.FFN, DistilBertForMaskedLM: gelu",
    {"*.ffn.lin1": "gelu", "vocab_transform": "gelu", "*": "none"},
    dim=64,
    n_layers=2,
    n_heads=4,
    hidden_dim=128,
    **TOKENS,
)

SWIGLU = {"*.mlp.gate_proj": "silu", "*.mlp.up_proj": "swiglu", "*": "none"}
LLAMA = record("LlamaForCausalLM", "llama.modeling_llama.LlamaMLP: silu", SWIGLU, **GROUPED)
MISTRAL = record("MistralForCausalLM", "mistral.modeling_mistral.MistralMLP: silu", SWIGLU, **GROUPED)

GEMMA = record(
    "GemmaForCausalLM",
    "gemma.modeling_gemma.GemmaMLP: gelu_pytorch_tanh",
    {"*.mlp.gate_proj": "gelu_tanh", "*.mlp.up_proj": "geglu", "*": "none"},
    head_dim=16,
    **GROUPED,
)

# Phi3MLP: one kernel, gate first, then up.
PHI3 = record(
    "Phi3ForCausalLM",
    "phi3.modeling_phi3.Phi3MLP: silu",
    {"*.mlp.gate_up_proj": "silu+swiglu", "*": "none"},
    **GROUPED,
)

T5_SETTINGS = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "vocab_size": 99}
T5 = record(
    "T5ForConditionalGeneration",
    "t5.modeling_t5.T5DenseActDense: relu",
    {"*.DenseReluDense.wi": "relu", "*": "none"},
    **T5_SETTINGS,
)

# Flan-T5: gated-gelu is gelu_new.
UMT5 = record(
    "UMT5ForConditionalGeneration",
    "umt5.modeling_umt5.UMT5DenseGatedActDense: gelu_new",
    {"*.DenseReluDense.wi_0": "gelu_tanh", "*.DenseReluDense.wi_1": "geglu", "*": "none"},
    **T5_SETTINGS,
)

WHISPER = record(
    "WhisperForConditionalGeneration",
    "whisper.modeling_whisper.WhisperEncoder, WhisperDecoderLayer: gelu",
    {"model.encoder.conv?": "gelu", "*.fc1": "gelu", "*": "none"},
    d_model=64,
    encoder_layers=2,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=128,
    decoder_ffn_dim=128,
    **TOKENS,
)

# bloom_gelu_forward is the tanh approximation, written out.
BLOOM = record(
    "BloomForCausalLM",
    "bloom.modeling_bloom.BloomMLP: bloom_gelu_forward",
    {"*.mlp.dense_h_to_4h": "gelu_tanh", "*": "none"},
    hidden_size=64,
    n_layer=2,
    n_head=4,
    **TOKENS,
)

VIT = record(
    "ViTForImageClassification",
    "vit.modeling_vit.ViTMLP: gelu",
    {
        "vit.embeddings.cls_token": OTHER,
        "vit.embeddings.position_embeddings": OTHER,
        "*.mlp.fc1": "gelu",
        "*": "none",
    },
    **SMALL,
)

BEIT = record(
    "BeitForImageClassification",
    "beit.modeling_beit.BeitMLP: gelu",
    {"beit.embeddings.cls_token": OTHER, "*.mlp.fc1": "gelu", "*": "none"},
    **SMALL,
)

CLIP = record(
    "CLIPModel",
    "clip.modeling_clip.CLIPMLP: quick_gelu",
    {"*.mlp.fc1": "quick_gelu", "*": "none"},
    text_config=TEXT,
    vision_config=SMALL,
)

OPT = record(
    "OPTForCausalLM",
    "opt.modeling_opt.OPTDecoderLayer: relu",
    {"*.fc1": "relu", "*": "none"},
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    ffn_dim=128,
    word_embed_proj_dim=64,
    **TOKENS,
)

GPT_NEOX = record(
    "GPTNeoXForCausalLM",
    "gpt_neox.modeling_gpt_neox.GPTNeoXMLP: gelu",
    {"*.mlp.dense_h_to_4h": "gelu", "*": "none"},
    **TEXT,
)

FALCON = record(
    "FalconForCausalLM",
    "falcon.modeling_falcon.FalconMLP: gelu",
    {"*.mlp.dense_h_to_4h": "gelu", "*": "none"},
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    **TOKENS,
)

RECORDS = [
    GPT2,
    BERT,
    ROBERTA,
    DISTILBERT,
    LLAMA,
    MISTRAL,
    GEMMA,
    PHI3,
    T5,
    UMT5,
    WHISPER,
    BLOOM,
    VIT,
    BEIT,
    CLIP,
    OPT,
    GPT_NEOX,
    FALCON,
]
