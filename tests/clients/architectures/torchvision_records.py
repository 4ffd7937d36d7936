"""Records of torchvision's models, from the source code of torchvision 0.28, by module."""

from functools import partial

from tests.clients.architectures.building import build_torchvision
from tests.clients.architectures.records import OTHER, Record


def record(name, source, rows):
    return Record(
        f"torchvision {name}", f"torchvision.models.{source}", partial(build_torchvision, name), rows
    )


# Bottleneck: conv1 bn relu, conv2 bn relu, conv3 bn + downsample (conv, bn), relu.
RESNET = record("resnet50", "resnet.Bottleneck", {"fc": "none", "*": "relu"})

# _DenseLayer and _Transition are norm, relu, conv: what a conv puts out meets the relu of the next one, past
# a concatenation and a norm; the last meets DenseNet.forward's.
DENSENET = record("densenet121", "densenet._DenseLayer", {"classifier": "none", "*": "relu"})

VGG = record("vgg16_bn", "vgg.make_layers, VGG", {"classifier.6": "none", "*": "relu"})

# InvertedResidual: pointwise bn relu6, depthwise bn relu6, pointwise bn; the first has no expansion.
MOBILENET_V2 = record(
    "mobilenet_v2",
    "mobilenetv2.InvertedResidual",
    {
        "classifier.1": "none",
        "features.1.conv.1": "none",
        "features.*.conv.2": "none",
        "features.*.conv.?.0": "relu6",
        "features.*.0": "relu6",
    },
)

# The rows of _mobilenet_v3_conf: RE up to the sixth block, HS after; SE in 4 to 6 and 11 to 15.
MOBILENET_V3 = record(
    "mobilenet_v3_large",
    "mobilenetv3.InvertedResidual, _mobilenet_v3_conf",
    {
        "classifier.0": "hard_silu",
        "classifier.3": "none",
        "features.0.0": "hard_silu",
        "features.16.0": "hard_silu",
        "features.*.block.2.fc1": "relu",  # SElayer: nn.ReLU, then Hardsigmoid
        "features.*.block.2.fc2": "hard_sigmoid",
        "features.1.block.0.0": "relu",
        "features.1.block.1.0": "none",
        "features.*.block.2.0": "none",
        "features.*.block.3.0": "none",
        "features.[2-6].block.?.0": "relu",
        "features.*.block.?.0": "hard_silu",
    },
)

# MBConv: expansion bn silu, depthwise bn silu, SE (silu, sigmoid), projection bn; the first has no expansion.
EFFICIENTNET = record(
    "efficientnet_b0",
    "efficientnet.MBConv",
    {
        "classifier.1": "none",
        "features.1.0.block.0.0": "silu",
        "features.1.0.block.2.0": "none",
        "features.*.block.?.fc1": "silu",
        "features.*.block.?.fc2": "sigmoid",
        "features.*.block.3.0": "none",
        "features.*.block.[01].0": "silu",
        "features.[08].0": "silu",
    },
)

GOOGLENET = record(
    "googlenet",
    "googlenet.BasicConv2d, Inception, InceptionAux",
    {"fc": "none", "aux?.fc1": "relu", "aux?.fc2": "none", "*.conv": "relu"},
)

INCEPTION_V3 = record(
    "inception_v3",
    "inception.BasicConv2d, InceptionAux",
    {"fc": "none", "AuxLogits.fc": "none", "*.conv": "relu"},
)

# ResBottleneckBlock: relu(proj(x) + f(x)); f is a bn relu, b bn relu, SE (relu, sigmoid), c bn.
REGNET = record(
    "regnet_y_400mf",
    "regnet.ResBottleneckBlock, BottleneckTransform",
    {"fc": "none", "*.se.fc2": "sigmoid", "*": "relu"},
)

# CNBlock: depthwise, norm, Linear, GELU, Linear, scale, sum.
CONVNEXT = record(
    "convnext_tiny",
    "convnext.CNBlock",
    {
        "features.*.block.3": "gelu",
        "features.*.block.[05]": "none",
        "features.*.layer_scale": OTHER,
        "*": "none",
    },
)

VIT = record(
    "vit_b_16",
    "vision_transformer.EncoderBlock, MLPBlock",
    {"class_token": OTHER, "encoder.pos_embedding": OTHER, "*.mlp.0": "gelu", "*": "none"},
)

SWIN = record(
    "swin_t",
    "swin_transformer.SwinTransformerBlock, PatchMerging",
    {"*.relative_position_bias_table": OTHER, "*.mlp.0": "gelu", "*": "none"},
)

# InvertedResidual: branch1 is depthwise bn, pointwise bn relu; branch2 pointwise bn relu, depthwise bn,
# pointwise bn relu.
SHUFFLENET = record(
    "shufflenet_v2_x1_0",
    "shufflenetv2.InvertedResidual",
    {
        "fc": "none",
        "*.branch1.0": "none",
        "*.branch1.2": "relu",
        "*.branch2.3": "none",
        "*.branch2.[05]": "relu",
        "conv?.0": "relu",
    },
)

SQUEEZENET = record("squeezenet1_0", "squeezenet.Fire, SqueezeNet", {"*": "relu"})

# _InvertedResidual: pointwise bn relu, depthwise bn relu, pointwise bn. MNASNet begins with a separable one.
MNASNET = record(
    "mnasnet1_0",
    "mnasnet._InvertedResidual, MNASNet",
    {
        "classifier.1": "none",
        "layers.6": "none",
        "layers.*.layers.6": "none",
        "layers.*.layers.[03]": "relu",
        "layers.*": "relu",
    },
)

ALEXNET = record("alexnet", "alexnet.AlexNet", {"classifier.6": "none", "*": "relu"})

RECORDS = [
    RESNET,
    DENSENET,
    VGG,
    MOBILENET_V2,
    MOBILENET_V3,
    EFFICIENTNET,
    GOOGLENET,
    INCEPTION_V3,
    REGNET,
    CONVNEXT,
    VIT,
    SWIN,
    SHUFFLENET,
    SQUEEZENET,
    MNASNET,
    ALEXNET,
]
