"""Tables of the kernels of Keras' layers, with the layout of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from keras import layers
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell

from weightinit.adapters.actions import TIED, draw_head
from weightinit.spec.fields import LayerFields

# Keras has no type annotations.
Layer = Any  # a keras.Layer; models are layers
Operation = Any  # a keras.Operation: a layer, or a function of keras.ops in a model's graph
Variable = Any  # a keras.Variable
Tensor = Any  # a tensor of the backend, or a symbolic one
Activation = Any  # a function, a layer or None


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel: the fields of its layer, and the gates packed along its last axis, each a kernel of its own.

    No activation follows one that is not `activated`, for the given `reason`.
    """

    layer: LayerFields = field(default_factory=LayerFields)
    gates: tuple[str, ...] = ()
    activated: bool = True
    reason: str = ""


ORDINARY = Kernel()
TRANSPOSED = {1: Kernel({"layout": "WOI"}), 2: Kernel({"layout": "HWOI"}), 3: Kernel({"layout": "DHWOI"})}
# One kernel for each input channel: (..., channels, multiplier). A unit sums only over the window.
DEPTHWISE = {1: Kernel({"layout": "WGO"}), 2: Kernel({"layout": "HWGO"})}
# The pointwise half follows the depthwise one without an activation.
SEPARABLE = {
    rank: {
        "depthwise_kernel": Kernel(kernel.layer, activated=False, reason="The pointwise kernel follows."),
        "pointwise_kernel": ORDINARY,
    }
    for rank, kernel in DEPTHWISE.items()
}
# Keras initializes tables to U(±0.05), whatever their size. A lookup reads one row, so fan_in is 1.
LOOKUP = Kernel(
    {
        "layout": "IO",
        "fan_in": 1,
        "scheme": "variance_scaling",
        "scale": 0.05**2 / 3,
        "distribution": "uniform",
    },
    activated=False,
    reason="A table.",
)

REVERSE = Kernel({"layout": "IO"}, activated=False, reason="The way back from an embedding to its rows.")


def make_head(rows: int, width: int) -> Kernel:
    """Return the kernel of an embedding's table that is also the output layer's kernel."""
    return Kernel(draw_head(rows, width).layer, activated=False, reason=TIED)


def pack(*gates: str) -> dict[str, Kernel]:
    """Return the kernels of a recurrent cell, which pack gates. Sigmoid or tanh follows: Glorot's case."""
    kernel = Kernel(gates=gates, activated=False)
    return {"kernel": kernel, "recurrent_kernel": kernel}


# Gates by the letters of Hochreiter & Schmidhuber (1997) and Cho et al. (2014), in Keras' order.
LSTM = pack("i", "f", "g", "o")
GRU = pack("z", "r", "n")

KERNELS: dict[type, Mapping[str, Kernel]] = {
    layers.Dense: {"kernel": ORDINARY},
    layers.Conv1D: {"kernel": ORDINARY},
    layers.Conv2D: {"kernel": ORDINARY},
    layers.Conv3D: {"kernel": ORDINARY},
    layers.Conv1DTranspose: {"kernel": TRANSPOSED[1]},
    layers.Conv2DTranspose: {"kernel": TRANSPOSED[2]},
    layers.Conv3DTranspose: {"kernel": TRANSPOSED[3]},
    layers.DepthwiseConv1D: {"kernel": DEPTHWISE[1]},
    layers.DepthwiseConv2D: {"kernel": DEPTHWISE[2]},
    layers.SeparableConv1D: SEPARABLE[1],
    layers.SeparableConv2D: SEPARABLE[2],
    layers.EinsumDense: {"kernel": ORDINARY},
    layers.Embedding: {"embeddings": LOOKUP},
    layers.ReversibleEmbedding: {"embeddings": LOOKUP, "reverse_embeddings": REVERSE},
    layers.SimpleRNNCell: {"kernel": ORDINARY, "recurrent_kernel": ORDINARY},
    layers.LSTMCell: LSTM,
    layers.GRUCell: GRU,
    ConvLSTMCell: LSTM,
}


def find_kernel(layer: Layer, variable: str) -> Kernel | None:
    """Return the kernel that a variable is, by its layer's most derived known class; None for no kernel."""
    adapted = variable.removeprefix("lora_").removesuffix("_a") if find_lora(variable) == "a" else variable
    rows = (KERNELS.get(kind, {}) for kind in type(layer).__mro__)
    found = next((row[adapted] for row in rows if adapted in row), None)
    if found is None:
        return None
    found = replace(found, layer=cast("LayerFields", {**found.layer, **_read_layer(layer)}))
    if adapted != variable:
        return replace(found, gates=(), activated=False, reason="The second factor of LoRA follows.")
    return found


def find_lora(variable: str) -> str:
    """Return which factor of LoRA a variable is: "a", "b" (zero at first, Hu et al. 2022), or "".

    >>> find_lora("lora_kernel_a"), find_lora("lora_embeddings_b"), find_lora("kernel")
    ('a', 'b', '')
    """
    if not variable.startswith("lora_"):
        return ""
    return next((factor for factor in "ab" if variable.endswith(f"_{factor}")), "")


def is_gated_by_forgetting(layer: Layer) -> bool:
    """Return whether the bias of a layer sets its forget gate to one."""
    return isinstance(layer, layers.LSTMCell | ConvLSTMCell) and bool(layer.unit_forget_bias)


def is_known(layer: Layer) -> bool:
    """Return whether a layer's type is in the table."""
    return any(kind in KERNELS for kind in type(layer).__mro__)


def is_cell(layer: Layer) -> bool:
    """Return whether a layer is the cell of a recurrent layer."""
    return hasattr(layer, "state_size") and not isinstance(layer, layers.RNN)


def spell_equation(equation: str) -> str:
    """Return the layout of an einsum layer's kernel: axes not in the output are I, batch axes B, others O.

    >>> spell_equation("abc,cde->abde"), spell_equation("...x,xy->...y"), spell_equation("bnd,ndh->bnh")
    ('IOO', 'IO', 'BIO')
    """
    operands, output = equation.replace(" ", "").split("->")
    inputs, kernel = operands.split(",")
    return "".join("I" if axis not in output else "B" if axis in inputs else "O" for axis in kernel)


def _read_layer(layer: Layer) -> LayerFields:
    if isinstance(layer, layers.EinsumDense):
        return {"layout": spell_equation(layer.equation)}
    groups = getattr(layer, "groups", 1)
    return {"groups": groups} if groups != 1 else {}
