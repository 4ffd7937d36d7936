"""The planner: determine how each tensor of a model is initialized, from rules, layers and graphs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from weightinit.adapters.actions import CERTAINTIES, Action, Block, Constant, Draw, Leave, split_axis
from weightinit.adapters.flow.inference import Inference
from weightinit.adapters.messages import shorten, warn_caller
from weightinit.adapters.rules import (
    ModelRejected,
    Pattern,
    Patterns,
    Rule,
    Rules,
    UnknownActivationWarning,
    apply_rule,
    drop_scheme,
    is_activation,
    split_by_rule,
)

if TYPE_CHECKING:
    from weightinit.spec.fields import LayerFields

FIELD = "DHW"


class Planner:
    """Plans the tensors of one model; `unknown` has the reason for each whose activation is unknown.

    `axis` is the axis along which the framework's kernels pack others: 0 if outputs come first.
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
            names: the tensor's names; a rule may match any of them.
            modules: names of the modules that have the tensor, for rules that set only an activation.
            shape: the tensor's shape.
            blocks: the blocks of the tensor according to its layer; [] if they are unknown.
            infer: returns the activation that follows.
            kept: the block that replaces all blocks that no rule draws.
            axis: the axis along which the tensor packs others. Default: that of the framework.
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

        Raises ModelRejected, with the nearest names, if a pattern matched nothing, unless strict is False.
        Unknown activations cause a warning, or ModelRejected if strict is True.
        """
        if strict is not False:
            self._activations.check_matched(names)
            self._rules.check_matched(names)
        if not self.unknown:
            return
        why = next(iter(self.unknown.values()))
        message = (
            f"{shorten(self.unknown)}: the activation that follows is unknown, and none is assumed. {why} "
            'Set it with rules={name: {"activation": ...}} ("none" if none follows), '
            "or pass the model's inputs as batch=."
        )
        if strict:
            raise ModelRejected(message)
        warn_caller(UnknownActivationWarning(message))

    def _keep(
        self, blocks: list[Block], kept: Block, names: Sequence[str], rule: tuple[str, Rule] | None
    ) -> list[Block]:
        """Return the blocks of a tensor that is kept, except those that a rule draws."""

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
            block = replace(block, action=action, reason=f"{found[0]} sets {found[1]}.")
        own = self._rules.find(own_names, is_drawn=is_drawn) if block.suffix else None
        # A rule for a whole embedding does not apply to its padding row.
        inherited = rule if block.rows is None or is_drawn else None
        if chosen := own or inherited:
            with explain(chosen[0], names[0], shape):
                action = apply_rule(chosen[1], block.action, shape)
            if action != block.action or not isinstance(action, Leave | Constant):
                reason = f"Set by {chosen[0]}."
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
        """Set the activation from the model's graph, if it is needed and not known yet.

        A kernel that packs others, according to the graph, becomes a block for each of them.
        """
        if not isinstance(block.action, Draw) or not block.action.wants_activation:
            return [block]
        found = infer()
        if not found.parts or block.rows is not None:
            return [self._apply_inference(block, found, names, shape)]
        lengths = {name: length for name, (length, _) in found.parts.items()}
        actions = {name: divide_groups(block.action, length, shape, axis) for name, length in lengths.items()}
        reasons = dict.fromkeys(lengths, block.reason)
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
        if found.slope is not None:
            layer["activation_parameter" if block.action.preserves else "negative_slope"] = found.slope
        if found.outputs is not None:
            layer["fan_out"] = found.outputs * measure_field(layer["layout"], shape)
        action = Draw(layer)
        reason = f"{block.reason} {found.reason}".strip()
        certainty = max(block.certainty, found.certainty, key=CERTAINTIES.index)
        return replace(block, action=action, reason=reason, certainty=certainty)


def divide_groups(draw: Draw, length: int, shape: Sequence[int], axis: int) -> Draw:
    """Return the draw of a part of a grouped convolution, with the part's share of the groups.

    >>> divide_groups(Draw({"layout": "OIW", "groups": 6}), 4, (12, 1, 3), 0).layer
    {'layout': 'OIW', 'groups': 2}
    """
    groups = draw.layer.get("groups", 1)
    if groups == 1:
        return draw
    own, rest = divmod(groups * length, shape[axis])
    if not rest:
        return Draw({**draw.layer, "groups": own})
    fan_out = shape[axis] // groups * measure_field(draw.layer["layout"], shape)
    return Draw({**draw.layer, "groups": 1, "fan_out": fan_out})


def measure_field(layout: str, shape: Sequence[int]) -> int:
    """Return the size of a convolution's receptive field, 1 without spatial axes.

    >>> measure_field("OIHW", (8, 4, 3, 5)), measure_field("OI", (8, 4))
    (15, 1)
    """
    return math.prod(length for letter, length in zip(layout, shape, strict=False) if letter in FIELD)


@contextmanager
def explain(citation: str, name: str, shape: Sequence[int]) -> Iterator[None]:
    """Add the rule and the tensor to ModelRejected errors that a block raises."""
    try:
        yield
    except ModelRejected as error:
        raise ModelRejected(f"{citation}, for {name} {list(shape)}: {error}") from None
