"""An architecture has the same plan in every library and framework."""

import keras
import pytest

from tests.clients.architectures.building import build_timm, build_torchvision
from tests.clients.architectures.twins import list_keras, list_torch

# torchvision → timm
TIMM = {
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "wide_resnet50_2": "wide_resnet50_2",
    "resnext50_32x4d": "resnext50_32x4d",
    "densenet121": "densenet121",
    "vgg11": "vgg11",
    "vgg16_bn": "vgg16_bn",
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "mnasnet1_0": "mnasnet_100",
    "efficientnet_b0": "efficientnet_b0",
    "efficientnet_v2_s": "tf_efficientnetv2_s",
    "regnet_y_400mf": "regnety_004",
    "convnext_tiny": "convnext_tiny",
    "vit_b_16": "vit_base_patch16_224",
    "swin_t": "swin_tiny_patch4_window7_224",
    "swin_v2_t": "swinv2_tiny_window8_256",
}
# keras.applications → torchvision
KERAS = {
    "ResNet50": "resnet50",
    "DenseNet121": "densenet121",
    "VGG16": "vgg16",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Large": "mobilenet_v3_large",
    "MobileNetV3Small": "mobilenet_v3_small",
    "EfficientNetB0": "efficientnet_b0",
    "EfficientNetV2S": "efficientnet_v2_s",
    "ConvNeXtTiny": "convnext_tiny",
    "InceptionV3": "inception_v3",
}
# keras.applications → timm
KERAS_TIMM = {
    "ResNet50V2": "resnetv2_50",
    "Xception": "xception",
    "InceptionResNetV2": "inception_resnet_v2",
}
# Their libraries list the layers of a block in another order.
REORDERED = {"regnet_y_400mf", "swin_v2_t", "Xception"}


def make_cases(pairs):
    return [pytest.param(*pair, id="-".join(pair)) for pair in pairs.items()]


def build_keras(name):
    return getattr(keras.applications, name)(weights=None, classifier_activation=None)


def agree(ours, others, *, ordered=True):
    """Tell whether two plans say the same of each kernel; and in the same order, unless not ordered."""
    names = [[name for _, name in found] for found in (ours, others)]
    return sorted(ours) == sorted(others) and (not ordered or names[0] == names[1])


@pytest.mark.parametrize(("name", "twin"), make_cases(TIMM))
def test_torchvision_and_timm_have_one_plan(name, twin):
    ours, others = list_torch(build_torchvision(name)), list_torch(build_timm(twin))
    assert agree(ours, others, ordered=name not in REORDERED)


@pytest.mark.parametrize(("name", "twin"), make_cases(KERAS))
def test_keras_and_torchvision_have_one_plan(name, twin):
    settings = {"aux_logits": False} if twin == "inception_v3" else {}
    found = list_torch(build_torchvision(twin, **settings))
    assert agree(list_keras(build_keras(name)), found)


@pytest.mark.parametrize(("name", "twin"), make_cases(KERAS_TIMM))
def test_keras_and_timm_have_one_plan(name, twin):
    found = list_torch(build_timm(twin))
    assert agree(list_keras(build_keras(name)), found, ordered=name not in REORDERED)


@pytest.mark.parametrize("other", [[(8, "relu"), (4, "none")], [(4, "none"), (8, "silu")], [(4, "none")]])
def test_plans_that_differ_do_not_agree(other):
    assert not agree([(4, "none"), (8, "relu")], other)


def test_the_order_may_be_left_out():
    assert agree([(4, "none"), (8, "relu")], [(8, "relu"), (4, "none")], ordered=False)
