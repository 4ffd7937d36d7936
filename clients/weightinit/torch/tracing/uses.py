"""Find the axes and fans of a kernel from the product that uses it.

The letters of a layout: O outputs, I inputs, D, H, W spatial axes, B stacked kernels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from weightinit.adapters.flow.graph import BLENDING, Node, Role, find_nodes, fold
from weightinit.torch.tracing.operands import Operand, read_operand
from weightinit.torch.tracing.operations import ROLES

# The layout of a kernel's last axes, by product and position of the kernel among its operands; axes before
# these are of stacked kernels.
PRODUCTS: dict[str, dict[int, str]] = {
    "addbmm": {1: "OI", 2: "IO"},
    "addmm": {1: "OI", 2: "IO"},
    "addmv": {1: "OI"},
    "baddbmm": {1: "OI", 2: "IO"},
    "bilinear": {2: "OII"},
    "bmm": {0: "OI", 1: "IO"},
    "groupedmm": {1: "IO"},
    "linear": {1: "OI"},
    "linalgmatmul": {0: "OI", 1: "IO"},
    "matmul": {0: "OI", 1: "IO"},
    "mm": {0: "OI", 1: "IO"},
    "mv": {0: "OI"},
    "rmatmul": {0: "IO"},
}
CONVOLUTIONS: dict[str, dict[int, str]] = {
    "conv1d": {1: "OIW"},
    "conv2d": {1: "OIHW"},
    "conv3d": {1: "OIDHW"},
    "convtranspose1d": {1: "IOW"},
    "convtranspose2d": {1: "IOHW"},
    "convtranspose3d": {1: "IODHW"},
}
# Products whose axes are given by an argument: the equation of einsum, the axes of tensordot.
DESCRIBED = frozenset(["einsum", "tensordot"])
MATRIX_PRODUCTS = frozenset([*PRODUCTS, *DESCRIBED]) - {"bilinear"}
GROUPS = 6  # the position of `groups` among the arguments of convolutions

# Methods that change a tensor in place, in addition to those whose names end in "_".
ASSIGNMENTS = frozenset(["__iadd__", "__idiv__", "__imul__", "__isub__", "__itruediv__", "__setitem__"])

MIXED = "Its axes are mixed before its product: its fans are those of the operand there."
PARTIAL = "Its product applies a part of it: its fans are those of that part."
JOINED = "Its product applies it beside others: its fans are those of all."
FACTORS = "It is multiplied by another parameter: either may be the kernel."


@dataclass(frozen=True, slots=True)
class Use:
    """How a product uses a parameter: the letters of its axes, "" if unknown, and its fans.

    `doubt` is a reason why these are a guess; `note` is a remark that does not make them one.
    """

    letters: str
    fans: tuple[int, int]
    groups: int = 1
    doubt: str = ""
    note: str = ""
    is_whole: bool = True


def find_use(product: Node, parameter: torch.Tensor) -> Use | None:
    """Return how a product uses a parameter; None if unknown."""
    name = fold(getattr(product.call, "__name__", ""))
    operands = find_operands(name, product)
    for place, node in enumerate(operands):
        if isinstance(node, Node) and node.is_constant and id(parameter) in node.parameters:
            operand = read_operand(node, parameter)
            letters = spell_operand(name, product, place, len(operand.shape)) if operand else ""
            if operand is None or len(letters) != len(operand.shape) or not {"I", "O"} <= set(letters):
                return None
            groups = read_groups(product) if name in CONVOLUTIONS else 1
            made = make_use(operand, letters, tuple(parameter.shape), groups)
            is_kernel = name in CONVOLUTIONS or name in {"linear", "bilinear"}
            return made if is_kernel or has_signal(operands, node) else replace(made, doubt=FACTORS)
    return None


def find_makers(product: Node) -> list[Node]:
    """Return the products from which the kernel of another product is computed."""
    name = fold(getattr(product.call, "__name__", ""))
    if name != "linear" and name not in CONVOLUTIONS:
        return []
    given = (*find_operands(name, product), None, None)[1]
    pending = [given] if isinstance(given, Node) and not given.is_constant else []
    makers, seen = [], set(pending)
    while pending:
        node = pending.pop()
        if node.role is Role.PRODUCT:
            makers.append(node)
            continue
        fresh = [source for source in node.inputs if source not in seen]
        seen.update(fresh)
        pending += fresh
    return makers


def find_rewritten(node: Node) -> frozenset[Any]:
    """Return the parameters that a node changes in place, or whose new values are not used."""
    if not node.is_constant or not node.call or not node.arguments:
        return frozenset()
    source = node.arguments[0]
    name = getattr(node.call, "__name__", "")
    if name not in ASSIGNMENTS and (name.startswith("__") or not name.endswith("_")):
        is_lost = ROLES.get(fold(name)) in BLENDING and not node.users
        return node.parameters if is_lost else frozenset()
    while isinstance(source, Node) and source.tensor is None and source.arguments:
        if ROLES.get(fold(getattr(source.call, "__name__", ""))) not in {Role.MOVE, Role.SPLIT}:
            return frozenset()  # a new tensor, not a view
        source = source.arguments[0]
    return source.parameters if isinstance(source, Node) else frozenset()


def has_signal(operands: Sequence[Any], kernel: Node) -> bool:
    """Return whether a product multiplies a kernel by anything but parameters."""
    others = [one for one in operands if isinstance(one, Node) and one is not kernel]
    return any(not one.is_constant or not one.parameters for one in others)


def make_use(operand: Operand, letters: str, shape: tuple[int, ...], groups: int) -> Use:
    """Return the use of an operand whose axes have these letters, given the parameter's shape.

    If the letters of the parameter's own axes are unknown, or give other fans, the operand's fans are used.
    """
    fans = count_fans(letters, operand.shape, groups)
    own = trace_back(operand.axes, letters, len(shape)) if operand.axes is not None else ""
    doubt, note = (operand.change, "") if operand.is_scaled else ("", operand.change)
    if not own:
        rest = "B" * (len(shape) - 2)
        return Use(f"{rest}OI", fans, doubt=join(MIXED, doubt), note=note, is_whole=False)
    if count_fans(own, shape, groups)[0] != fans[0] or (
        not operand.has_others and count_fans(own, shape, groups) != fans
    ):
        why = JOINED if operand.has_others else PARTIAL
        return Use(own, fans, doubt=join(why, doubt), note=note, is_whole=False)
    return Use(own, fans, groups, doubt, note)


def join(*sentences: str) -> str:
    """Join sentences that are not empty with spaces."""
    return " ".join(sentence for sentence in sentences if sentence)


def count_fans(letters: str, shape: Sequence[int], groups: int) -> tuple[int, int]:
    """Return fan_in and fan_out of a kernel.

    >>> count_fans("OIHW", (8, 4, 3, 3), 2), count_fans("IOW", (8, 4, 3), 2)
    ((36, 36), (12, 12))
    """

    def count(kinds: str) -> int:
        return math.prod(size for letter, size in zip(letters, shape, strict=True) if letter in kinds)

    field = count("DHW")
    inputs, outputs = count("I"), count("O")
    if letters.startswith("I"):  # a transposed convolution packs its groups along its inputs
        return inputs // groups * field, outputs * field
    return inputs * field, outputs // groups * field


def read_groups(product: Node) -> int:
    """Return the number of groups of a convolution."""
    given = product.arguments[GROUPS] if len(product.arguments) > GROUPS else 1
    groups = product.keywords.get("groups", given)
    return groups if isinstance(groups, int) else 1


def find_letters(product: Node, parameter: torch.Tensor) -> str:
    """Return the letters of a parameter that a product uses unchanged; "" for other uses."""
    found = find_use(product, parameter)
    return found.letters if found and found.is_whole and not (found.doubt or found.note) else ""


def find_operands(name: str, product: Node) -> list[Any]:
    """Return the operands of a product; those of einsum come after its equation."""
    if name == "einsum":
        return find_nodes(product.arguments[1:])
    named = [product.keywords[word] for word in ("weight",) if word in product.keywords]
    return [*product.arguments, *named] if len(product.arguments) > 1 else [None, *named]


def spell_operand(name: str, product: Node, place: int, rank: int) -> str:
    """Return the letters of an operand's axes; "" if unknown."""
    if name == "einsum":
        return spell_einsum(product.arguments[0], place, rank)
    if name == "tensordot":
        return spell_tensordot((*product.arguments[2:], product.keywords.get("dims", 2))[0], place, rank)
    letters = (PRODUCTS | CONVOLUTIONS).get(name, {}).get(place, "")
    return "B" * (rank - len(letters)) + letters if letters and rank >= len(letters) else ""


def spell_tensordot(axes: Any, place: int, rank: int) -> str:  # noqa: ANN401 - a number, or lists of axes
    """Return the letters of an operand of tensordot.

    >>> spell_tensordot(1, 1, 2), spell_tensordot(([2], [1]), 1, 2)
    ('IO', 'OI')
    """
    if place > 1:
        return ""
    if isinstance(axes, int):
        return "I" * axes + "O" * (rank - axes) if place else "O" * (rank - axes) + "I" * axes
    given = axes[place]
    summed = {axis % rank for axis in ([given] if isinstance(given, int) else given)}
    return "".join("I" if axis in summed else "O" for axis in range(rank))


def spell_einsum(equation: object, place: int, rank: int) -> str:
    """Return the letters of an operand of einsum; "" if unknown.

    >>> spell_einsum("ebi,eio->ebo", 1, 3), spell_einsum("oi,...i->...o", 0, 2), spell_einsum("bi,io", 1, 2)
    ('BIO', 'OI', 'IO')
    """
    if not isinstance(equation, str):
        return ""
    operands, arrow, output = equation.replace(" ", "").partition("->")
    if not arrow:  # the implicit output has the indices that occur once, in alphabetical order
        output = "".join(axis for axis in sorted(set(operands)) if operands.count(axis) == 1 and axis != ",")
    own, *others = [
        operands.split(",")[place],
        *(one for at, one in enumerate(operands.split(",")) if at != place),
    ]
    stacked = max(rank - len(own.replace(".", "")), 0) if own.startswith("...") else 0
    own = own.removeprefix("...")
    if "." in own:
        return ""
    beside = set("".join(others))
    kinds = {
        (True, True): "B",  # in the output and in other operands
        (True, False): "O",
        (False, True): "I",
    }
    letters = "".join(kinds.get((axis in output, axis in beside), "") for axis in own)
    return "B" * stacked + letters if len(letters) == len(own) else ""


def trace_back(axes: Sequence[frozenset[int]], letters: str, rank: int) -> str:
    """Return a parameter's letters from those of the operand's axes derived from it; "" if they conflict.

    >>> first, second = frozenset([0]), frozenset([1])
    >>> trace_back([second, first], "IO", 2), trace_back([first, first, second], "BIO", 2)
    ('OI', '')
    """
    found: list[set[str]] = [set() for _ in range(rank)]
    for own, letter in zip(axes, letters, strict=True):
        for axis in own:
            found[axis].add(letter)
    if any(len(one) > 1 for one in found):
        return ""
    spelled = "".join(next(iter(one), "B") for one in found)
    return spelled if "I" in spelled and "O" in spelled else ""
