"""Recipes of language models."""

from service.core.recipes.rules import (
    LAYERS,
    NORMS,
    SIGMA,
    Recipe,
    Rule,
    Size,
    constant,
    cut,
    normal,
    torch_bias,
    torch_kernel,
    uniform,
    values,
    zero_biases,
)

HF = "transformers 5.24, modeling_utils.py:2320-2335, PreTrainedModel._init_weights"
HF_GPT2 = "transformers 5.24, models/gpt2/modeling_gpt2.py:435-449"
HF_T5 = "transformers 5.24, models/t5/modeling_t5.py"
KERAS_BERT = "keras_hub, models/bert/bert_backbone.py:11-12, 94-141"
MEGATRON = "Megatron-LM, megatron/core/utils.py"
TITAN = "torchtitan, models/llama3/__init__.py"
OLMO = "OLMo, olmo/model.py"
MAMBA = "mamba, mamba_ssm/modules/mamba_simple.py"
MIXER = "mamba, mamba_ssm/models/mixer_seq_simple.py"
RWKV = "RWKV-LM, RWKV-v5/src/model.py"
NEOX = "gpt-neox, megatron/model/init_functions.py"

#: σ of a GPT-2 projection into the residual stream, of which each layer has two.
DEPTH = "sigma / sqrt(2 * layers)"
OWN_DEPTH = "0.02 / sqrt(2 * (layer + 1))"

LANGUAGE: tuple[Recipe, ...] = (
    Recipe(
        "gpt2",
        "GPT-2, BLOOM-like decoders and nanoGPT",
        "Radford et al. (2019), Language Models are Unsupervised Multitask Learners, section 2.3",
        (
            normal(DEPTH, "attention_out", "mlp_out", source=f"{HF_GPT2}; nanoGPT, model.py:143-145"),
            normal("sigma", "kernel", "embedding", source=f"{HF_GPT2}; nanoGPT, model.py:162-168"),
            *zero_biases(HF_GPT2),
        ),
        (LAYERS, SIGMA),
    ),
    Recipe(
        "llama",
        "Llama, Mistral, Qwen, BLOOM and most decoders of transformers",
        "transformers' default: initializer_range = 0.02",
        (normal("sigma", "kernel", "embedding", source=HF), *zero_biases(HF)),
        (SIGMA,),
    ),
    Recipe(
        "bert",
        "BERT and most encoders of transformers",
        "Devlin et al. (2019), BERT; transformers does not truncate",
        (
            normal(
                "sigma",
                "kernel",
                "embedding",
                source=HF,
                note="Its padding row of the token table is 0: write that row as a part with constant 0.",
            ),
            *zero_biases(HF),
        ),
        (SIGMA,),
    ),
    Recipe(
        "bert_keras",
        "BERT in KerasHub, truncated at two σ",
        "Devlin et al. (2019), BERT",
        (
            Rule(("kernel", "embedding"), {"parent_stddev": "sigma"}, KERAS_BERT),
            *zero_biases(KERAS_BERT),
        ),
        (SIGMA,),
    ),
    Recipe(
        "megatron",
        "Megatron-LM",
        "Shoeybi et al. (2019), Megatron-LM; width_multiplier is that of μP",
        (
            normal(
                "sigma / (sqrt(2 * layers) * sqrt(width_multiplier))",
                "attention_out",
                "mlp_out",
                source=f"{MEGATRON}:867-891",
            ),
            normal("embedding_sigma", "embedding", source="Megatron-LM, transformer_config.py:2571-2585"),
            normal("embedding_sigma", "head", source="Megatron-LM, transformer_config.py:2571-2585"),
            normal("sigma / sqrt(width_multiplier)", "kernel", source=f"{MEGATRON}:862-864"),
            *zero_biases(MEGATRON),
        ),
        (
            LAYERS,
            SIGMA,
            Size("embedding_sigma", "σ of the tables and the head.", default=0.02, whole=False),
            Size("width_multiplier", "The width by that of μP's base model.", default=1, whole=False),
        ),
    ),
    Recipe(
        "torchtitan_llama3",
        "Llama 3 in torchtitan",
        "torchtitan; it cuts at ±2, which is 100 σ",
        (
            normal(OWN_DEPTH, "attention_out", "mlp_in", "mlp_out", source=f"{TITAN}:62-66, 96, 106"),
            normal(0.02, "gate", "attention_in", source=f"{TITAN}:45-47, 95, 105"),
            cut("1 / sqrt(fan_in)", "head", source=f"{TITAN}:54-58"),
            normal(1.0, "embedding", source=f"{TITAN}:50"),
            *zero_biases(f"{TITAN}:47-49"),
        ),
    ),
    Recipe(
        "olmo_mitchell",
        "OLMo, init_fn mitchell",
        "OLMo; each σ is cut at ±3 σ",
        (
            cut("1 / sqrt(2 * fan_in * (layer + 1))", "attention_out", "mlp_out", source=f"{OLMO}:493-506"),
            cut("1 / sqrt(fan_in)", "kernel", source=f"{OLMO}:716-726, 1222-1230"),
            cut("1 / sqrt(columns)", "embedding", source=f"{OLMO}:1183-1185, 1202-1211"),
            *zero_biases("OLMo, olmo/initialization.py:20-22"),
        ),
    ),
    Recipe(
        "olmo_full_megatron",
        "OLMo, init_fn full_megatron",
        "OLMo; each σ is cut at ±3 σ",
        (
            cut("sigma / sqrt(2 * layers)", "attention_out", "mlp_out", source=f"{OLMO}:498-506"),
            cut("1 / sqrt(fan_in)", "head", source=f"{OLMO}:1224-1230"),
            cut("sigma", "kernel", "embedding", source=f"{OLMO}:719-726, 1186-1211"),
            *zero_biases("OLMo, olmo/initialization.py:20-22"),
        ),
        (LAYERS, SIGMA),
    ),
    Recipe(
        "t5",
        "T5 in transformers",
        "Raffel et al. (2020), Exploring the Limits of Transfer Learning; Mesh TensorFlow",
        (
            normal("1 / sqrt(fan_in * key_size)", "query", source=f"{HF_T5}:615"),
            normal("1 / sqrt(fan_in)", "key", "value", "attention_out", source=f"{HF_T5}:616-618"),
            normal("1 / sqrt(fan_in)", "mlp_in", "mlp_out", source=f"{HF_T5}:594-608"),
            normal("1 / sqrt(width)", "relative_position", source=f"{HF_T5}:619-620"),
            normal(1.0, "embedding", "head", source=f"{HF_T5}:573-579"),
            *zero_biases(f"{HF_T5}:571-572"),
        ),
        (
            Size("key_size", "The size of a query and a key of one head, d_kv."),
            Size("width", "The width of the model, d_model. Used by relative_position.", default=None),
        ),
    ),
    Recipe(
        "mamba",
        "Mamba",
        "Gu & Dao (2023), Mamba, section 3.6",
        (
            uniform("1 / sqrt(fan_in)", "step", source=f"{MAMBA}:82-87"),
            values("softplus_inverse_log_uniform", "step_bias", source=f"{MAMBA}:91-101"),
            values("log_arange", "state", source=f"{MAMBA}:105-111"),
            constant(1, "skip", source=f"{MAMBA}:115"),
            Rule(
                ("state_out",),
                {
                    "scheme": "variance_scaling",
                    "scale": "1 / (3 * layers)",
                    "mode": "fan_in",
                    "distribution": "uniform",
                },
                f"{MIXER}:106-121",
            ),
            normal(0.02, "embedding", source=f"{MIXER}:103-104"),
            torch_kernel("kernel"),
            torch_bias("bias"),
            *NORMS,
        ),
        (LAYERS,),
    ),
    Recipe(
        "rwkv",
        "RWKV-5",
        "Peng et al. (2023), RWKV",
        (
            uniform(1e-4, "embedding", source=f"{RWKV}:1387-1390"),
            Rule(
                ("head",),
                {"scheme": "orthogonal", "gain": "0.5 * sqrt(fan_out / fan_in)"},
                f"{RWKV}:1392-1398",
                "For a vocabulary above the width; the gain is 0.5 otherwise.",
            ),
            constant(0, "attention_out", "receptance", "mlp_out", source=f"{RWKV}:1416-1420, 1439-1440"),
            Rule(("key",), {"scheme": "orthogonal", "gain": 0.1}, f"{RWKV}:1426-1428"),
            Rule(("gate",), {"scheme": "orthogonal", "gain": 0.1}, f"{RWKV}:1429-1431"),
            Rule(("kernel",), {"scheme": "orthogonal"}, f"{RWKV}:1443-1444"),
            *zero_biases(f"{RWKV}:1380"),
        ),
    ),
    Recipe(
        "neox_small",
        "GPT-NeoX, small_init",
        "Nguyen & Salazar (2019), Transformers without Tears, SmallInit",
        (
            normal("sqrt(2 / (5 * width))", "kernel", "embedding", source=f"{NEOX}:146-158"),
            *zero_biases(NEOX),
        ),
        (Size("width", "The width of the model."),),
    ),
    Recipe(
        "neox_wang",
        "GPT-NeoX, small_init with wang_init for outputs",
        "Wang & Komatsuzaki (2021), Mesh Transformer JAX",
        (
            normal("2 / layers / sqrt(width)", "attention_out", "mlp_out", source=f"{NEOX}:163-173"),
            normal("sqrt(2 / (5 * width))", "kernel", "embedding", source=f"{NEOX}:146-158"),
            *zero_biases(NEOX),
        ),
        (LAYERS, Size("width", "The width of the model.")),
    ),
)
