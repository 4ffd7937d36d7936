"""Plans: how each tensor of a model is initialized, and why, before anything is drawn."""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self, SupportsIndex, TypeGuard

from weightinit.adapters.actions import Action, Block, Constant, Draw, Leave, PublishedDraw
from weightinit.adapters.published import PublishedModel, Segment, name_segments
from weightinit.adapters.rules import (
    ModelRejected,
    Pattern,
    Patterns,
    Rule,
    Rules,
    TensorRejected,
    apply_rule,
    drop_scheme,
    split_by_rule,
)
from weightinit.client import Client
from weightinit.models.model import MAX_SEED
from weightinit.models.names import is_model_id
from weightinit.models.resolution import Resolver
from weightinit.spec.dtypes import DTYPES
from weightinit.spec.layer import Spec, refuse
from weightinit.spec.parameters import Parameters

Rename = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Inference:
    """The activation that follows a tensor, why, and whether that is certain."""

    activation: str | None
    reason: str = ""
    certain: bool = True


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """A tensor of a plan: one of the model's (`target`, the framework's own), or a block of one.

    `shape` is that of the block. `aliases` are the other names of a tied tensor.
    """

    name: str
    aliases: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    action: Action
    reason: str
    target: Any
    rows: slice | None = None
    axis: int = 0

    @classmethod
    def of(
        cls, names: Iterable[str], shape: tuple[int, ...], dtype: str, block: Block, target: object
    ) -> Self:
        """Make the planned tensor of a block, given the names and the shape of the whole tensor."""
        name, *aliases = block.extend(names)
        axis = 0
        if block.rows is not None:
            axis = range(len(shape))[block.axis]
            shape = (*shape[:axis], block.rows.stop - block.rows.start, *shape[axis + 1 :])
        return cls(name, tuple(aliases), shape, dtype, block.action, block.reason, target, block.rows, axis)

    def make_spec(self, seed: int | str, rename: Rename = str) -> Spec | None:
        """Return the spec of a tensor that is drawn; None for others. Raises TensorRejected, SpecRejected.

        What a published model draws has a seed and a name already.
        """
        if not isinstance(self.action, Draw | PublishedDraw):
            return None
        if self.dtype not in DTYPES:
            raise TensorRejected(f"dtype must be one of {', '.join(DTYPES)}; received {self.dtype}")
        if isinstance(self.action, PublishedDraw):
            return replace(self.action.spec, dtype=self.dtype)
        return Spec.of(self.shape, dtype=self.dtype, seed=seed, name=rename(self.name), **self.action.layer)

    def make_segment(self, spec: Spec | None) -> Segment:
        """Return the tensor as a segment of its target, given what `make_spec` returned."""
        value = self.action.value if isinstance(self.action, Constant) else 0.0
        first = self.action.first if isinstance(self.action, PublishedDraw) else 0
        return Segment(self.name, spec, None, value, self.axis, self.rows, first)


@dataclass(frozen=True, slots=True)
class ResolvedTensor:
    """A planned tensor with its spec and the parameters that the service resolved; None if not drawn."""

    planned: PlannedTensor
    spec: Spec | None
    parameters: Parameters | None


def resolve_plan(
    plan: Sequence[PlannedTensor], seed: int | str, rename: Rename, client: Client
) -> list[ResolvedTensor]:
    """Resolve the parameters of what is drawn: one request for all that is alike.

    Raises TensorRejected, SpecRejected and the client's errors, each with a note of the tensor.
    """
    specs = [tensor.make_spec(seed, rename) for tensor in plan]
    resolver = Resolver(client.parameters)

    def resolve(tensor: PlannedTensor, spec: Spec | None) -> Parameters | None:
        if isinstance(tensor.action, PublishedDraw):
            return tensor.action.parameters
        return None if spec is None else resolver.resolve(spec, tensor.name)

    return [
        ResolvedTensor(tensor, spec, resolve(tensor, spec)) for tensor, spec in zip(plan, specs, strict=True)
    ]


class Planner:
    """Plans the tensors of one model under rules, and notes in `unseen` why an activation is not certain.

    `axis` is the one along which the kernels of a framework pack others: 0 where outputs come first.
    """

    def __init__(
        self, rules: Rules | None, axis: int = 0, activations: Mapping[Pattern, str] | None = None
    ) -> None:
        self.unseen: dict[str, str] = {}
        self._rules = Patterns("rules", rules)
        self._activations = Patterns("activations", activations)
        self._axis = axis

    def plan_tensor(
        self,
        names: Sequence[str],
        modules: Sequence[str],
        shape: tuple[int, ...],
        blocks: list[Block],
        infer: Callable[[], Inference],
    ) -> list[Block]:
        """Return the blocks of a tensor under the rules. Raises ModelRejected.

        Args:
            names: the tensor's; a rule may match any of them.
            modules: those that have the tensor, which a rule that gives an activation alone may match.
            shape: the tensor's.
            blocks: those that its layer is known to have; [] where nothing is known.
            infer: finds the activation that follows.
        """
        is_drawn = not blocks or any(isinstance(block.action, Draw) for block in blocks)
        rule = self._rules.find(names, modules, is_drawn=is_drawn)
        if 0 in shape:
            return [Block(Leave(), "It has no elements.")]
        if rule:
            with explain(rule[0], names[0], shape):
                blocks = split_by_rule(rule[1], blocks or [Block(Draw({}))], shape, self._axis)
        return [self._plan_block(block, names, modules, shape, rule, infer) for block in blocks]

    def check_matched(self, names: Sequence[str]) -> None:
        """Check that every pattern matched a tensor. Raises ModelRejected, with the nearest names."""
        self._activations.check_matched(names)
        self._rules.check_matched(names)

    def _plan_block(
        self,
        block: Block,
        names: Sequence[str],
        modules: Sequence[str],
        shape: tuple[int, ...],
        rule: tuple[str, Rule] | None,
        infer: Callable[[], Inference],
    ) -> Block:
        own_names = block.extend(names)
        is_drawn = isinstance(block.action, Draw)
        if isinstance(block.action, Draw) and (
            found := self._activations.find([*own_names, *names, *modules])
        ):
            layer = drop_scheme(block.action.layer)
            action: Action = Draw({**layer, "activation": found[1]})
            block = replace(block, action=action, reason=f"{found[0]} says {found[1]}.")
        own = self._rules.find(own_names, is_drawn=is_drawn) if block.suffix else None
        # A rule for a whole embedding leaves the row of its padding alone.
        inherited = rule if block.rows is None or is_drawn else None
        if chosen := own or inherited:
            with explain(chosen[0], names[0], shape):
                action = apply_rule(chosen[1], block.action, shape)
            if action != block.action or not isinstance(action, Leave | Constant):
                block = replace(block, action=action, reason=f"{chosen[0]} says so.")
        return self._infer_activation(block, own_names[0], infer)

    def _infer_activation(self, block: Block, name: str, infer: Callable[[], Inference]) -> Block:
        """Take the activation of the model's graph, where one is wanted and not known yet."""
        if not isinstance(block.action, Draw) or not block.action.wants_activation:
            return block
        found = infer()
        if not found.certain:
            self.unseen[name] = found.reason
        action = Draw({**block.action.layer, "activation": found.activation})
        return replace(block, action=action, reason=f"{block.reason} {found.reason}".strip())


def plan_segments(segments: Sequence[Segment], published: PublishedModel) -> Iterator[Block]:
    """Yield the blocks of a tensor that is initialized from the segments of a published one."""
    for segment, suffix in zip(segments, name_segments(segments), strict=True):
        action: Action = Constant(segment.value)
        if segment.spec is not None and segment.parameters is not None:
            action = PublishedDraw(segment.spec, segment.parameters, segment.first)
        reason = f"Published in {published.label} as {segment.name}."
        yield Block(action, reason, suffix, segment.rows, segment.axis)


@contextmanager
def explain(citation: str, name: str, shape: Sequence[int]) -> Iterator[None]:
    """Name in an error the rule and the tensor that it is about."""
    try:
        yield
    except ModelRejected as error:
        raise ModelRejected(f"{citation}, for {name} {list(shape)}: {error}") from None


def is_reference(seed: object) -> TypeGuard[str]:
    """Return whether this is the reference of a published model, and not a seed, which may be decimal text.

    >>> is_reference("vision/resnet50/1"), is_reference("42"), is_reference(42)
    (True, False, False)
    """
    return isinstance(seed, str) and (is_model_id(seed) or not seed.isdecimal())


def read_seed(seed: object) -> int:
    """Return a seed, given as a number or as decimal text. Raises SpecRejected.

    >>> read_seed("42"), read_seed(42)
    (42, 42)
    """
    number: object = seed
    if isinstance(seed, str) and seed.isdecimal() and len(seed) <= 20:
        number = int(seed)
    elif isinstance(seed, SupportsIndex) and not isinstance(seed, bool):  # NumPy's integers are none of int
        number = operator.index(seed)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_SEED:
        rule = f"must be an integer from 0 to {MAX_SEED}, or a published model's name or id"
        raise refuse("seed", rule, seed)
    return number
