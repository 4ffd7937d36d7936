"""Rules: set how tensors are initialized, by patterns of their names.

```
WeightinitError
├── ModelRejected    a model is incomplete, or rules do not fit it   (also ValueError)
└── TensorRejected   a tensor cannot be filled                       (also ValueError)
```
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import translate
from typing import Generic, TypeVar, cast

from weightinit.adapters.actions import Action, Block, Constant, Draw, Leave, split_axis
from weightinit.errors import WeightinitError
from weightinit.spec.fields import LayerFields, find_scheme, gives_spread, imply_scheme, merge_defaults

T = TypeVar("T")

# The fields that affect the variance only through the fans and the activation.
AXES = frozenset(["layout", "groups", "transposed", "stride", "activation"])
ACTIVATION = frozenset(["activation"])


class ModelRejected(WeightinitError, ValueError):  # noqa: N818 - named after what went wrong, as all here
    """A model cannot be initialized: names are ambiguous, values or axes are unknown, or rules do not fit."""


class TensorRejected(WeightinitError, ValueError):  # noqa: N818
    """A tensor cannot be filled, because of its device, dtype, memory layout or placement."""


class UnknownActivationWarning(UserWarning):
    """The activations after some layers are unknown; none is assumed."""


class StaleCopyWarning(UserWarning):
    """Frozen copies of trained parts are kept, and differ from their originals once these are initialized."""


class UnpublishedTensorWarning(UserWarning):
    """Tensors of a model's state are not published, because their values are unknown; files lack them."""


class RuleFields(LayerFields, total=False):
    """A rule with several fields: those of a layer, and `parts`.

    `parts` names kernels that are packed along one axis: of equal lengths, or a mapping to their lengths.
    `role` and `layer` are what a recipe takes the tensor for.
    """

    parts: Iterable[str] | Mapping[str, int]
    role: str
    layer: int


# The name of a scheme, one value for all elements, several fields, or None to leave the tensor as it is.
Rule = str | float | RuleFields | None
# A glob, in which `*` matches separators too, or a compiled regular expression, for the whole name.
Pattern = str | re.Pattern[str]
Rules = Mapping[Pattern, Rule]

FIELDS = (*LayerFields.__annotations__, "parts")
OF_RECIPES = frozenset(["role", "layer"])


def apply_rule(rule: Rule, action: Action | None, shape: tuple[int, ...]) -> Action:
    """Return the action for a tensor or block of a shape under a rule; `action` is that without the rule.

    A rule without a layout is for kernels: other tensors keep their action. Raises ModelRejected if a
    tensor is drawn and its layout is unknown.

    >>> apply_rule("he_normal", Draw({"layout": "OI"}), (4, 3))
    Draw(layer={'layout': 'OI', 'scheme': 'he_normal'})
    >>> apply_rule({"stddev": 0.5}, None, (4, 3))
    Draw(layer={'stddev': 0.5, 'scheme': 'explicit', 'layout': 'BB'})
    """
    if rule is None:
        return Leave(by_rule=True)
    if isinstance(rule, int | float):
        return Constant(float(rule))
    fields = read_fields({"scheme": rule} if isinstance(rule, str) else rule)
    if (value := find_constant(fields)) is not None:
        return Constant(value)
    known: LayerFields = action.layer if isinstance(action, Draw) else {}
    if gives_spread(fields):
        known = keep_axes(known)
    elif "scheme" in fields or "activation" in fields:
        known = drop_scheme(known)
    # A kernel keeps its axes under another scheme, but not the fans that this scheme has no use for.
    layer = cast("LayerFields", merge_defaults(known, fields))
    if "layout" in layer:
        return Draw(layer)
    if layer.get("scheme") == "explicit" or ("fan_in" in layer and "fan_out" in layer):
        return Draw({**layer, "layout": "B" * len(shape)})  # canonical order is then the order in memory
    if action is not None and not isinstance(action, Draw):
        return action
    raise ModelRejected("must give layout, a letter for each axis, or fan_in and fan_out, or stddev")


def is_activation(value: object) -> bool:
    """Return whether a rule sets only an activation.

    >>> is_activation({"activation": "relu"}), is_activation({"activation": "relu", "scheme": "he"})
    (True, False)
    """
    return isinstance(value, Mapping) and value.keys() == ACTIVATION


def read_fields(rule: RuleFields) -> LayerFields:
    """Return the fields of a layer that a rule gives. Raises ModelRejected."""
    for key in rule:
        if key in OF_RECIPES:
            raise ModelRejected(f"has {key!r}, which is for models with recipe=")
        if key not in FIELDS:
            near = get_close_matches(key, FIELDS, n=1)
            raise ModelRejected(f"has no field {key!r}" + (f". Did you mean {near[0]}?" if near else ""))
    fields = {key: value for key, value in rule.items() if key in LayerFields.__annotations__}
    if fields.get("scheme", "auto") == "auto" and (implied := imply_scheme(fields)) != "auto":
        fields["scheme"] = implied
    return cast("LayerFields", fields)


# The value of each scheme of one value; None if the rule sets it.
CONSTANTS = {"constant": None, "zeros": 0.0, "ones": 1.0}


def find_constant(fields: LayerFields) -> float | None:
    """Return the value of a rule that sets all elements to one; None for others, which the service validates.

    >>> find_constant({"scheme": "zeros"}), find_constant({"scheme": "constant", "constant": 0.5})
    (0.0, 0.5)
    """
    scheme, given = find_scheme(fields.get("scheme")), fields.get("constant")
    if scheme not in CONSTANTS or fields.keys() - AXES - {"scheme", "constant"}:
        return None
    value = CONSTANTS[scheme]
    if value is None:
        return float(given) if isinstance(given, int | float) else None
    return value if given is None else None


def drop_scheme(layer: LayerFields) -> LayerFields:
    """Return a layer without its scheme and the fields that modify it."""
    return keep_axes(layer) if "scheme" in layer else layer


def keep_axes(layer: LayerFields) -> LayerFields:
    """Return the axes, groups and activation of a layer."""
    return cast("LayerFields", {key: value for key, value in layer.items() if key in AXES})


def split_by_rule(rule: Rule, blocks: list[Block], shape: tuple[int, ...], axis: int = 0) -> list[Block]:
    """Return the blocks that a rule's `parts` split a tensor into along an axis; `blocks` if it has none.

    Raises ModelRejected.
    """
    if not isinstance(rule, Mapping) or "parts" not in rule:
        return blocks
    parts, length = rule["parts"], shape[axis]
    names = list(parts)
    rows = dict(parts) if isinstance(parts, Mapping) else dict.fromkeys(names, length // max(1, len(names)))
    if not names or sum(rows.values()) != length or min(rows.values()) < 1:
        raise ModelRejected(f"must split {length} rows; received parts {parts!r}")
    # The other fields of the rule apply to each part, over the action of the whole.
    action = blocks[0].action if blocks else Draw({})
    return split_axis(rows, dict.fromkeys(names, action), dict.fromkeys(names, ""), axis)


class Patterns(Generic[T]):
    """Values by pattern; `argument` is their name in messages."""

    def __init__(self, argument: str, values: Mapping[Pattern, T] | None) -> None:
        self._argument = argument
        self._values = dict(values or {})
        self._matched: set[Pattern] = set()

    def find(
        self, names: Iterable[str], modules: Sequence[str] = (), *, is_drawn: bool = True
    ) -> tuple[str, T] | None:
        """Return the first pattern that matches one of the names, as cited in messages, and its value.

        A value that sets only an activation applies to drawn tensors, and its pattern may match the name
        of a module (or layer) as well.
        """
        names, modules = list(names), list(modules)
        hits = []
        for pattern, value in self._values.items():
            of_activation = is_activation(value)
            candidates = [*names, *modules] if of_activation else names
            if (is_drawn or not of_activation) and any(matches(pattern, name) for name in candidates):
                hits.append(pattern)
        self._matched.update(hits)
        return (self._cite(hits[0]), self._values[hits[0]]) if hits else None

    def check_matched(self, names: Iterable[str]) -> None:
        """Check that every pattern has matched. Raises ModelRejected, with the nearest of the names."""
        names = list(names)
        for pattern in self._values:
            if pattern not in self._matched:
                near = get_close_matches(read_text(pattern), names, n=3, cutoff=0.5)
                advice = f". Did you mean {' or '.join(near)}?" if near else ""
                raise ModelRejected(f"{self._cite(pattern)} matches none of the {len(names)} tensors{advice}")

    def _cite(self, pattern: Pattern) -> str:
        return f"{self._argument}[{read_text(pattern)!r}]"


def matches(pattern: Pattern, name: str) -> bool:
    """Return whether a pattern matches a whole name.

    >>> matches("blocks.*.weight", "blocks.0.mlp.weight"), matches(re.compile(r"fc[0-9]"), "fc10")
    (True, False)
    """
    compiled = re.compile(translate(pattern)) if isinstance(pattern, str) else pattern
    return compiled.fullmatch(name) is not None


def read_text(pattern: Pattern) -> str:
    """Return the text of a pattern."""
    return pattern if isinstance(pattern, str) else pattern.pattern
