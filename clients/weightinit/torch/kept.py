"""What the author of a module fixed: frozen tensors, and those that are set to one value on purpose."""

import copy
import math
import re
import warnings
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import nn

from weightinit.adapters.actions import Block, Constant, Draw, Leave, Unknown, find_layout
from weightinit.adapters.plan import PlannedTensor, shorten
from weightinit.torch.layers import RUNNING, describe_parameter, describe_tied, find_adapters
from weightinit.torch.walk import PLAIN, NamedTensor, walk_buffers, walk_parameters

FROZEN = "Frozen: requires_grad is False."

# What the scale and the shift of a norm are called.
SCALES = ("weight", "scale", "gamma", "g")
SHIFTS = ("bias", "shift", "beta")
# What the tables of positions and tokens that all inputs get are called, where no layer has them.
WORDS = "cls|tokens?|pos|positions?|positional|emb|embed|embeddings?|query|queries|latents?|registers?"
TABLE = re.compile(rf"(^|.*_)({WORDS})(_.*|$)", re.IGNORECASE)

# What tables are called that are added to the logits of attention, by how far apart two positions are.
BIASES = re.compile(r"rel(ative)?_pos(ition)?.*bias.*|attention_bias(es)?|.*bias_table", re.IGNORECASE)

# Between these, a number may have been chosen by somebody; beyond, it is what was in memory before.
SMALLEST, LARGEST = 1e-8, 1e4
# What pointers and counters come to, read as float32.
DENORMAL = 1e-30


def describe_named(named: NamedTensor) -> list[Block]:
    """Describe how a parameter is initialized, by the modules that have it; [] if none is known."""
    shape = tuple(named.parameter.shape)
    if blocks := describe_tied(named.owners, shape):
        return blocks
    described = (describe_parameter(module, attribute, shape) for module, attribute in named.owners)
    return next((blocks for blocks in described if blocks), [])


def is_frozen(named: NamedTensor) -> bool:
    """Tell whether no module that has a tensor trains it."""
    return not any(tensor.requires_grad for tensor in named.tied)


def is_trained(root: nn.Module) -> bool:
    """Tell whether a module trains any parameter: where it does not, frozen ones are not singled out."""
    return any(parameter.requires_grad for parameter in root.parameters())


def find_frozen_norms(root: nn.Module) -> set[nn.Module]:
    """Find the norms with running statistics whose parameters are frozen, in a module that trains others."""
    if not is_trained(root):
        return set()
    return {
        part
        for part in root.modules()
        if isinstance(part, RUNNING) and any(True for _ in part.parameters()) and not is_trained(part)
    }


def warn_of_unset(root: nn.Module, plan: Sequence[PlannedTensor], prefix: str = "") -> None:
    """Warn of frozen parameters and buffers that are left as they are, and hold nothing that could be meant.

    Of the memory that `to_empty` gives no more can be told than that NaN and denormal numbers are no values.
    """
    filled = {id(tensor.target) for tensor in plan if not isinstance(tensor.action, Leave | Unknown)}
    kept = {id(tensor.target) for tensor in plan if tensor.action == Leave()}
    parameters = [named for named in walk_parameters(root, prefix) if id(named.parameter) in kept]
    buffers = [
        named
        for named in walk_buffers(root, prefix)
        if id(named.parameter) not in filled
        and (named.parameter.is_meta or not isinstance(named.module, RUNNING))
    ]
    unset = [
        named.names[0]
        for named in (*parameters, *buffers)
        if named.parameter.is_meta or is_garbage(named.parameter)
    ]
    if unset:
        message = f"{shorten(unset)}: left as they are, on the meta device or with NaN. Fill them yourself."
        warnings.warn(UnsetTensorWarning(message), stacklevel=3)


def is_garbage(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor holds NaN or no more than denormal numbers; masks are made of infinity."""
    if not is_readable(tensor):
        return False
    low, high = (end.item() for end in torch.aminmax(tensor.detach()))
    return math.isnan(low) or 0 < max(-low, high) < DENORMAL


def find_uniform(tensor: torch.Tensor) -> float | None:
    """Return the value that all elements of a tensor have; None if there is none, or it cannot be read.

    Of a DTensor each process has other elements, and all have to decide alike: so it is not read.
    """
    if not is_readable(tensor):
        return None
    values = tensor.detach()
    ends = values[(0,) * values.ndim], values[(-1,) * values.ndim]
    if ends[0].item() != ends[1].item():  # which a look at two elements tells of most
        return None
    low, high = torch.aminmax(values)
    return low.item() if low.item() == high.item() else None


def is_readable(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor has values that are numbers, and all of them in this process."""
    return (
        type(tensor) in PLAIN
        and not tensor.is_meta
        and tensor.layout == torch.strided
        and tensor.is_floating_point()
        and tensor.numel() > 0
    )


class UnsetTensorWarning(UserWarning):
    """Tensors that are left as they are hold no values, or NaN."""


class Author:
    """What the author of a module fixed, among its parameters and how each is known to be initialized.

    `known` are the blocks of each, [] where nothing is known.
    """

    def __init__(self, root: nn.Module, tensors: Sequence[NamedTensor], known: Sequence[list[Block]]) -> None:
        self._tensors = tensors
        self._known = known
        self._singles_out = is_trained(root)
        self._adapters = find_adapters(root)

    def find(self, named: NamedTensor, blocks: list[Block]) -> Block | None:
        """Find what a tensor has to stay or become, rather than its blocks; None if the author is silent."""
        if self._singles_out and is_frozen(named):
            return Block(Leave(), FROZEN)
        if adapter := self._adapters.get(id(named.parameter)):
            return adapter if adapter.fits(tuple(named.parameter.shape)) else None
        value = find_uniform(named.parameter)
        if value is not None and self._is_chosen(named, value, blocks):
            reason = f"All of it was {value:g} before, as its author set it, unlike the rest of the model."
            if not blocks:
                reason = f"{type(named.module).__name__} is not known. All of it was {value:g} before."
            return Block(Constant(value), reason, certainty="guessed")
        return None if blocks else guess(named)

    def _is_chosen(self, named: NamedTensor, value: float, blocks: list[Block]) -> bool:
        """Tell whether it was the author who set a tensor to one value."""
        if any(isinstance(block.action, Draw) for block in blocks):
            return value == 0 and self._is_initialized
        if any(block.action == Constant(value) for block in blocks):
            return False
        if blocks:  # one element always is of one value
            return (value == 0 or named.parameter.numel() > 1) and self._is_initialized
        if count_axes(named.parameter) > 1 and not is_table(named):
            return False
        return SMALLEST < abs(value) < LARGEST or (value == 0 and self._is_initialized)

    @cached_property
    def _is_initialized(self) -> bool:
        """Whether the model looks initialized: memory that to_empty gave may be zero in places, too.

        Kernels are plausible numbers, and most of them not zero; and somebody wrote into a parameter, or set
        all of it to a number that memory does not have by chance.
        """
        drawn = [
            named.parameter
            for named, blocks in zip(self._tensors, self._known, strict=True)
            if any(isinstance(block.action, Draw) for block in blocks) and is_readable(named.parameter)
        ]
        filled = [tensor for tensor in drawn if find_uniform(tensor) != 0]
        if 2 * sum(map(torch.numel, filled)) < sum(map(torch.numel, drawn)):
            return False
        if not all(map(is_plausible, filled)):
            return False
        parameters = [named.parameter for named in self._tensors if is_readable(named.parameter)]
        if all(find_uniform(tensor) == 0 for tensor in parameters):
            return False
        return any(map(is_written, parameters)) or any(map(is_set, parameters))


def is_plausible(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor may be a kernel: not of one value, and neither too small nor too large."""
    low, high = torch.aminmax(tensor.detach())
    if low.item() == high.item() and tensor.numel() > 1:
        return False
    return SMALLEST < max(-low.item(), high.item()) < LARGEST


def count_axes(tensor: torch.Tensor) -> int:
    """Count the axes along which a tensor has more than one element."""
    return sum(size > 1 for size in tensor.shape)


def is_table(named: NamedTensor) -> bool:
    """Tell whether a tensor is a table of positions or tokens that all inputs get, by its name and shape."""
    *axes, _ = named.parameter.shape or (0,)
    return len(axes) in {0, 2} and axes[:1] in ([], [1]) and TABLE.match(named.attribute) is not None


def is_written(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor was written into after it was made."""
    return not tensor.is_inference() and tensor._version > 0  # noqa: SLF001 - no public way


def is_set(tensor: torch.Tensor) -> bool:
    """Tell whether a vector is of one value that memory does not have by chance."""
    value = find_uniform(tensor) if tensor.ndim == 1 and tensor.numel() > 1 else None
    return value is not None and SMALLEST < abs(value) < LARGEST


def guess(named: NamedTensor) -> Block | None:
    """Guess how a tensor of a module that nobody knows is initialized, by its name; None if that says little.

    A norm has to leave its input normal: its scale is one and its shift zero, or both are zero where the norm
    adds one to its scale. A table that is added to all inputs, or goes before them, has rows of length 1.
    """
    shape, kind = tuple(named.parameter.shape), type(named.module).__name__
    if len(shape) == 1 and "norm" in kind.lower() and named.attribute in SCALES + SHIFTS:
        value = 0.0 if named.attribute in SHIFTS or adds_one(named.module, shape[0]) else 1.0
        return Block(
            Constant(value), f"{kind} is a norm by its name, and begins as identity.", "", None, 0, "guessed"
        )
    if len(shape) > 1 and BIASES.fullmatch(named.attribute):
        reason = "Biases of attention, by their name: they begin at zero, as all biases."
        return Block(Constant(0.0), reason, certainty="guessed")
    if is_table(named):
        width, letters = shape[-1], "B" * (len(shape) - 1) + "O"
        action = Draw({"layout": letters, "fan_in": width, "fan_out": width, "scheme": "glorot_normal"})
        reason = "A table that all inputs get, by its name: σ = 1/√d, as torch.nn.MultiheadAttention has it."
        return Block(action, reason, certainty="guessed")
    return None


def adds_one(norm: nn.Module, size: int) -> bool:
    """Tell whether a norm adds one to its scale, as Gemma's does: then a scale of zero lets signals pass."""
    try:
        twin = copy.deepcopy(norm).to_empty(device="cpu").float()
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.zero_()
            return bool(twin(torch.linspace(-1, 1, 2 * size).view(2, size)).any())
    except Exception:  # noqa: BLE001 - code of the user's, run on an input that it may not take
        return False


def find_axes(named: NamedTensor) -> str:
    """Find the axes of a tensor: "" where nobody knows them, or where modules that share it differ."""
    shape = tuple(named.parameter.shape)
    return "" if describe_tied(named.owners, shape) else find_layout(describe_named(named))
