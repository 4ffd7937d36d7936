"""Kernels in the axis orders of the frameworks, and what the service and the frameworks count for them."""

from typing import NamedTuple

from service.core import LayerSpec
from service.core.layer.fans import count_as
from service.core.layer.parameters import derive_fans


class Kernel(NamedTuple):
    """A kernel: the shape that the framework initializes, and the service's spec of the same elements.

    `why` says why the fans differ, if they do.
    """

    layer: str
    framework: str
    shape: tuple[int, ...]
    spec: dict
    why: str = ""

    @property
    def whole(self):
        """The spec, with its shape."""
        return {"shape": list(self.shape)} | self.spec


GROUPS = "An input feeds the units of its own group only."
DEPTHWISE = "Each output sums one channel, and each input feeds its own outputs."
SWAPPED = "The axes of inputs and outputs are exchanged, and the framework counts by position."
STRIDE = "With a stride of 2 × 2 an input meets a quarter of the kernel's positions, on average."
HEADS = "Heads and their size are both outputs, or both inputs; the framework takes one of them for space."
LOOKUP = "A lookup reads one row: fan_in is 1."
EXPERTS = "Each expert is a kernel of its own; the framework takes their axis for space, PyTorch for outputs."
GATES = (
    "Each gate is a kernel here. The framework counts the outputs of all: right if each gets a gradient "
    "of N(0, 1)."
)

KERNELS = (
    Kernel("dense", "torch", (300, 784), {"layout": "OI"}),
    Kernel("dense", "keras", (784, 300), {"layout": "IO"}),
    Kernel("dense", "jax", (784, 300), {"layout": "IO"}),
    Kernel("convolution", "torch", (64, 32, 3, 3), {"layout": "OIHW"}),
    Kernel("convolution", "keras", (3, 3, 32, 64), {"layout": "HWIO"}),
    Kernel("convolution", "jax", (3, 3, 32, 64), {"layout": "HWIO"}),
    Kernel("convolution, 4 groups", "torch", (64, 16, 3, 3), {"layout": "OIHW", "groups": 4}, GROUPS),
    Kernel("convolution, 4 groups", "keras", (3, 3, 16, 64), {"layout": "HWIO", "groups": 4}, GROUPS),
    Kernel("convolution, 4 groups", "jax", (3, 3, 16, 64), {"layout": "HWIO", "groups": 4}, GROUPS),
    Kernel("depthwise convolution", "torch", (64, 1, 3, 3), {"layout": "OIHW", "groups": 64}, DEPTHWISE),
    Kernel("depthwise convolution", "keras", (3, 3, 64, 1), {"layout": "HWGO"}, DEPTHWISE),
    Kernel("depthwise convolution", "jax", (3, 3, 1, 64), {"layout": "HWIO", "groups": 64}, DEPTHWISE),
    Kernel("convolution, stride 2", "torch", (64, 32, 3, 3), {"layout": "OIHW", "stride": [2]}, STRIDE),
    Kernel("convolution, stride 2", "keras", (3, 3, 32, 64), {"layout": "HWIO", "stride": [2]}, STRIDE),
    Kernel("convolution, stride 2", "jax", (3, 3, 32, 64), {"layout": "HWIO", "stride": [2]}, STRIDE),
    Kernel(
        "transposed convolution", "torch", (32, 64, 3, 3), {"layout": "IOHW", "transposed": True}, SWAPPED
    ),
    Kernel(
        "transposed convolution", "keras", (3, 3, 64, 32), {"layout": "HWOI", "transposed": True}, SWAPPED
    ),
    Kernel("transposed convolution", "jax", (3, 3, 32, 64), {"layout": "HWIO", "transposed": True}),
    Kernel(
        "transposed convolution, stride 2",
        "torch",
        (32, 64, 4, 4),
        {"layout": "IOHW", "transposed": True, "stride": [2]},
        f"{SWAPPED} The stride counts too.",
    ),
    Kernel(
        "transposed convolution, stride 2",
        "keras",
        (4, 4, 64, 32),
        {"layout": "HWOI", "transposed": True, "stride": [2]},
        f"{SWAPPED} The stride counts too.",
    ),
    Kernel(
        "transposed convolution, stride 2",
        "jax",
        (4, 4, 32, 64),
        {"layout": "HWIO", "transposed": True, "stride": [2]},
        "With a stride of 2 × 2 an output sums a quarter of the kernel's positions, on average.",
    ),
    Kernel("embedding", "torch", (1000, 64), {"layout": "IO", "fan_in": 1}, LOOKUP),
    Kernel("embedding", "keras", (1000, 64), {"layout": "IO", "fan_in": 1}, LOOKUP),
    Kernel("embedding", "jax", (1000, 64), {"layout": "IO", "fan_in": 1}, LOOKUP),
    Kernel("attention, into heads", "torch", (8, 16, 128), {"layout": "OOI"}, HEADS),
    Kernel("attention, into heads", "keras", (128, 8, 16), {"layout": "IOO"}, HEADS),
    Kernel("attention, into heads", "jax", (128, 8, 16), {"layout": "IOO"}, HEADS),
    Kernel("attention, out of heads", "torch", (128, 8, 16), {"layout": "OII"}, HEADS),
    Kernel("attention, out of heads", "keras", (8, 16, 128), {"layout": "IIO"}, HEADS),
    Kernel("attention, out of heads", "jax", (8, 16, 128), {"layout": "IIO"}, HEADS),
    Kernel("gates of an LSTM", "torch", (512, 128), {"shape": [4, 128, 128], "layout": "GOI"}, GATES),
    Kernel("gates of an LSTM", "keras", (128, 512), {"shape": [128, 4, 128], "layout": "IGO"}, GATES),
    Kernel("gates of an LSTM", "jax", (128, 512), {"shape": [128, 4, 128], "layout": "IGO"}, GATES),
    Kernel("experts", "torch", (8, 512, 128), {"layout": "BOI"}, EXPERTS),
    Kernel("experts", "keras", (8, 128, 512), {"layout": "BIO"}, EXPERTS),
    Kernel("experts", "jax", (8, 128, 512), {"layout": "BIO"}, EXPERTS),
)


def count_as_framework(kernel):
    """Return the spec of a kernel whose fans are counted as its framework does."""
    layout = kernel.spec["layout"]
    if len(layout) != len(kernel.shape):  # gates, which the framework has on one axis
        layout = "OI" if kernel.framework == "torch" else "IO"
    return {"shape": list(kernel.shape), "layout": layout, "fans_as": kernel.framework}


def count_fans(kernel):
    """Return the fans of a kernel here, and those that its framework counts."""
    return derive_fans(LayerSpec.parse(kernel.whole))[1], count_as(kernel.framework, kernel.shape)
