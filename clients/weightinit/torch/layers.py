"""How the parameters of PyTorch's own layers are initialized: a table by module type and attribute.

Each row maps a pattern of attribute names to a function that returns the blocks of such a parameter.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache

from torch import nn

from weightinit.adapters.actions import TIED, Block, Constant, Draw, draw_head, split_axis

Shape = tuple[int, ...]
Describe = Callable[[nn.Module, Shape], list[Block]]


def constant(value: float, reason: str) -> Describe:
    """Return a function that describes a constant parameter."""
    return lambda _module, _shape: [Block(Constant(value), reason)]


def kernel(layout: str) -> Describe:
    """Return a function that describes a kernel with that layout."""
    return lambda _module, _shape: [Block(Draw({"layout": layout}))]


def projection(reason: str) -> Describe:
    """Return a function that describes a dense kernel that no activation follows, with the reason."""
    return lambda _module, _shape: [Block(Draw({"layout": "OI", "activation": None}), reason)]


def convolution(layout: str) -> Describe:
    """Return a function that describes the kernel of a convolution: (out, in / groups, *spatial)."""
    return lambda module, _shape: [Block(Draw({"layout": layout, "groups": count_groups(module)}))]


def transposed(layout: str) -> Describe:
    """Return a function that describes a transposed convolution's kernel: (in, out / groups, *spatial).

    The I axis contains all groups here, but a unit sums only the inputs of its own group.
    """

    def describe(module: nn.Module, shape: Shape) -> list[Block]:
        inputs, outputs, *field = shape
        size = math.prod(field)
        fan_in = inputs // count_groups(module) * size
        return [Block(Draw({"layout": layout, "fan_in": fan_in, "fan_out": outputs * size}))]

    return describe


def lookup(module: nn.Module, _shape: Shape) -> list[Block]:
    """Describe the table of an embedding and its padding row."""
    reason = "A lookup reads one row, so fan_in is 1 and σ is 1, as in torch.nn.Embedding."
    table = Block(Draw({"layout": "IO", "fan_in": 1, "scheme": "lecun", "activation": None}), reason)
    padding = read_integer(module, "padding_idx")
    if padding is None:
        return [table]
    row = slice(padding, padding + 1)
    zero = Block(Constant(0.0), "The row of padding_idx is zero.", f"[{padding}]", row)
    return [table, zero]


def packed(*names: str) -> Describe:
    """Return a function that describes projections of equal size, packed along axis 0."""
    action = Draw({"layout": "OI", "activation": None})
    reason = "Attention projects without an activation; the parameter packs several projections."

    def describe(_module: nn.Module, shape: Shape) -> list[Block]:
        rows = dict.fromkeys(names, shape[0] // len(names))
        return split_axis(rows, dict.fromkeys(names, action), dict.fromkeys(names, reason))

    return describe


def gated(**activations: str) -> Describe:
    """Return a function that describes gates packed along axis 0, each with its activation."""
    actions = {
        gate: Draw({"layout": "OI", "activation": activation}) for gate, activation in activations.items()
    }
    reasons = {gate: f"Gate {gate} ends in {activation}." for gate, activation in activations.items()}

    def describe(_module: nn.Module, shape: Shape) -> list[Block]:
        return split_axis(dict.fromkeys(activations, shape[0] // len(activations)), actions, reasons)

    return describe


def recurrent(module: nn.Module, _shape: Shape) -> list[Block]:
    """Describe a kernel of a plain recurrent layer by its `nonlinearity`."""
    activation = str(module.nonlinearity)
    return [Block(Draw({"layout": "OI", "activation": activation}), f"Its nonlinearity is {activation}.")]


def extra_position(_module: nn.Module, shape: Shape) -> list[Block]:
    """Describe the key or value that attention appends to every sequence: (1, 1, size)."""
    size = shape[-1]
    action = Draw({"layout": "BBO", "fan_in": size, "fan_out": size, "scheme": "glorot_normal"})
    return [Block(action, "As in torch.nn.MultiheadAttention.")]


def learned_slope(module: nn.Module, _shape: Shape) -> list[Block]:
    """Describe the slope of a PReLU."""
    return [Block(Constant(float(str(module.init))), "The slope that its module was made with.")]


def read_integer(module: nn.Module, attribute: str) -> int | None:
    """Return an integer attribute of a module."""
    value: int | None = getattr(module, attribute)
    return value


def count_groups(module: nn.Module) -> int:
    """Return the number of groups of a convolution."""
    return read_integer(module, "groups") or 1


ZERO = constant(0.0, "Biases are initialized to zero.")
CENTER = constant(0.0, "A norm's shift is initialized to zero.")
SCALE = constant(1.0, "A norm's scale is initialized to one.")

NORM = {"weight": SCALE, "bias": CENTER}
LOOKUP: dict[str, Describe] = {"weight": lookup}
DENSE = {"weight": kernel("OI"), "bias": ZERO}
PLAIN_GATES = {"weight_[ih]h*": recurrent, "bias*": ZERO}
# Hochreiter's gates, in PyTorch's order. The projection (weight_hr) makes the hidden state that the gates
# read.
LSTM_GATES = {
    "weight_[ih]h*": gated(i="sigmoid", f="sigmoid", g="tanh", o="sigmoid"),
    "weight_hr*": projection("It projects the hidden state, which the gates read as it is."),
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
        "[qkv]_proj_weight": projection("Attention projects without an activation."),
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

# Layers of other packages, by name, so that they need not be imported.
OTHERS: dict[str, dict[str, Describe]] = {
    "transformers.pytorch_utils.Conv1D": {"weight": kernel("IO"), "bias": ZERO},
}

# Kernels inside PyTorch's own composite layers, by type and parameter name: the activation that follows.
ADAPTIVE = {"head.weight": "log_softmax", "tail.*.0.weight": None, "tail.*.1.weight": "log_softmax"}
INNER: dict[type[nn.Module], dict[str, str | None]] = {nn.AdaptiveLogSoftmaxWithLoss: ADAPTIVE}

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


def describe_parameter(module: nn.Module, attribute: str, shape: Shape) -> list[Block]:
    """Describe how a parameter is initialized, by its module's type or nearest base; [] if unknown.

    >>> describe_parameter(nn.Conv2d(8, 4, 3, groups=2), "weight", (4, 4, 3, 3))[0].action.layer
    {'layout': 'OIHW', 'groups': 2}
    """
    for pattern, describe in find_rows(module).items():
        if fnmatchcase(attribute, pattern):
            blocks = describe(module, shape)
            return blocks if all(block.fits(shape) for block in blocks) else []
    return []


def describe_tied(owners: Sequence[tuple[nn.Module, str]], shape: Shape) -> list[Block]:
    """Describe a table that is also the kernel of a dense layer, in any order of owners; [] for others.

    It is initialized as the kernel: initialized as a table it would make logits √d times too large.
    """
    if len(owners) == 1:
        return []
    kinds = {find_kind(module) for module, name in owners if name == "weight"}
    tables = find_tables(owners)
    if not tables or nn.Linear not in kinds:
        return []
    return describe_head(tables[0], shape)


def find_tables(owners: Sequence[tuple[nn.Module, str]]) -> list[nn.Module]:
    """Return the embeddings among the modules that own a tensor."""
    return [module for module, _ in owners if find_kind(module) in {nn.Embedding, nn.EmbeddingBag}]


def describe_head(table: nn.Module, shape: Shape) -> list[Block]:
    """Describe an embedding's table that is also an output layer's kernel; the padding row stays zero."""
    rows, width = shape
    head = draw_head(rows, width)
    return [
        replace(block, action=head, reason=TIED) if isinstance(block.action, Draw) else block
        for block in lookup(table, shape)
    ]


def find_inner(root: nn.Module) -> dict[int, list[Block]]:
    """Return how kernels inside PyTorch's own composite layers are initialized, by id of the kernel."""
    return {
        id(parameter): [Block(Draw({"layout": "OI", "activation": activation}), f"As in {kind.__name__}.")]
        for module in root.modules()
        for kind, rows in INNER.items()
        if isinstance(module, kind)
        for pattern, activation in rows.items()
        for name, parameter in module.named_parameters()
        if fnmatchcase(name, pattern)
    }


def find_kind(module: nn.Module) -> type | None:
    """Return the most derived class of a module that is in LAYERS; None if there is none."""
    return next((kind for kind in type(module).__mro__ if kind in LAYERS), None)


def find_rows(module: nn.Module) -> dict[str, Describe]:
    """Return the table row of a module's most derived class that has one; {} if there is none."""
    kinds = type(module).__mro__
    for kind, name in zip(kinds, spell(kinds), strict=True):
        if kind in LAYERS:
            return LAYERS[kind]
        if name in OTHERS:
            return OTHERS[name]
    return {}


@lru_cache(maxsize=256)
def spell(kinds: tuple[type, ...]) -> list[str]:
    """Return the qualified names of classes."""
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in kinds]


def is_known(module: nn.Module) -> bool:
    """Return whether a module's type is in the table."""
    return find_kind(module) is not None
