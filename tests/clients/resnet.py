"""ResNet-50 (He et al. 2015) in PyTorch and in Keras, with the strides of torchvision."""

import re

import keras
import torch
from keras import layers
from torch import nn

# Width and number of the blocks of each stage, and the stride of its first.
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
EPSILON = 1e-5

# Keras' names of what a layer holds, and PyTorch's.
VARIABLES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


class Bottleneck(nn.Module):
    """A block of three convolutions, with one more on the shortcut if the shape changes."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + self.downsample(x))


class ResNet50(nn.Module):
    """The network, with torchvision's parameter names."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        inputs = 64
        for number, (width, depth, stride) in enumerate(STAGES, 1):
            blocks = [
                Bottleneck(inputs if index == 0 else 4 * width, width, stride if index == 0 else 1)
                for index in range(depth)
            ]
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
            inputs = 4 * width
        self.fc = nn.Linear(inputs, 1000)

    def forward(self, x):
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def convolve(x, filters, size, stride, name, norm):
    """Apply a convolution and a norm, with PyTorch's symmetric padding."""
    x = layers.ZeroPadding2D(size // 2)(x) if size > 1 else x
    x = layers.Conv2D(filters, size, stride, use_bias=False, name=name)(x)
    return layers.BatchNormalization(epsilon=EPSILON, name=norm)(x)


def add_block(x, width, stride, name):
    """A block of three convolutions in Keras."""
    out = layers.ReLU()(convolve(x, width, 1, 1, f"{name}_conv1", f"{name}_bn1"))
    out = layers.ReLU()(convolve(out, width, 3, stride, f"{name}_conv2", f"{name}_bn2"))
    out = convolve(out, 4 * width, 1, 1, f"{name}_conv3", f"{name}_bn3")
    if stride != 1 or x.shape[-1] != 4 * width:
        x = convolve(x, 4 * width, 1, stride, f"{name}_downsample_0", f"{name}_downsample_1")
    return layers.ReLU()(layers.Add()([out, x]))


def build_in_keras():
    """The network in Keras, channels last."""
    inputs = keras.Input((64, 64, 3))
    x = layers.ReLU()(convolve(inputs, 64, 7, 2, "conv1", "bn1"))
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    for number, (width, depth, stride) in enumerate(STAGES, 1):
        for index in range(depth):
            x = add_block(x, width, stride if index == 0 else 1, f"layer{number}_{index}")
    return keras.Model(inputs, layers.Dense(1000, name="fc")(layers.GlobalAveragePooling2D()(x)))


def name_as_torch(path):
    """Return PyTorch's name for a Keras variable."""
    layer, variable = path.split("/")
    layer = re.sub(r"_(?=[0-9])|(?<=[0-9])_", ".", layer)
    return f"{layer}.{VARIABLES[variable]}"
