"""Uses: the axes of a kernel that no known layer has, by the product that applies it."""

from collections.abc import Sequence
from typing import Any

import torch

from weightinit.adapters.flow.graph import Node, find_nodes, fold, substitute

# The letters of a kernel's last axes, by the product and the place of the kernel among its operands; axes
# before these are of stacked kernels.
PRODUCTS: dict[str, dict[int, str]] = {
    "addbmm": {1: "OI", 2: "IO"},
    "addmm": {1: "OI", 2: "IO"},
    "baddbmm": {1: "OI", 2: "IO"},
    "bmm": {0: "OI", 1: "IO"},
    "groupedmm": {1: "IO"},
    "linear": {1: "OI"},
    "linalgmatmul": {0: "OI", 1: "IO"},
    "matmul": {0: "OI", 1: "IO"},
    "mm": {0: "OI", 1: "IO"},
    "rmatmul": {0: "IO"},
}


def find_letters(product: Node, parameter: torch.Tensor) -> str:
    """Find the letters of a parameter's axes, by the product that applies it: "" where they are not known."""
    name = fold(getattr(product.call, "__name__", ""))
    for place, operand in enumerate(find_operands(name, product)):
        if isinstance(operand, Node) and operand.is_constant and id(parameter) in operand.parameters:
            axes = view_axes(operand, parameter)
            letters = spell_operand(name, product, place, len(axes)) if axes is not None else ""
            return trace_back(axes, letters, parameter.ndim) if axes is not None and letters else ""
    return ""


def find_operands(name: str, product: Node) -> list[Any]:
    """Find the operands of a product: those of einsum come after its equation."""
    if name == "einsum":
        return find_nodes(product.arguments[1:])
    named = [product.keywords[word] for word in ("weight",) if word in product.keywords]
    return [*product.arguments, *named] if len(product.arguments) > 1 else [None, *named]


def spell_operand(name: str, product: Node, place: int, rank: int) -> str:
    """Spell the letters of an operand's axes."""
    if name == "einsum":
        return spell_einsum(product.arguments[0], place)
    letters = PRODUCTS.get(name, {}).get(place, "")
    return "B" * (rank - len(letters)) + letters if letters and rank >= len(letters) else ""


def spell_einsum(equation: object, place: int) -> str:
    """Spell the letters of an operand of einsum.

    >>> spell_einsum("ebi,eio->ebo", 1), spell_einsum("oi,...i->...o", 0)
    ('BIO', 'OI')
    """
    if not isinstance(equation, str) or "->" not in equation:
        return ""
    operands, _, output = equation.replace(" ", "").partition("->")
    own, *others = [
        operands.split(",")[place],
        *(one for at, one in enumerate(operands.split(",")) if at != place),
    ]
    if "." in own:
        return ""
    beside = set("".join(others))
    kinds = {
        (True, True): "B",  # in the output and beside it, or alone in both
        (True, False): "O",
        (False, True): "I",
    }
    letters = "".join(kinds.get((axis in output, axis in beside), "") for axis in own)
    return letters if len(letters) == len(own) else ""


def view_axes(operand: Node, parameter: torch.Tensor) -> list[int] | None:
    """Find the axis of a parameter that lies along each axis of a view of it; None where it is no view.

    A stand-in without memory is viewed: its strides say which of its axes each axis of the view came from.
    """
    whole = torch.empty(tuple(parameter.shape), device="meta")

    def get(node: Node) -> Any:  # noqa: ANN401 - a tensor
        if node.tensor is not None and node.parameters:
            return whole
        if node.tensor is not None or node.call is None:
            raise TypeError("it takes another tensor")
        return node.call(*substitute(node.arguments, get), **substitute(node.keywords, get))

    try:
        view = get(operand)
        is_view = view.untyped_storage()._cdata == whole.untyped_storage()._cdata  # noqa: SLF001 - no public way
    except Exception:  # noqa: BLE001 - any operation of PyTorch, on stand-ins
        return None
    if not is_view or view.numel() != whole.numel():
        return None
    spans = [(stride, stride * size) for size, stride in zip(whole.shape, whole.stride(), strict=True)]
    return [
        next((axis for axis, (low, high) in enumerate(spans) if low <= stride < high), -1) if size > 1 else -1
        for size, stride in zip(view.shape, view.stride(), strict=True)
    ]


def trace_back(axes: Sequence[int], letters: str, rank: int) -> str:
    """Give each axis of a parameter the letter of the axes of the view that came from it; "" if they differ.

    >>> trace_back([1, 0], "IO", 2), trace_back([0, 0, 1], "BIO", 2)
    ('OI', '')
    """
    found: list[set[str]] = [set() for _ in range(rank)]
    for axis, letter in zip(axes, letters, strict=True):
        if axis >= 0:
            found[axis].add(letter)
    if any(len(one) > 1 for one in found):
        return ""
    spelled = "".join(next(iter(one), "B") for one in found)
    return spelled if "I" in spelled and "O" in spelled else ""
