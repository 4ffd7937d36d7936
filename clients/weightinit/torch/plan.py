"""Plans: from a module to a list of named tensors, how each starts, and why. No service is asked yet."""

import warnings
from collections.abc import Iterable, Mapping

from torch import nn

from weightinit.patterns import ModelRejected
from weightinit.torch.entries import Entry
from weightinit.torch.errors import UnknownActivationWarning
from weightinit.torch.names import Place, walk_parameters
from weightinit.torch.patterns import Pattern
from weightinit.torch.planner import Planner
from weightinit.torch.rules import Rule
from weightinit.torch.starts import Block, Skip

MOST_LISTED = 8

# What else can be done about parameters that nobody knows, by a module that is the cause.
HINTS = {
    "ParametrizationList": "initialize before registering parametrizations",
    "FullyShardedDataParallel": "initialize before wrapping in FullyShardedDataParallel, or use fully_shard",
}


def plan_module(
    module: nn.Module,
    *,
    activations: Mapping[Pattern, str] | None = None,
    rules: Mapping[Pattern, Rule] | None = None,
    prefix: str = "",
    strict: bool = True,
) -> list[Entry]:
    """Plan how each parameter of a module starts, in the order of named_parameters.

    `activations` and `rules` are by pattern of a parameter's name; an activation also by its module's.
    `prefix` is the name of the module itself, where it is part of a larger one. Raises ModelRejected where
    nothing says how a parameter starts, or a pattern is of no use, unless not strict.
    """
    planner = Planner(module, activations, rules)
    entries: list[Entry] = []
    unknown: list[Place] = []
    for place in walk_parameters(module, prefix):
        blocks = planner.plan_parameter(place)
        if not blocks:
            unknown.append(place)
            blocks = [Block(Skip(), "Nothing says how it starts.")]
        entries += [Entry.of(place, block) for block in blocks]
    if strict:
        planner.check_patterns([entry.name for entry in entries])
        check_known(unknown, module)
    warn_unseen(planner.unseen)
    return entries


def check_known(unknown: list[Place], root: nn.Module) -> None:
    """Check that there is no parameter of which nothing says how it starts. Raises ModelRejected."""
    if not unknown:
        return
    listed = shorten(map(describe_place, unknown))
    kinds = {type(module).__name__ for module in root.modules()}
    advice = [
        "say it with rules={name: ...} (a scheme, a number, a mapping, or None)",
        *(hint for kind, hint in HINTS.items() if kind in kinds),
        "or leave them as they are with strict=False",
    ]
    raise ModelRejected(f"nothing says how these start: {listed}; {', '.join(advice)}")


def warn_unseen(unseen: Mapping[str, str]) -> None:
    """Warn of the tensors that start as if no activation followed, because it could not be seen."""
    if unseen:
        message = (
            f"{shorten(unseen)} start as if no activation followed. {next(iter(unseen.values()))} "
            "Say what follows with activations={name: ...}; 'none' where it is right so."
        )
        warnings.warn(UnknownActivationWarning(message), stacklevel=4)


def describe_place(place: Place) -> str:
    """Describe a parameter: its name, shape and module."""
    return f"{place.names[0]} {list(place.parameter.shape)} of {type(place.module).__name__}"


def shorten(names: Iterable[str]) -> str:
    """List names, the first few of them.

    >>> shorten("abcdefghij")
    'a, b, c, d, e, f, g, h and 2 more'
    """
    listed = list(names)
    more = len(listed) - MOST_LISTED
    return ", ".join(listed[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
