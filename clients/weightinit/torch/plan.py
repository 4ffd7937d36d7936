"""Plans: from a module to a list of named tensors, how each starts, and why. No service is asked yet."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from torch import nn

from weightinit.adapters.rules import ModelRejected, UnknownActivationWarning
from weightinit.torch.activations import ActivationFinder
from weightinit.torch.entries import Block, Draw, Leave, PlannedTensor, Unknown
from weightinit.torch.fill import check_shape
from weightinit.torch.layers import describe_parameter
from weightinit.torch.rules import Pattern, Patterns, Rule, apply_rule, drop_scheme, split_by_rule
from weightinit.torch.walk import NamedTensor, walk_parameters


class Planner:
    """Plans the parameters of one module, and notes in `unseen` why an activation could not be seen."""

    def __init__(
        self,
        root: nn.Module,
        activations: Mapping[Pattern, str] | None,
        rules: Mapping[Pattern, Rule] | None,
    ) -> None:
        self.unseen: dict[str, str] = {}
        self._activations = Patterns("activations", activations)
        self._rules = Patterns("rules", rules)
        self._follower = ActivationFinder(root)

    def plan_parameter(self, place: NamedTensor) -> list[Block]:
        """Plan the blocks of a parameter; [] where nothing says how it starts. Raises ModelRejected."""
        check_shape(place.parameter, place.names[0])
        shape = tuple(place.parameter.shape)
        blocks = describe_parameter(place.module, place.attribute, shape)
        rule = self._rules.find(place.names)
        if not place.parameter.numel():
            return [Block(Leave(), "It has no elements.")]
        if rule:
            with explain(rule[0], place):
                blocks = split_by_rule(rule[1], blocks or [Block(Draw({}))], shape)
        return [self._plan_block(block, place, rule) for block in blocks]

    def check_patterns(self, names: list[str]) -> None:
        """Check that every pattern was of use, given the names that there are. Raises ModelRejected."""
        self._activations.check_matched(names)
        self._rules.check_matched(names)

    def _plan_block(self, block: Block, place: NamedTensor, rule: tuple[str, Rule] | None) -> Block:
        names = block.extend(place.names)
        block = self._take_activation(block, [*names, *place.names, *place.find_modules()])
        own = self._rules.find(names) if block.suffix else None
        # A rule for a whole embedding leaves the row of its padding alone.
        inherited = rule if block.rows is None or isinstance(block.start, Draw) else None
        if chosen := own or inherited:
            block = take_rule(block, place, *chosen)
        return self._take_following(block, place, names[0])

    def _take_activation(self, block: Block, names: list[str]) -> Block:
        """Take the activation that the user says."""
        if not isinstance(block.start, Draw):
            return block
        said = self._activations.find(names)
        if said is None:
            return block
        citation, activation = said
        start = Draw({**drop_scheme(block.start.layer), "activation": activation})
        return replace(block, start=start, reason=f"{citation} says {activation}.")

    def _take_following(self, block: Block, place: NamedTensor, name: str) -> Block:
        """Take the activation that the graph shows, where one is wanted and not known yet."""
        if not isinstance(block.start, Draw) or not block.start.wants_activation:
            return block
        finding = self._follower.find(place.module)
        if not finding.certain:
            self.unseen[name] = finding.reason
        start = Draw({**block.start.layer, "activation": finding.activation})
        return replace(block, start=start, reason=f"{block.reason} {finding.reason}".strip())


def take_rule(block: Block, place: NamedTensor, citation: str, rule: Rule) -> Block:
    """Take what a rule says. Raises ModelRejected."""
    with explain(citation, place):
        start = apply_rule(rule, block.start, tuple(place.parameter.shape))
    return replace(block, start=start, reason=f"{citation} says so.")


@contextmanager
def explain(citation: str, place: NamedTensor) -> Iterator[None]:
    """Say in an error which rule it is about, and for which parameter."""
    try:
        yield
    except ModelRejected as error:
        shape = list(place.parameter.shape)
        raise ModelRejected(f"{citation}, for {place.names[0]} {shape}: {error}") from None


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
) -> list[PlannedTensor]:
    """Plan how each parameter of a module starts, in the order of named_parameters.

    `activations` and `rules` are by pattern of a parameter's name; an activation also by its module's.
    `prefix` is the name of the module itself, where it is part of a larger one. Raises ModelRejected where
    nothing says how a parameter starts, or a pattern is of no use, unless not strict.
    """
    planner = Planner(module, activations, rules)
    entries: list[PlannedTensor] = []
    unknown: list[NamedTensor] = []
    for place in walk_parameters(module, prefix):
        blocks = planner.plan_parameter(place)
        if not blocks:
            unknown.append(place)
            blocks = [Block(Unknown(), "Nothing says how it starts.")]
        entries += [PlannedTensor.of(place, block) for block in blocks]
    if strict:
        planner.check_patterns([entry.name for entry in entries])
        check_known(unknown, module)
    warn_unseen(planner.unseen)
    return entries


def check_known(unknown: list[NamedTensor], root: nn.Module) -> None:
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


def describe_place(place: NamedTensor) -> str:
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
