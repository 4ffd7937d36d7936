"""Plans: how each tensor of a model is initialized, and why, before anything is drawn."""

import math
import operator
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self, SupportsIndex, TypeGuard

from weightinit.adapters.actions import (
    CERTAINTIES,
    Action,
    Block,
    Certainty,
    Constant,
    Draw,
    Leave,
    PublishedDraw,
    split_axis,
)
from weightinit.adapters.published import PublishedModel, Segment, name_segments
from weightinit.adapters.rules import (
    ModelRejected,
    Pattern,
    Patterns,
    Rule,
    Rules,
    StaleCopyWarning,
    TensorRejected,
    UnknownActivationWarning,
    UnpublishedTensorWarning,
    apply_rule,
    drop_scheme,
    is_activation,
    split_by_rule,
)
from weightinit.client import Client
from weightinit.models.model import MAX_SEED
from weightinit.models.names import is_model_id
from weightinit.models.resolution import Resolver
from weightinit.spec.dtypes import DTYPES, find_range
from weightinit.spec.layer import LayerFields, Spec, refuse
from weightinit.spec.parameters import Parameters

Rename = Callable[[str], str]

MAX_LISTED = 8
FIELD = "DHW"


@dataclass(frozen=True, slots=True)
class Inference:
    """What a model shows of a kernel: the activation that follows, why, and how certain that is.

    `parts` are the kernels that it packs along the axis of its outputs, by name, in order; each with its
    length and what follows it. Empty for one kernel. `outputs` is the number of outputs of each, where
    kernels of one size lie between each other.
    """

    activation: str | None
    reason: str = ""
    certainty: Certainty = "certain"
    parts: Mapping[str, tuple[int, "Inference"]] = field(default_factory=dict)
    outputs: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """A tensor of a plan: one of the model's (`target`, the framework's own), or a block of one.

    `shape` is that of the block. `aliases` are the other names of a tied tensor. `drawn_as` is the name that
    its draws depend on, where it is drawn as another tensor is.
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
    certainty: Certainty = "certain"
    drawn_as: str = ""

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
        return cls(
            name,
            tuple(aliases),
            shape,
            dtype,
            block.action,
            block.reason,
            target,
            block.rows,
            axis,
            block.certainty,
        )

    def make_spec(self, seed: int | str, rename: Rename = str) -> Spec | None:
        """Return the spec of a tensor that is drawn; None for others. Raises TensorRejected, SpecRejected.

        What a published model draws has a seed and a name already.
        """
        if not isinstance(self.action, Draw | PublishedDraw):
            self._check_constant()
            return None
        if self.dtype not in DTYPES:
            raise TensorRejected(
                f"{self.name}: dtype must be one of {', '.join(DTYPES)}; received {self.dtype}"
            )
        if isinstance(self.action, PublishedDraw):
            return replace(self.action.spec, dtype=self.dtype)
        name = rename(self.drawn_as or self.name)
        return Spec.of(self.shape, dtype=self.dtype, seed=seed, name=name, **self.action.layer)

    def _check_constant(self) -> None:
        """Check that an integer dtype can hold the value of a constant. Raises TensorRejected."""
        limits = find_range(self.dtype)
        if limits is None or not isinstance(self.action, Constant):
            return
        value = self.action.value
        if not (value.is_integer() and limits[0] <= value <= limits[1]):
            rule = f"must be set to an integer from {limits[0]} to {limits[1]}"
            raise TensorRejected(f"{self.name}, of dtype {self.dtype}, {rule}; received {value:g}")

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
        if isinstance(tensor.action, PublishedDraw) and tensor.action.parameters is not None:
            return tensor.action.parameters
        return None if spec is None else resolver.resolve(spec, tensor.name)

    return [
        ResolvedTensor(tensor, spec, resolve(tensor, spec)) for tensor, spec in zip(plan, specs, strict=True)
    ]


class Planner:
    """Plans the tensors of one model under rules, and notes in `unknown` which activations were not seen.

    `axis` is the one along which the kernels of a framework pack others: 0 where outputs come first.
    """

    def __init__(
        self, rules: Rules | None, axis: int = 0, activations: Mapping[Pattern, str] | None = None
    ) -> None:
        self.unknown: dict[str, str] = {}
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
        kept: Block | None = None,
        axis: int | None = None,
    ) -> list[Block]:
        """Return the blocks of a tensor under the rules. Raises ModelRejected.

        Args:
            names: the tensor's; a rule may match any of them.
            modules: those that have the tensor, which a rule that gives an activation alone may match.
            shape: the tensor's.
            blocks: those that its layer is known to have; [] where nothing is known.
            infer: finds the activation that follows.
            kept: what the whole tensor is, rather than its blocks, where no rule says how to draw it.
            axis: the one along which it packs others. Default: that of the framework.
        """
        is_drawn = not blocks or any(isinstance(block.action, Draw) for block in blocks)
        rule = self._rules.find(names, modules, is_drawn=is_drawn)
        axis = self._axis if axis is None else axis
        if 0 in shape:
            return [Block(Leave(), "It has no elements.")]
        if kept:
            blocks = self._keep(blocks, kept, names, rule)
        if rule:
            with explain(rule[0], names[0], shape):
                blocks = split_by_rule(rule[1], blocks or [Block(Draw({}))], shape, axis)
        planned = [self._plan_block(block, names, modules, shape, rule) for block in blocks]
        return [made for block in planned for made in self._infer(block, names, modules, shape, infer, axis)]

    def finish(self, names: Sequence[str], *, strict: bool | None) -> None:
        """Check the whole plan, given the names of its tensors.

        Raises ModelRejected, unless strict is False, where a pattern matched nothing, with the nearest names.
        Activations that were not seen are warned of; if strict is True, they are refused.
        """
        if strict is not False:
            self._activations.check_matched(names)
            self._rules.check_matched(names)
        if not self.unknown:
            return
        why = next(iter(self.unknown.values()))
        message = (
            f"{shorten(self.unknown)}: no activation is assumed to follow. {why} "
            'Say what follows with rules={name: {"activation": ...}}, "none" where that is right; '
            "or show it with batch=, what the model is called with."
        )
        if strict:
            raise ModelRejected(message)
        warnings.warn(UnknownActivationWarning(message), stacklevel=5)

    def _keep(
        self, blocks: list[Block], kept: Block, names: Sequence[str], rule: tuple[str, Rule] | None
    ) -> list[Block]:
        """Return the blocks of a tensor that is kept, but for those of which a rule says how to draw them."""

        def is_ruled(block: Block) -> bool:
            own = self._rules.find(block.extend(names)) if block.suffix else None
            found = own or rule
            return isinstance(block.action, Draw) and found is not None and not is_activation(found[1])

        if not any(map(is_ruled, blocks)):
            return [kept]
        return [
            block
            if is_ruled(block)
            else replace(block, action=kept.action, reason=kept.reason, certainty=kept.certainty)
            for block in blocks
        ]

    def _plan_block(
        self,
        block: Block,
        names: Sequence[str],
        modules: Sequence[str],
        shape: tuple[int, ...],
        rule: tuple[str, Rule] | None,
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
                reason = f"{chosen[0]} says so."
                block = replace(block, action=action, reason=reason, certainty="certain")
        return block

    def _infer(
        self,
        block: Block,
        names: Sequence[str],
        modules: Sequence[str],
        shape: tuple[int, ...],
        infer: Callable[[], Inference],
        axis: int,
    ) -> list[Block]:
        """Take the activation of the model's graph, where one is wanted and not known yet.

        A kernel in which the graph shows others packed becomes a block for each of them.
        """
        if not isinstance(block.action, Draw) or not block.action.wants_activation:
            return [block]
        found = infer()
        if not found.parts or block.rows is not None:
            return [self._apply_inference(block, found, names, shape)]
        lengths = {name: length for name, (length, _) in found.parts.items()}
        actions, reasons = dict.fromkeys(lengths, block.action), dict.fromkeys(lengths, block.reason)
        blocks = split_axis(lengths, actions, reasons, axis)
        planned = [self._plan_block(part, names, modules, shape, None) for part in blocks]
        inferences = [inference for _, inference in found.parts.values()]
        return [
            self._apply_inference(part, one, names, shape)
            for part, one in zip(planned, inferences, strict=True)
        ]

    def _apply_inference(
        self, block: Block, found: Inference, names: Sequence[str], shape: tuple[int, ...]
    ) -> Block:
        if not isinstance(block.action, Draw) or not block.action.wants_activation:
            return block
        if found.certainty == "unknown":
            self.unknown[block.extend(names)[0]] = found.reason
        layer: LayerFields = {**block.action.layer, "activation": found.activation}
        if found.outputs is not None:
            layer["fan_out"] = found.outputs * measure_field(layer["layout"], shape)
        action = Draw(layer)
        reason = f"{block.reason} {found.reason}".strip()
        certainty = max(block.certainty, found.certainty, key=CERTAINTIES.index)
        return replace(block, action=action, reason=reason, certainty=certainty)


def measure_field(layout: str, shape: Sequence[int]) -> int:
    """Measure the field of a convolution: how many places a unit sums an input at.

    >>> measure_field("OIHW", (8, 4, 3, 5)), measure_field("OI", (8, 4))
    (15, 1)
    """
    return math.prod(length for letter, length in zip(layout, shape, strict=False) if letter in FIELD)


def plan_segments(segments: Sequence[Segment], published: PublishedModel) -> Iterator[Block]:
    """Yield the blocks of a tensor that is initialized from the segments of a published one."""
    for segment, suffix in zip(segments, name_segments(segments), strict=True):
        action: Action = Constant(segment.value)
        if segment.spec is not None and segment.parameters is not None:
            action = PublishedDraw(segment.spec, segment.parameters, segment.first)
        reason = f"Published in {published.label} as {segment.name}."
        yield Block(action, reason, suffix, segment.rows, segment.axis)


def shorten(names: Iterable[str]) -> str:
    """List names, the first few of them.

    >>> shorten("abcdefghij")
    'a, b, c, d, e, f, g, h and 2 more'
    """
    listed = list(names)
    more = len(listed) - MAX_LISTED
    return ", ".join(listed[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def warn_of_copies(copies: Mapping[str, str], stacklevel: int = 6) -> None:
    """Warn of copies that are kept, while what they are copies of is initialized, by both names."""
    message = (
        f"{shorten(copies)}: kept. They are copies of {shorten(copies.values())}, which are "
        "initialized, and will differ: copy them again, or keep both with rules={name: None}."
    )
    warnings.warn(StaleCopyWarning(message), stacklevel=stacklevel)


def warn_of_unpublished(names: Sequence[str], stacklevel: int = 3) -> None:
    """Warn of the tensors of a model's state that are not published, by their names."""
    if names:
        message = (
            f"{shorten(names)}: not published, since they are of several values, or not known. "
            "What is pulled lacks them: they stay as the model that loads it made them."
        )
        warnings.warn(UnpublishedTensorWarning(message), stacklevel=stacklevel + 1)


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
