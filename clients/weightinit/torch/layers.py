"""Layers: PyTorch's own modules, one row each: how their parameters start, by attribute."""

from fnmatch import fnmatchcase

from torch import nn

from weightinit.torch.kernels import (
    Describe,
    Shape,
    constant,
    convolution,
    extra_position,
    gated,
    kernel,
    learned_slope,
    lookup,
    packed,
    recurrent,
    transposed,
)
from weightinit.torch.starts import Block

ZERO = constant(0.0, "Biases start at zero.")
CENTER = constant(0.0, "A norm's shift starts at zero.")
SCALE = constant(1.0, "A norm's scale starts at one.")

NORM = {"weight": SCALE, "bias": CENTER}
LOOKUP: dict[str, Describe] = {"weight": lookup}
DENSE = {"weight": kernel("OI"), "bias": ZERO}
PLAIN_GATES = {"weight_[ih]h*": recurrent, "bias*": ZERO}
# A projection (weight_hr) follows the LSTM's gates. Hochreiter's names, in PyTorch's order.
LSTM_GATES = {
    "weight_[ih]h*": gated(i="sigmoid", f="sigmoid", g="tanh", o="sigmoid"),
    "weight_hr*": kernel("OI"),
    "bias*": ZERO,
}
GRU_GATES = {"weight_[ih]h*": gated(r="sigmoid", z="sigmoid", n="tanh"), "bias*": ZERO}

LAYERS: dict[type, dict[str, Describe]] = {
    nn.Linear: DENSE,
    # A unit sums the products of each pair of inputs.
    nn.Bilinear: {"weight": kernel("OII"), "bias": ZERO},
    nn.Conv1d: {"weight": convolution("OIW"), "bias": ZERO},
    nn.Conv2d: {"weight": convolution("OIHW"), "bias": ZERO},
    nn.Conv3d: {"weight": convolution("OIDHW"), "bias": ZERO},
    nn.ConvTranspose1d: {"weight": transposed("IOW"), "bias": ZERO},
    nn.ConvTranspose2d: {"weight": transposed("IOHW"), "bias": ZERO},
    nn.ConvTranspose3d: {"weight": transposed("IODHW"), "bias": ZERO},
    nn.Embedding: LOOKUP,
    nn.EmbeddingBag: LOOKUP,
    nn.MultiheadAttention: {
        "in_proj_weight": packed("q", "k", "v"),
        "[qkv]_proj_weight": kernel("OI"),
        "in_proj_bias": ZERO,
        "bias_[kv]": extra_position,
    },
    nn.RNN: PLAIN_GATES,
    nn.RNNCell: PLAIN_GATES,
    nn.LSTM: LSTM_GATES,
    nn.LSTMCell: LSTM_GATES,
    nn.GRU: GRU_GATES,
    nn.GRUCell: GRU_GATES,
    nn.BatchNorm1d: NORM,
    nn.BatchNorm2d: NORM,
    nn.BatchNorm3d: NORM,
    nn.SyncBatchNorm: NORM,
    nn.InstanceNorm1d: NORM,
    nn.InstanceNorm2d: NORM,
    nn.InstanceNorm3d: NORM,
    nn.LayerNorm: NORM,
    nn.GroupNorm: NORM,
    nn.RMSNorm: NORM,
    nn.PReLU: {"weight": learned_slope},
}

# Norms that keep running statistics in buffers.
RUNNING = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)

# What a leaf of the traced graph computes last, where that is a layer inside it.
LAST_LAYERS: dict[type, str] = {nn.MultiheadAttention: "out_proj"}
# Modules that fx cannot trace: their layers, and the attributes that keep the activations that follow.
FEED_FORWARD: dict[type, dict[str, str | None]] = {
    nn.TransformerEncoderLayer: {"self_attn.out_proj": None, "linear1": "activation", "linear2": None},
    nn.TransformerDecoderLayer: {
        "self_attn.out_proj": None,
        "multihead_attn.out_proj": None,
        "linear1": "activation",
        "linear2": None,
    },
}


def describe_parameter(module: nn.Module, attribute: str, shape: Shape) -> list[Block]:
    """Describe how a parameter starts, by its module's type or the nearest base; [] where nothing is known.

    >>> describe_parameter(nn.Conv2d(8, 4, 3, groups=2), "weight", (4, 4, 3, 3))[0].start.layer
    {'layout': 'OIHW', 'groups': 2}
    """
    kind = find_kind(module)
    for pattern, describe in LAYERS[kind].items() if kind else ():
        if fnmatchcase(attribute, pattern):
            blocks = describe(module, shape)
            return blocks if all(block.fits(shape) for block in blocks) else []
    return []


def find_kind(module: nn.Module) -> type | None:
    """Find the type with a row that a module is of, or the nearest base; None where there is none."""
    return next((kind for kind in type(module).__mro__ if kind in LAYERS), None)


def is_known(module: nn.Module) -> bool:
    """Tell whether a module's type has a row."""
    return find_kind(module) is not None
