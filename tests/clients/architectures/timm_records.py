"""Records of timm's models, from the source code of timm 1.0.31, by module."""

from functools import partial

from tests.clients.architectures.building import build_timm
from tests.clients.architectures.records import OTHER, Record


def record(name, source, rows):
    return Record(f"timm {name}", f"timm.models.{source}", partial(build_timm, name), rows)


RESNET = record("resnet50", "resnet.Bottleneck", {"fc": "none", "*": "relu"})

# Its norms are BatchNormAct2d: the relu is theirs.
DENSENET = record("densenet121", "densenet.DenseLayer, DenseTransition", {"classifier": "none", "*": "relu"})

# DepthwiseSeparableConv has no activation after conv_pw, InvertedResidual none after conv_pwl.
EFFICIENTNET = record(
    "efficientnet_b0",
    "_efficientnet_blocks.InvertedResidual, efficientnet._gen_efficientnet",
    {
        "classifier": "none",
        "blocks.0.0.conv_pw": "none",
        "*.conv_pwl": "none",
        "*.se.conv_expand": "sigmoid",
        "*": "silu",
    },
)

# Preactivation: what a conv puts out meets the relu of the next BatchNormAct2d, past the sum and the pool.
RESNET_V2 = record("resnetv2_50", "resnetv2.PreActBottleneck", {"head.fc": "none", "*": "relu"})

VIT_SMALL = record(
    "vit_small_patch16_224",
    "vision_transformer.Block",
    {"cls_token": OTHER, "pos_embed": OTHER, "*.mlp.fc1": "gelu", "*": "none"},
)

BEIT = record(
    "beit_base_patch16_224",
    "beit.Block",
    {"cls_token": OTHER, "*.relative_position_bias_table": OTHER, "*.mlp.fc1": "gelu", "*": "none"},
)

INCEPTION_V4 = record(
    "inception_v4", "inception_v4, layers.ConvNormAct", {"last_linear": "none", "*": "relu"}
)

# _gen_mobilenet_v3: stages 0 to 2 say _nre, relu; the rest is hard swish. The gates of SE are hard sigmoids.
MOBILENET_V3 = record(
    "mobilenetv3_large_100",
    "mobilenetv3._gen_mobilenet_v3",
    {
        "classifier": "none",
        "blocks.0.0.conv_pw": "none",
        "*.conv_pwl": "none",
        "*.se.conv_reduce": "relu",
        "*.se.conv_expand": "hard_sigmoid",
        "blocks.[0-2].*": "relu",
        "*": "hard_silu",
    },
)

CONVNEXT = record("convnext_tiny", "convnext.ConvNeXtBlock", {"*.mlp.fc1": "gelu", "*": "none"})

# NormFreeBlock: act1, conv1, act2, conv2, act2b, conv2b, act3, conv3, SE (relu, sigmoid), sum. GammaAct is
# GELU times a constant. A ScaledStdConv2d standardizes its weight and scales it by its gain first. The last
# block is followed by final_conv.
NFNET = record(
    "dm_nfnet_f0",
    "nfnet.NormFreeBlock, GammaAct",
    {
        "*.gain": OTHER,
        "head.fc": "none",
        "*.attn_last.fc1": "relu",
        "*.attn_last.fc2": "sigmoid",
        "stages.3.2.conv3": "none",
        "*": "gelu",
    },
)

MIXER = record("mixer_b16_224", "mlp_mixer.MixerBlock", {"*.mlp_*.fc1": "gelu", "*": "none"})

REGNET = record("regnety_004", "regnet.Bottleneck", {"head.fc": "none", "*.se.fc2": "sigmoid", "*": "relu"})

# XceptionModule: a relu, depthwise bn, pointwise bn, three times, and the shortcut. The last block has its
# relus after its convolutions, and so none follows the block before it.
XCEPTION_ALIGNED = record(
    "xception41",
    "xception_aligned.XceptionModule, SeparableConv2d",
    {
        "head.fc": "none",
        "blocks.12.*": "relu",
        "blocks.11.shortcut.conv": "none",
        "blocks.11.stack.conv3.conv_pw": "none",
        "*.conv_dw": "none",
        "*": "relu",
    },
)

# Block: relu, depthwise, pointwise, bn; and the skip. block12 is followed by conv3's depthwise kernel.
XCEPTION = record(
    "legacy_xception",
    "xception.Block, SeparableConv2d",
    {
        "fc": "none",
        "conv[12]": "relu",
        "block12.skip": "none",
        "block12.rep.4.pointwise": "none",
        "*.conv1": "none",
        "*": "relu",
    },
)

RECORDS = [
    RESNET,
    DENSENET,
    EFFICIENTNET,
    RESNET_V2,
    VIT_SMALL,
    BEIT,
    INCEPTION_V4,
    MOBILENET_V3,
    CONVNEXT,
    NFNET,
    MIXER,
    REGNET,
    XCEPTION_ALIGNED,
    XCEPTION,
]
