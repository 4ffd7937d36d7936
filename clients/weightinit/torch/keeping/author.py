"""Decide from values and names which tensors the module's author initialized on purpose.

The author is whoever wrote the module. Frozen tensors, constants, patterns, series and identities that a
random draw cannot produce are kept; adapters (LoRA), norms, position tables and attention biases of unknown
modules are recognized by name. `plan` asks this module before it uses the layer's own rule.
"""

import copy
import re
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import nn

from weightinit.adapters.actions import LARGEST, SMALLEST, Block, Constant, Draw, Leave
from weightinit.torch.keeping.biases import LargeBias, find_large_biases
from weightinit.torch.keeping.kept import FROZEN, is_frozen, is_trained
from weightinit.torch.keeping.patterns import has_pattern
from weightinit.torch.keeping.series import has_diagonal, is_series
from weightinit.torch.keeping.values import (
    count_axes,
    find_uniform,
    is_filled,
    is_plausible,
    is_readable,
    is_set,
    is_written,
)
from weightinit.torch.layers import find_tables, is_known, spell
from weightinit.torch.walk import NamedTensor

PATTERN = "It has few distinct values, which no draw has: kept as its author set it."
SERIES = "It is a series or an identity, which no draw is: kept as its author set it."

# Names of the scale and the shift of a norm.
SCALES = ("weight", "scale", "gamma", "g")
SHIFTS = ("bias", "shift", "beta")
# Names of position and token tables that all inputs share, where no known layer has them.
WORDS = "cls|tokens?|pos|positions?|positional|emb|embed|embeddings?|query|queries|latents?|registers?"
TABLE = re.compile(rf"(^|.*_)({WORDS})(_.*|$)", re.IGNORECASE)
# Names of tables that are added to the logits of attention, indexed by the distance of two positions.
BIASES = re.compile(
    r"(.*_)?(rel(ative)?_(pos(ition)?|att(n|ention)).*bias.*|(att(n|ention)|pos(ition)?)_bias(es)?)|.*bias_table",
    re.IGNORECASE,
)
ADDED = "they start at zero, as all biases."

# Adapters of PEFT (Hu et al. 2022: B starts at zero, so that the model is unchanged): by the name of the
# layer's type, the most derived first, how each attribute is initialized; None if the module there determines
# it. For an adapted embedding, PEFT names the factor that is looked up A, and A is zero.
UNCHANGED = Block(Constant(0.0), "It starts at zero, so that the adapter changes nothing at first.")
FACTOR = Block(Draw({"layout": "OI", "activation": None}), "The other factor of the adapter follows.")
MEASURED = Block(Leave(), "PEFT computes it from the layer that it adapts.", certainty="guessed")
ADAPTERS: dict[str, dict[str, Block | None]] = {
    "peft.tuners.adalora.layer.AdaLoraLayer": {"lora_A": FACTOR, "lora_B": FACTOR, "lora_E": UNCHANGED},
    "peft.tuners.lora.layer.LoraLayer": {
        "lora_A": None,
        "lora_B": UNCHANGED,
        "lora_embedding_A": UNCHANGED,
        "lora_embedding_B": FACTOR,
        "lora_magnitude_vector": MEASURED,
    },
}
# The values of LoRA's `init_lora_weights` for which the factors start as above; others, such as "pissa",
# compute both.
USUAL = (True, "gaussian")


class Author:
    """Finds tensors that the author of a module initialized on purpose.

    `described` has the blocks of each tensor, from its layer or the products that use it; [] if unknown.
    """

    def __init__(
        self, root: nn.Module, tensors: Sequence[NamedTensor], described: Sequence[list[Block]]
    ) -> None:
        self._tensors = tensors
        self._described = described
        self._singles_out = is_trained(root)
        self._adapters = find_adapters(root)

    def find(self, named: NamedTensor, blocks: list[Block], *, by_layer: bool) -> Block | None:
        """Return the block that replaces a tensor's own blocks; None if the author's choice is not visible.

        `by_layer` says that the blocks come from a known layer; otherwise the tensor's name is considered
        too.
        """
        if self._singles_out and is_frozen(named):
            return Block(Leave(), FROZEN)
        if adapter := self._adapters.get(id(named.parameter)):
            return adapter if adapter.fits(tuple(named.parameter.shape)) else None
        value = find_uniform(named.parameter)
        if value is not None and self._is_chosen(named, value, blocks):
            reason = f"It was {value:g} everywhere, unlike the rest of the model: kept as its author set it."
            if not blocks:
                reason = f"{type(named.module).__name__} is not known. It was {value:g} everywhere."
            return Block(Constant(value), reason, certainty="guessed")
        if value is None and (reason := self._find_order(named)):
            return Block(Leave(), reason, certainty="guessed")
        if (bias := self._biases.get(id(named.parameter))) and self._is_initialized:
            return describe_large(bias)
        return guess_lookup(named) if by_layer else guess(named)

    def _is_chosen(self, named: NamedTensor, value: float, blocks: list[Block]) -> bool:
        """Return whether the author set a tensor to one value."""
        is_single = named.parameter.numel() == 1  # one element always has one value
        if any(isinstance(block.action, Draw) for block in blocks):
            is_set_to = SMALLEST < abs(value) < LARGEST and not is_single
            return (value == 0 or is_set_to) and self._is_initialized
        if any(block.action == Constant(value) for block in blocks):
            return False
        if blocks:
            return (value == 0 or not is_single) and self._is_initialized
        is_number = SMALLEST < abs(value) < LARGEST
        if count_axes(named.parameter) > 1 and not is_table(named):  # zeros may not be drawn yet
            return is_number and self._is_initialized
        return is_number or (value == 0 and self._is_initialized)

    def _find_order(self, named: NamedTensor) -> str:
        """Return why a tensor's values were set by its author; "" if they may have been drawn.

        It has few distinct values, while most kernels have many, or it is a series or an identity.
        """
        if id(named.parameter) in self._patterns and self._is_initialized and not self._is_coarse:
            return PATTERN
        if (is_series(named.parameter) or has_diagonal(named.parameter)) and self._is_initialized:
            return SERIES
        return ""

    @cached_property
    def _patterns(self) -> set[int]:
        """The ids of parameters with few distinct values."""
        return {id(named.parameter) for named in self._tensors if has_pattern(named.parameter)}

    @cached_property
    def _biases(self) -> dict[int, LargeBias]:
        """The biases beyond the limit that their layers draw from, by id of the parameter."""
        return find_large_biases(self._tensors, self._described)

    @cached_property
    def _is_coarse(self) -> bool:
        """Whether most kernels have few distinct values, as in a trained binary network."""
        kernels = [
            id(named.parameter)
            for named, blocks in zip(self._tensors, self._described, strict=True)
            if any(isinstance(block.action, Draw) for block in blocks)
        ]
        return 2 * len(self._patterns.intersection(kernels)) > len(kernels)

    @cached_property
    def _is_initialized(self) -> bool:
        """Whether the model looks initialized; memory from to_empty may contain zeros too.

        Kernels have plausible values, most of them not constant, and at least one parameter was written to or
        has a constant value that memory does not have by chance. PyTorch's layers write to their parameters
        in the constructor, but a module's own kernels may be parameters made from a tensor that was drawn.
        """
        drawn = [
            named
            for named, blocks in zip(self._tensors, self._described, strict=True)
            if any(isinstance(block.action, Draw) for block in blocks) and is_readable(named.parameter)
        ]
        filled = [named for named in drawn if is_filled(named.parameter)]
        layers = [named for named in drawn if any(is_known(module) for module, _ in named.owners)]
        is_new = bool(layers) and all(is_written(named.parameter) for named in layers)
        if not is_new and 2 * sum(map(count_elements, filled)) < sum(map(count_elements, drawn)):
            return False
        if (drawn and not filled) or not all(is_plausible(named.parameter) for named in filled):
            return False
        if drawn and not layers:
            return True
        parameters = [named.parameter for named in self._tensors if is_readable(named.parameter)]
        if all(find_uniform(tensor) == 0 for tensor in parameters):
            return False
        return any(map(is_written, parameters)) or any(map(is_set, parameters))


def describe_large(bias: LargeBias) -> Block:
    """Return the block of a bias beyond its layer's limit: kept if it was set on purpose, otherwise zero."""
    beyond = f"It exceeds the ±{bias.limit:.3g} that its layer draws"
    if bias.is_set:
        return Block(Leave(), f"{beyond}: kept as its author set it.", certainty="guessed")
    return Block(
        Constant(0.0), f"Biases are initialized to zero. {beyond}, as after training.", certainty="guessed"
    )


def count_elements(named: NamedTensor) -> int:
    """Return the number of elements of a tensor."""
    return named.parameter.numel()


def is_table(named: NamedTensor) -> bool:
    """Return whether a tensor's name and shape are those of a position or token table."""
    *axes, _ = named.parameter.shape or (0,)
    return len(axes) in {0, 2} and axes[:1] in ([], [1]) and TABLE.match(named.attribute) is not None


def guess(named: NamedTensor) -> Block | None:
    """Guess from its name how a tensor of an unknown module is initialized; None if the name is unknown.

    A norm starts as the identity: its scale is one and its shift zero, or both are zero if the norm adds one
    to its scale. A table that is added to all inputs, or prepended to them, has rows of expected length 1.
    """
    shape, kind = tuple(named.parameter.shape), type(named.module).__name__
    if len(shape) == 1 and "norm" in kind.lower() and named.attribute in SCALES + SHIFTS:
        value = 0.0 if named.attribute in SHIFTS or adds_one(named.module, shape[0]) else 1.0
        return Block(
            Constant(value),
            f"{kind} is a norm by its name, and starts as the identity.",
            "",
            None,
            0,
            "guessed",
        )
    if len(shape) > 1 and BIASES.fullmatch(named.attribute):
        return Block(Constant(0.0), f"Biases of attention, by their name: {ADDED}", certainty="guessed")
    if is_table(named):
        width, letters = shape[-1], "B" * (len(shape) - 1) + "O"
        action = Draw({"layout": letters, "fan_in": width, "fan_out": width, "scheme": "glorot_normal"})
        reason = "A table that all inputs get, by its name: σ = 1/√d, as in torch.nn.MultiheadAttention."
        return Block(action, reason, certainty="guessed")
    return None


def guess_lookup(named: NamedTensor) -> Block | None:
    """Return zeros for an embedding whose name is that of attention biases, as in T5; None for others."""
    names = (name.rpartition(".")[2] for name in named.find_modules())
    if find_tables(named.owners) and any(map(BIASES.fullmatch, names)):
        return Block(Constant(0.0), f"Biases of attention, by their name: {ADDED}", certainty="guessed")
    return None


def adds_one(norm: nn.Module, size: int) -> bool:
    """Return whether a norm adds one to its scale, as Gemma's does: zero is then the identity."""
    try:
        twin = copy.deepcopy(norm).to_empty(device="cpu").float()
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.zero_()
            return bool(twin(torch.linspace(-1, 1, 2 * size).view(2, size)).any())
    except Exception:  # noqa: BLE001 - code of the user's, run on an input that it may not take
        return False


def find_adapters(root: nn.Module) -> dict[int, Block]:
    """Return the blocks of adapters' parameters, by id, where their modules do not determine them."""
    modules = list(root.modules())
    rows = [
        (module, ADAPTERS[name])
        for module in modules
        if (name := next(filter(ADAPTERS.__contains__, spell(type(module).__mro__)), None)) is not None
    ]
    configurations: dict[str, object] = {}
    for module in modules if rows else ():
        said = getattr(module, "peft_config", None)
        configurations |= said if isinstance(said, dict) else {}
    found: dict[int, Block] = {}
    for module, row in rows:
        for attribute, block in row.items():
            for name, parameter in getattr(module, attribute, nn.ModuleDict()).named_parameters():
                said = getattr(configurations.get(name.partition(".")[0]), "init_lora_weights", True)
                adapter = block if said in USUAL else MEASURED
                if said is False:  # neither is zero
                    adapter = None if block is UNCHANGED else block
                if adapter is not None:
                    found[id(parameter)] = adapter
    return found
