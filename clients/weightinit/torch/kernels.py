"""Kernels: how a parameter that is some kind of kernel starts, given its module and its shape.

Fans are those of one unit: what it sums, and what its input feeds. docs/pytorch.md has them beside those of
torch.nn.init.
"""

import math
from collections.abc import Callable

from torch import nn

from weightinit.torch.starts import Block, Constant, Draw, split_rows

Shape = tuple[int, ...]
Describe = Callable[[nn.Module, Shape], list[Block]]


def constant(value: float, reason: str) -> Describe:
    """Describe a parameter that starts at one value."""
    return lambda _module, _shape: [Block(Constant(value), reason)]


def kernel(layout: str) -> Describe:
    """Describe a kernel with that layout."""
    return lambda _module, _shape: [Block(Draw({"layout": layout}))]


def convolution(layout: str) -> Describe:
    """Describe the kernel of a convolution: (out, in / groups, *field)."""
    return lambda module, _shape: [Block(Draw({"layout": layout, "groups": count_groups(module)}))]


def transposed(layout: str) -> Describe:
    """Describe the kernel of a transposed convolution: (in, out / groups, *field).

    The I axis packs the groups here, and a unit sums the inputs of its own group.
    """

    def describe(module: nn.Module, shape: Shape) -> list[Block]:
        inputs, outputs, *field = shape
        size = math.prod(field)
        fan_in = inputs // count_groups(module) * size
        return [Block(Draw({"layout": layout, "fan_in": fan_in, "fan_out": outputs * size}))]

    return describe


def lookup(module: nn.Module, _shape: Shape) -> list[Block]:
    """Describe the table of an embedding, and the row that stands for padding."""
    reason = "A lookup reads one row, so fan_in is 1 and σ is 1, as torch.nn.Embedding has it."
    table = Block(Draw({"layout": "IO", "fan_in": 1, "scheme": "lecun", "activation": None}), reason)
    padding = read_integer(module, "padding_idx")
    if padding is None:
        return [table]
    row = slice(padding, padding + 1)
    zero = Block(Constant(0.0), "The row of padding_idx is zero.", f"[{padding}]", row)
    return [table, zero]


def packed(*names: str) -> Describe:
    """Describe projections of one size that are packed along axis 0, each a kernel of its own."""
    start = Draw({"layout": "OI", "activation": None})
    reason = "Attention projects without an activation; the parameter packs several projections."

    def describe(_module: nn.Module, shape: Shape) -> list[Block]:
        rows = dict.fromkeys(names, shape[0] // len(names))
        return split_rows(rows, dict.fromkeys(names, start), dict.fromkeys(names, reason))

    return describe


def gated(**activations: str) -> Describe:
    """Describe the gates of a recurrent layer, packed along axis 0, each with the activation it ends in."""
    starts = {gate: Draw({"layout": "OI", "activation": said}) for gate, said in activations.items()}
    reasons = {gate: f"Gate {gate} ends in {said}." for gate, said in activations.items()}

    def describe(_module: nn.Module, shape: Shape) -> list[Block]:
        return split_rows(dict.fromkeys(activations, shape[0] // len(activations)), starts, reasons)

    return describe


def recurrent(module: nn.Module, _shape: Shape) -> list[Block]:
    """Describe a kernel of a plain recurrent layer, which names its activation."""
    said = str(module.nonlinearity)
    return [Block(Draw({"layout": "OI", "activation": said}), f"Its nonlinearity is {said}.")]


def extra_position(_module: nn.Module, shape: Shape) -> list[Block]:
    """Describe the key or the value that attention adds to every sequence: (1, 1, size)."""
    size = shape[-1]
    start = Draw({"layout": "BBO", "fan_in": size, "fan_out": size, "scheme": "glorot_normal"})
    return [Block(start, "As torch.nn.MultiheadAttention has it.")]


def learned_slope(module: nn.Module, _shape: Shape) -> list[Block]:
    """Describe the slope of a PReLU."""
    return [Block(Constant(float(str(module.init))), "The slope that its module was made with.")]


def read_integer(module: nn.Module, attribute: str) -> int | None:
    """Read an integer that a module keeps as an attribute."""
    value: int | None = getattr(module, attribute)
    return value


def count_groups(module: nn.Module) -> int:
    """Count the groups of a convolution."""
    return read_integer(module, "groups") or 1
