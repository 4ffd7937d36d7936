"""Rules: what a user says about how a parameter starts."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import translate
from typing import Generic, TypeVar, cast

from weightinit.adapters.rules import ModelRejected
from weightinit.spec.layer import LayerFields
from weightinit.torch.entries import Action, Block, Constant, Draw, Leave, split_rows


class RuleFields(LayerFields, total=False):
    """A rule of several words: the keywords of a layer, and two more.

    `stddev` asks for a normal distribution of that standard deviation, whatever the fans. `parts` names
    kernels that are packed along axis 0, of equally many rows or of as many as a mapping says.
    """

    stddev: float
    parts: Iterable[str] | Mapping[str, int]


# The name of a scheme, one value for all elements, several words, or None to leave what is there.
Rule = str | float | RuleFields | None

KEYS = (*LayerFields.__annotations__, "stddev", "parts")


def apply_rule(rule: Rule, start: Action | None, shape: tuple[int, ...]) -> Action:
    """Return how a block of that shape starts under a rule, `start` being how it would otherwise.

    Raises ModelRejected.

    >>> apply_rule("he_normal", Draw({"layout": "OI"}), (4, 3))
    Draw(layer={'layout': 'OI', 'scheme': 'he_normal'})
    >>> apply_rule({"stddev": 0.5}, None, (4, 3)).layer["scale"]
    0.25
    """
    if rule is None:
        return Leave()
    if isinstance(rule, int | float):
        return Constant(float(rule))
    said = read_fields({"scheme": rule} if isinstance(rule, str) else rule)
    known: LayerFields = start.layer if isinstance(start, Draw) else {}
    if "scheme" in said or "activation" in said:
        known = drop_scheme(known)
    layer: LayerFields = {**known, **said}
    if "layout" not in layer:
        if "fan_in" not in layer or "fan_out" not in layer:
            raise ModelRejected("must say layout, a letter for each axis, or fan_in and fan_out, or stddev")
        layer["layout"] = "B" * len(shape)  # canonical order is then the order in memory
    return Draw(layer)


def read_fields(rule: RuleFields) -> LayerFields:
    """Read what a rule says about a layer. Raises ModelRejected."""
    for key in rule:
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            raise ModelRejected(f"must not say {key!r}" + (f". Did you mean {near[0]}?" if near else ""))
    said = {key: value for key, value in rule.items() if key in LayerFields.__annotations__}
    if "stddev" in rule:
        said = spell_stddev(rule["stddev"]) | said
    return cast("LayerFields", said)


def spell_stddev(stddev: float) -> dict[str, object]:
    """Spell a standard deviation as a scheme: σ² = scale / fan, with a fan of 1."""
    return {
        "scheme": "variance_scaling",
        "scale": stddev * stddev,
        "mode": "fan_in",
        "fan_in": 1,
        "fan_out": 1,
        "distribution": "normal",
    }


def drop_scheme(layer: LayerFields) -> LayerFields:
    """Drop a layer's own scheme, and the fans that it was made for, for another or the activation's."""
    dropped = {"scheme", "fan_in", "fan_out"} if "scheme" in layer else set()
    return cast("LayerFields", {key: value for key, value in layer.items() if key not in dropped})


def split_by_rule(rule: Rule, blocks: list[Block], shape: tuple[int, ...]) -> list[Block]:
    """Split a parameter into the parts that a rule names; return its blocks as they are where it names none.

    Raises ModelRejected.
    """
    if not isinstance(rule, Mapping) or "parts" not in rule:
        return blocks
    parts = rule["parts"]
    names = list(parts)
    rows = dict(parts) if isinstance(parts, Mapping) else dict.fromkeys(names, shape[0] // max(1, len(names)))
    if not names or sum(rows.values()) != shape[0] or min(rows.values()) < 1:
        raise ModelRejected(f"must split {shape[0]} rows; received parts {parts!r}")
    # The rest of the rule says how each starts, over what was known of the whole.
    start = blocks[0].start if blocks else Draw({})
    return split_rows(rows, dict.fromkeys(names, start), dict.fromkeys(names, ""))


Pattern = str | re.Pattern[str]
T = TypeVar("T")


class Patterns(Generic[T]):
    """Values by pattern, which came in under the name of an argument."""

    def __init__(self, argument: str, values: Mapping[Pattern, T] | None) -> None:
        self._argument = argument
        self._values = dict(values or {})
        self._matched: set[Pattern] = set()

    def find(self, names: Iterable[str]) -> tuple[str, T] | None:
        """Find the first pattern that matches one of the names: how to cite it, and its value."""
        names = list(names)
        hits = [pattern for pattern in self._values if any(matches(pattern, name) for name in names)]
        self._matched.update(hits)
        return (self._cite(hits[0]), self._values[hits[0]]) if hits else None

    def check_matched(self, names: Iterable[str]) -> None:
        """Check that every pattern has matched. Raises ModelRejected, with the nearest of the names."""
        names = list(names)
        for pattern in self._values:
            if pattern not in self._matched:
                near = get_close_matches(read_text(pattern), names, n=3, cutoff=0.5)
                advice = f". Did you mean {' or '.join(near)}?" if near else ""
                raise ModelRejected(f"{self._cite(pattern)} matches nothing that is drawn{advice}")

    def _cite(self, pattern: Pattern) -> str:
        return f"{self._argument}[{read_text(pattern)!r}]"


def matches(pattern: Pattern, name: str) -> bool:
    """Tell whether a pattern matches a name.

    >>> matches("blocks.*.weight", "blocks.0.mlp.weight"), matches(re.compile(r"fc[0-9]"), "fc10")
    (True, False)
    """
    compiled = re.compile(translate(pattern)) if isinstance(pattern, str) else pattern
    return compiled.fullmatch(name) is not None


def read_text(pattern: Pattern) -> str:
    """Return the text of a pattern."""
    return pattern if isinstance(pattern, str) else pattern.pattern
