"""Recipes of residual branches, width and depth, for any code base."""

from service.core.recipes.rules import (
    LAYERS,
    SIGMA,
    Recipe,
    Rule,
    Size,
    constant,
    normal,
    omit,
    scale_torch,
    scale_torch_bias,
    scaled_glorot,
    torch_bias,
    torch_kernel,
    uniform,
    zero_biases,
)

DEEPNORM = "torchscale, architecture/encoder.py:244-252 and decoder.py:290-298"
SUBLN = "torchscale, architecture/encoder.py:262-270 and decoder.py:304-314"
ATTENTION = "torchscale, component/multihead_attention.py:62-65"
T_FIXUP = "T-Fixup, fairseq/modules/transformer_layer.py:38-44, fairseq/models/transformer.py:380"
FIXUP = "Fixup, cifar/models/fixup_resnet_cifar.py:66-72"
FIXUP_DEEP = "Fixup, imagenet/models/fixup_resnet_imagenet.py:117-129"
MUP = "mup, mup/init.py:22-44"
SIREN = "siren, modules.py"
TABLE = "torchscale, component/embedding.py, TextEmbedding.reset_parameters"
#: σ² of Glorot's scheme times 1/√(8L), which is σ ÷ (8L)^¼.
DEEP = "1 / sqrt(8 * layers)"

RESIDUAL: tuple[Recipe, ...] = (
    Recipe(
        "deepnorm",
        "DeepNorm for an encoder or a decoder alone",
        "Wang et al. (2022), DeepNet, section 3.2: β = (8L)^-¼",
        (
            scaled_glorot(f"1 / 2 * {DEEP}", "value", source=f"{DEEPNORM}; {ATTENTION}"),
            scaled_glorot(DEEP, "attention_out", source=f"{DEEPNORM}; {ATTENTION}"),
            scaled_glorot("1 / 2", "query", "key", source=ATTENTION),
            scale_torch(DEEP, "mlp_in", "mlp_out", source=DEEPNORM),
            scale_torch_bias(DEEP, "mlp_bias", "value_bias", source=DEEPNORM),
            torch_bias("attention_bias"),
            constant(0, "attention_out_bias", source=ATTENTION),
            normal("1 / sqrt(columns)", "embedding", source=TABLE),
            normal("1 / sqrt(fan_in)", "head", source="torchscale, architecture/encoder.py:288-290"),
            *zero_biases(ATTENTION),
        ),
        (LAYERS,),
    ),
    Recipe(
        "subln",
        "Sub-LayerNorm (Magneto) for an encoder or a decoder alone",
        "Wang et al. (2022), Foundation Transformers, figure 2: γ = √(ln 2L)",
        (
            scaled_glorot("1 / 2 * ln(2 * layers)", "value", source=f"{SUBLN}; {ATTENTION}"),
            scaled_glorot("ln(2 * layers)", "attention_out", source=f"{SUBLN}; {ATTENTION}"),
            scaled_glorot("1 / 2", "query", "key", source=ATTENTION),
            scale_torch("ln(2 * layers)", "mlp_in", "mlp_out", source=SUBLN),
            scale_torch_bias("ln(2 * layers)", "mlp_bias", "value_bias", source=SUBLN),
            torch_bias("attention_bias"),
            constant(0, "attention_out_bias", source=ATTENTION),
            normal("1 / sqrt(columns)", "embedding", source=TABLE),
            normal("1 / sqrt(fan_in)", "head", source="torchscale, architecture/encoder.py:288-290"),
            *zero_biases(ATTENTION),
        ),
        (LAYERS,),
    ),
    Recipe(
        "t_fixup",
        "T-Fixup, the encoder: a transformer without layer norms and without warmup",
        "Huang et al. (2020), Improving Transformer Optimization Through Better Initialization, section 4",
        (
            # 0.67² L^-½ times √2² / 2: Glorot's scheme has gain 1/√2 for a value.
            scaled_glorot("0.67 * 0.67 / sqrt(layers)", "value", source=T_FIXUP),
            scaled_glorot("0.67 * 0.67 / sqrt(layers)", "attention_out", "mlp_in", "mlp_out", source=T_FIXUP),
            scaled_glorot("1 / 2", "query", "key", source="fairseq, modules/multihead_attention.py"),
            normal(
                "1 / sqrt(columns) / sqrt(sqrt(9 * layers))",
                "embedding",
                source="T-Fixup, fairseq/models/transformer.py:380, 910",
            ),
            normal("1 / sqrt(fan_in)", "head", source="T-Fixup, fairseq/models/transformer.py:669"),
            *zero_biases(T_FIXUP),
        ),
        (LAYERS,),
    ),
    Recipe(
        "fixup",
        "Fixup: residual networks without normalization, two convolutions a branch",
        "Zhang, Dauphin & Ma (2019), Fixup Initialization, arXiv:1901.09321, section 3",
        (
            constant(0, "branch_out", "head", source=FIXUP),
            normal("sqrt(2 / fan_out) / sqrt(layers)", "branch_in", source=FIXUP),
            normal("sqrt(2 / fan_out)", "shortcut", source=FIXUP_DEEP),
            torch_kernel("convolution"),
            *zero_biases(FIXUP),
        ),
        (Size("layers", "The number of residual branches."),),
    ),
    Recipe(
        "fixup_bottleneck",
        "Fixup: residual networks without normalization, three convolutions a branch",
        "Zhang, Dauphin & Ma (2019), Fixup Initialization, arXiv:1901.09321, section 3",
        (
            constant(0, "branch_out", "head", source=FIXUP_DEEP),
            normal("sqrt(2 / fan_out) / sqrt(sqrt(layers))", "branch_in", source=FIXUP_DEEP),
            normal("sqrt(2 / fan_out)", "shortcut", source=FIXUP_DEEP),
            torch_kernel("convolution"),
            *zero_biases(FIXUP_DEEP),
        ),
        (Size("layers", "The number of residual branches."),),
    ),
    Recipe(
        "mup",
        "μP: matrices that widen on both sides have σ ÷ √m, others σ",
        "Yang et al. (2022), Tensor Programs V, table 8",
        (
            normal("sigma", "embedding", "head", source=MUP),
            normal("sigma / sqrt(width_multiplier)", "kernel", source=MUP),
            *zero_biases(MUP),
        ),
        (SIGMA, Size("width_multiplier", "The width by that of the base model.", whole=False)),
    ),
    Recipe(
        "siren",
        "SIREN: networks of sines",
        "Sitzmann et al. (2020), Implicit Neural Representations, section 3.2",
        (
            uniform("1 / fan_in", "first", source=f"{SIREN}:630-635"),
            uniform("sqrt(6 / fan_in) / 30", "kernel", source=f"{SIREN}:622-627"),
            torch_bias("bias"),
        ),
    ),
    Recipe(
        "irnn",
        "IRNN: a recurrent network of ReLUs that starts as the identity",
        "Le, Jaitly & Hinton (2015), A Simple Way to Initialize Recurrent Networks, section 2",
        (
            Rule(("recurrent",), {"scheme": "identity"}, "Le, Jaitly & Hinton (2015), section 2"),
            normal(0.001, "kernel", "embedding", source="Le, Jaitly & Hinton (2015), section 4"),
            *zero_biases("Le, Jaitly & Hinton (2015), section 2"),
        ),
        by_kind=True,
    ),
    Recipe(
        "zero",
        "ZerO: only zeros and ones",
        "Zhao, Schäfer & Anandkumar (2022), ZerO Initialization, arXiv:2110.12661, algorithm 1",
        (
            constant(0, "branch_out", "attention_out", "mlp_out", source="section 3"),
            omit("kernel", source="algorithm 1", note="a part of a Hadamard matrix or of the identity"),
            *zero_biases("section 3"),
        ),
        by_kind=True,
    ),
)
