"""The plans of keras.applications agree with the models' papers and source code."""

import os
import re
from collections import Counter

import keras
import pytest
from weightinit.keras.plan import plan_variables

NONE = None


def get_kernels(build):
    """The activation and certainty of each kernel that is not depthwise in a separable one, by layer."""
    tensors = plan_variables(build(weights=None), None, 42)
    return {
        tensor.name.rpartition("/")[0]: (tensor.action.layer["activation"], tensor.certainty)
        for tensor in tensors
        if tensor.name.endswith("kernel") and not tensor.name.endswith("/depthwise_kernel")
    }


def test_all_of_resnet_feeds_rectifiers():
    # He et al. 2015 (Deep Residual Learning), figure 5: a rectifier after each, or after the sum.
    kernels = get_kernels(keras.applications.ResNet50)
    assert kernels.pop("predictions") == ("softmax", "certain")
    assert Counter(kernels.values()) == {("relu", "certain"): 53}


def test_xception_rectifies_before_its_kernels():
    # Chollet 2017, figure 5; in Keras, block 14 reads the sum of block 13 as it is.
    kernels = get_kernels(keras.applications.Xception)
    assert kernels.pop("predictions") == ("softmax", "certain")
    assert [kernels.pop(name) for name in ("block13_sepconv2", "conv2d_3")] == [(NONE, "certain")] * 2
    assert {activation for activation, _ in kernels.values()} == {"relu"}
    # The sums of blocks 2 to 12 go on into the next block's shortcut, too.
    sums = {f"block{number}_sepconv{3 if number > 4 else 2}" for number in range(2, 13)}
    shortcuts = {"conv2d", "conv2d_1", "conv2d_2"}
    assert {name for name, (_, certainty) in kernels.items() if certainty == "guessed"} == sums | shortcuts


def expect(name):
    """What Howard et al. 2019 (MobileNetV3), table 2, says of a layer of the small model."""
    found = re.match(r"expanded_conv_?(\d*)_?(expand|depthwise|project|squeeze_excite_conv)?", name)
    if found is None:
        return {"logits": "softmax"}.get(name, "hard_silu")
    if "squeeze_excite" in name:
        return "hard_sigmoid" if name.endswith("_1") else "relu"
    if found[2] == "project":
        return NONE
    return "relu" if int(found[1] or 0) < 3 else "hard_silu"


def test_mobilenet_has_hard_functions_of_its_own_spelling():
    kernels = get_kernels(keras.applications.MobileNetV3Small)
    assert kernels == {name: (expect(name), "certain") for name in kernels}
    assert len(kernels) == 54


@pytest.mark.skipif("TESTED_SERVICE" in os.environ, reason="one backend shows what all do")
@pytest.mark.parametrize("name", ["DenseNet121", "EfficientNetV2B0", "ConvNeXtTiny", "InceptionV3"])
def test_no_kernel_of_an_application_is_unknown(name):
    kernels = get_kernels(getattr(keras.applications, name))
    assert "unknown" not in {certainty for _, certainty in kernels.values()}
