"""The planner: what PyTorch's layers, the user and the traced graph say of one parameter, in this order."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from torch import nn

from weightinit.patterns import ModelRejected
from weightinit.torch.following import Follower
from weightinit.torch.layers import describe_parameter
from weightinit.torch.names import Place
from weightinit.torch.patterns import Pattern, Patterns
from weightinit.torch.rules import Rule, apply_rule, drop_scheme, split_by_rule
from weightinit.torch.starts import Block, Draw, Keep
from weightinit.torch.tensors import check_shape


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
        self._follower = Follower(root)

    def plan_parameter(self, place: Place) -> list[Block]:
        """Plan the blocks of a parameter; [] where nothing says how it starts. Raises ModelRejected."""
        check_shape(place.parameter, place.names[0])
        shape = tuple(place.parameter.shape)
        blocks = describe_parameter(place.module, place.attribute, shape)
        rule = self._rules.find(place.names)
        if not place.parameter.numel():
            return [Block(Keep(), "It has no elements.")]
        if rule:
            with explain(rule[0], place):
                blocks = split_by_rule(rule[1], blocks or [Block(Draw({}))], shape)
        return [self._plan_block(block, place, rule) for block in blocks]

    def check_patterns(self, names: list[str]) -> None:
        """Check that every pattern was of use, given the names that there are. Raises ModelRejected."""
        self._activations.check_matched(names)
        self._rules.check_matched(names)

    def _plan_block(self, block: Block, place: Place, rule: tuple[str, Rule] | None) -> Block:
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

    def _take_following(self, block: Block, place: Place, name: str) -> Block:
        """Take the activation that the graph shows, where one is wanted and not known yet."""
        if not isinstance(block.start, Draw) or not block.start.wants_activation:
            return block
        finding = self._follower.find(place.module)
        if not finding.certain:
            self.unseen[name] = finding.reason
        start = Draw({**block.start.layer, "activation": finding.activation})
        return replace(block, start=start, reason=f"{block.reason} {finding.reason}".strip())


def take_rule(block: Block, place: Place, citation: str, rule: Rule) -> Block:
    """Take what a rule says. Raises ModelRejected."""
    with explain(citation, place):
        start = apply_rule(rule, block.start, tuple(place.parameter.shape))
    return replace(block, start=start, reason=f"{citation} says so.")


@contextmanager
def explain(citation: str, place: Place) -> Iterator[None]:
    """Say in an error which rule it is about, and for which parameter."""
    try:
        yield
    except ModelRejected as error:
        shape = list(place.parameter.shape)
        raise ModelRejected(f"{citation}, for {place.names[0]} {shape}: {error}") from None
