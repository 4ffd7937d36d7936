"""Recipes of vision models, and of those with images and text."""

from service.core.recipes.rules import (
    LAYERS,
    NORMS,
    SQUARE,
    Recipe,
    Rule,
    constant,
    glorot,
    normal,
    torch_bias,
    torch_kernel,
    uniform,
    values,
    zero_biases,
)

CLIP = "CLIP, clip/model.py"
HF_CLIP = "transformers 5.24, models/clip/modeling_clip.py"
HF = "transformers 5.24, modeling_utils.py:2320-2335, PreTrainedModel._init_weights"
TIMM_VIT = "timm 1.0.31, models/vision_transformer.py"
BIG_VISION = "big_vision, models/vit.py"
DIT = "DiT, models.py"
TV_RESNET = "torchvision 0.28, models/resnet.py, ResNet.__init__"
TIMM_RESNET = "timm 1.0.31, models/resnet.py"
EFFICIENTNET = "timm 1.0.31, models/_efficientnet_builder.py:557-574"
HE_FAN_OUT = {"scheme": "he", "mode": "fan_out", "distribution": "normal"}
OUT = "1 / sqrt(fan_in) / sqrt(2 * layers)"

RESNET = (
    Rule(("convolution",), HE_FAN_OUT, f"{TV_RESNET}; {TIMM_RESNET}:633-635"),
    torch_kernel("head"),
    torch_bias("bias"),
)

VISION: tuple[Recipe, ...] = (
    Recipe(
        "clip",
        "CLIP of OpenAI",
        "Radford et al. (2021), Learning Transferable Visual Models, section 2.4",
        (
            normal(0.02, "embedding", source=f"{CLIP}:300"),
            normal(0.01, "position", source=f"{CLIP}:301"),
            normal("1 / sqrt(fan_in)", "attention_in", source=f"{CLIP}:317, 320"),
            normal(OUT, "attention_out", source=f"{CLIP}:316, 321"),
            normal("1 / sqrt(2 * fan_in)", "mlp_in", source=f"{CLIP}:318, 322"),
            normal("1 / sqrt(fan_out) / sqrt(2 * layers)", "mlp_out", source=f"{CLIP}:316, 323"),
            normal("1 / sqrt(rows)", "projection", source=f"{CLIP}:221, 326"),
            normal("1 / sqrt(columns)", "vision_position", source=f"{CLIP}:213-215"),
            glorot("uniform", "vision_attention_in", source="torch.nn.MultiheadAttention (2.13)"),
            constant(
                0, "query_key_value_bias", "fused_out_bias", source="torch.nn.MultiheadAttention (2.13)"
            ),
            constant("ln(1 / 0.07)", "logit_scale", source=f"{CLIP}, CLIP.__init__"),
            torch_kernel("patch", "vision_attention_out", "vision_mlp_in", "vision_mlp_out"),
            torch_bias("bias"),
            *NORMS,
        ),
        (LAYERS,),
    ),
    Recipe(
        "clip_hf",
        "CLIP in transformers, which divides the σ of queries, keys and values by √(2L), not of outputs",
        "Radford et al. (2021), Learning Transferable Visual Models",
        (
            normal(0.02, "embedding", "patch", source=f"{HF_CLIP}:413-420"),
            normal("1 / sqrt(columns)", "class_token", source=f"{HF_CLIP}:418"),
            normal(OUT, "attention_in", source=f"{HF_CLIP}:423-427"),
            normal("1 / sqrt(fan_in)", "attention_out", source=f"{HF_CLIP}:424, 428"),
            normal("1 / sqrt(2 * fan_in)", "mlp_in", source=f"{HF_CLIP}:431-432"),
            normal("1 / sqrt(fan_out) / sqrt(2 * layers)", "mlp_out", source=f"{HF_CLIP}:430, 433"),
            normal("1 / sqrt(fan_in)", "projection", "head", source=f"{HF_CLIP}:434-442"),
            constant(2.6592, "logit_scale", source=f"{HF_CLIP}, logit_scale_init_value"),
            *zero_biases(HF),
        ),
        (LAYERS,),
    ),
    Recipe(
        "vit_timm",
        "Vision transformers of timm, init_weights('')",
        "Dosovitskiy et al. (2021), An Image is Worth 16x16 Words; timm cuts at ±2, which is 100 σ",
        (
            normal(1e-6, "class_token", source=f"{TIMM_VIT}:972-975"),
            torch_kernel("patch"),
            torch_bias("patch_bias"),
            normal(0.02, "kernel", "position", source=f"{TIMM_VIT}:970-971, 1363-1364"),
            *zero_biases(f"{TIMM_VIT}:1365-1366"),
        ),
    ),
    Recipe(
        "vit_jax",
        "Vision transformers of timm, init_weights('jax')",
        "Dosovitskiy et al. (2021), An Image is Worth 16x16 Words; big_vision, models/vit.py:66-95",
        (
            normal(1e-6, "class_token", source=f"{TIMM_VIT}:972-975"),
            normal(0.02, "position", source=f"{TIMM_VIT}:970-971"),
            constant(0, "head", source=f"{TIMM_VIT}:1388-1390; {BIG_VISION}:271"),
            Rule(
                ("patch",),
                {"scheme": "lecun", "distribution": "truncated_normal"},
                f"{TIMM_VIT}:1395-1396; flax.linen.Conv",
            ),
            normal(1e-6, "mlp_bias", source=f"{TIMM_VIT}:1394; {BIG_VISION}:68"),
            glorot("uniform", "kernel", source=f"{TIMM_VIT}:1392; {BIG_VISION}:67, 95"),
            *zero_biases(f"{TIMM_VIT}:1394-1398"),
        ),
    ),
    Recipe(
        "vit_hf",
        "Vision transformers of transformers",
        "Dosovitskiy et al. (2021), An Image is Worth 16x16 Words; transformers cuts at ±2, which is 100 σ",
        (
            normal(
                0.02,
                "kernel",
                "embedding",
                "class_token",
                source=f"{HF}; models/vit/modeling_vit.py:326-329",
            ),
            *zero_biases(HF),
        ),
    ),
    Recipe(
        "dit",
        "Diffusion transformers",
        "Peebles & Xie (2023), Scalable Diffusion Models with Transformers",
        (
            constant(0, "modulation", "head", source=f"{DIT}:207-216"),
            normal(0.02, "label", "time", source=f"{DIT}:200-205"),
            values("sinusoidal", "position", source=f"{DIT}:191-193", grid=SQUARE),
            Rule(
                ("patch",),
                {"limit": "sqrt(6 / (fan_in + rows))"},
                f"{DIT}:195-197",
                "Glorot's uniform scheme for the kernel as a matrix, whose fan_out is its rows.",
            ),
            glorot("uniform", "kernel", source=f"{DIT}:183-189"),
            *zero_biases(f"{DIT}:187-188, 198"),
        ),
    ),
    Recipe(
        "resnet",
        "ResNets of torchvision",
        "He, Zhang, Ren & Sun (2015), Delving deep into rectifiers, equation 14",
        (*RESNET, *NORMS),
    ),
    Recipe(
        "resnet_zero",
        "ResNets of timm, and of torchvision with zero_init_residual: the last γ of a branch is 0",
        "Goyal et al. (2017), Accurate, Large Minibatch SGD, section 5.1",
        (
            constant(0, "last_norm_scale", source=f"{TIMM_RESNET}:138-141, 254-257, 636-639"),
            *RESNET,
            *NORMS,
        ),
    ),
    Recipe(
        "efficientnet",
        "EfficientNets",
        "Tan & Le (2019), EfficientNet",
        (
            Rule(
                ("depthwise",),
                {"stddev": "sqrt(2 / field)"},
                EFFICIENTNET,
                "fan_out is that of one group, of one channel.",
            ),
            Rule(("convolution",), HE_FAN_OUT, EFFICIENTNET),
            uniform("1 / sqrt(fan_out)", "head", source=EFFICIENTNET),
            *zero_biases(EFFICIENTNET),
        ),
    ),
)
