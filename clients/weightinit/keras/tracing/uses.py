"""Find the axes of a kernel that no known layer has, from the product that uses it.

The letters of a layout: O outputs, I inputs, G groups, D, H, W spatial axes, B stacked kernels.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from weightinit.adapters.flow.graph import Node
from weightinit.keras.layers import Operation, Variable

# The letters of a convolution's spatial axes, by their number.
FIELDS = {1: "W", 2: "HW", 3: "DHW"}
# The letters of a convolution's last axes.
CONVOLUTIONS = {"Conv": "IO", "ConvTranspose": "OI", "DepthwiseConv": "GO"}

# The relative error of a cast to bfloat16.
CAST = 2**-8


def find_letters(product: Node, variable: Variable) -> str:
    """Return the letters of a variable's axes, from the product that uses it; "" if unknown."""
    operation = getattr(product.call, "__self__", None)
    for place, operand in enumerate(product.arguments):
        if isinstance(operand, Node) and operand.tensor is variable:
            others = [one for at, one in enumerate(product.arguments) if at != place]
            letters = spell_operand(operation, place, len(variable.shape), others)
            return letters if {"I", "G"} & set(letters) and "O" in letters else ""
    return ""


def is_transposed(product: Node, variable: Variable) -> bool:
    """Return whether a product sums over the last axis of a matrix.

    A value computed from a variable alone, such as its transpose, is a constant, recognized by its values.
    """
    if id(variable) in product.parameters:
        return product.call is None or find_letters(product, variable) == "OI"
    operation = getattr(product.call, "__self__", None)
    shape = tuple(variable.shape)
    for place, operand in enumerate(product.arguments):
        if not isinstance(operand, Node) or operand.parameters or not is_computed(operand, shape):
            continue
        others = [one for at, one in enumerate(product.arguments) if at != place]
        letters = spell_operand(operation, place, 2, others)
        held, values = (
            np.asarray(keras.ops.convert_to_numpy(one)) for one in (operand.tensor, variable.value)
        )
        for given, table in ((letters, values), (letters[::-1], values.T)):
            if given == "OI" and held.shape == table.shape and np.allclose(held, table, CAST, 0):
                return True
    return False


def is_computed(operand: Node, shape: tuple[int, int]) -> bool:
    """Return whether an operand is a constant of the shape of a matrix or its transpose."""
    return operand.is_constant and operand.tensor is not None and operand.shape in (shape, shape[::-1])


def spell_operand(operation: Operation, place: int, rank: int, others: Sequence[Any]) -> str:
    """Return the letters of an operation's operand at a position; "" if the operation is not known."""
    other = others[0].shape if len(others) == 1 and isinstance(others[0], Node) else None
    match type(operation).__name__:
        case "Matmul" if other is not None and rank >= 2:
            # Axes before the last two are of stacked kernels.
            return "B" * (rank - 2) + ("IO" if place else "OI")
        case "Dot" if other is not None and rank == 2:
            return "IO" if place else "OI"
        case "Einsum":
            return spell_einsum(operation.subscripts, place)
        case "Tensordot":
            return spell_contraction(operation.axes, place, rank)
        case "Conv" | "ConvTranspose" | "DepthwiseConv" as name if place == 1 and rank - 2 in FIELDS:
            return FIELDS[rank - 2] + CONVOLUTIONS[name]
    return ""


def spell_einsum(equation: str, place: int) -> str:
    """Return the letters of an operand of einsum; "" if unknown.

    >>> spell_einsum("ebi,eio->ebo", 1), spell_einsum("oi,...i->...o", 0), spell_einsum("...i,i...->...", 1)
    ('BIO', 'OI', '')
    """
    given, arrow, output = equation.replace(" ", "").partition("->")
    operands = given.split(",")
    own, beside = operands[place], set("".join(operands[:place] + operands[place + 1 :]))
    kinds = {(True, True): "B", (True, False): "O", (False, True): "I"}
    letters = "".join(kinds.get((axis in output, axis in beside), "") for axis in own)
    return letters if arrow and "." not in own and len(set(own)) == len(own) == len(letters) else ""


def spell_contraction(axes: Any, place: int, rank: int) -> str:
    """Return the letters of an operand of tensordot: I for summed axes, O for others.

    >>> spell_contraction(1, 1, 3), spell_contraction([[2], [1]], 1, 2)
    ('IOO', 'OI')
    """
    if isinstance(axes, int):
        summed = set(range(axes) if place else range(rank - axes, rank))
    else:
        own = axes[place]
        summed = {axis % rank for axis in ([own] if isinstance(own, int) else own)}
    return "".join("I" if axis in summed else "O" for axis in range(rank))


def find_axis(product: Node) -> int:
    """Return the axis of a product's result along which the outputs of its kernel lie."""
    operation: Operation = getattr(product.call, "__self__", None)
    operands = [one for one in product.arguments if isinstance(one, Node)]
    place = next((at for at, one in enumerate(operands) if one.is_constant and one.parameters), 1)
    match type(operation).__name__:
        case "Matmul" | "Dot" if not place:
            return -2
        case "Tensordot" if not place:
            return 0
        case "Einsum":
            letters = spell_einsum(operation.subscripts, place)
            given, _, output = operation.subscripts.replace(" ", "").partition("->")
            own = (axis for axis, kind in zip(given.split(",")[place], letters, strict=False) if kind == "O")
            return max((output.index(axis) for axis in own), default=len(output) - 1) - len(output)
        case "Conv" | "ConvTranspose" | "DepthwiseConv" if operation.data_format == "channels_first":
            return 1
    return -1
