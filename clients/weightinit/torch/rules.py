"""Rules: what a user says about how a parameter starts."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import cast

from weightinit.patterns import ModelRejected
from weightinit.spec import LayerFields
from weightinit.torch.starts import Block, Constant, Draw, Keep, Start, split_rows


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


def apply_rule(rule: Rule, start: Start | None, shape: tuple[int, ...]) -> Start:
    """Return how a block of that shape starts under a rule, `start` being how it would otherwise.

    Raises ModelRejected.

    >>> apply_rule("he_normal", Draw({"layout": "OI"}), (4, 3))
    Draw(layer={'layout': 'OI', 'scheme': 'he_normal'})
    >>> apply_rule({"stddev": 0.5}, None, (4, 3)).layer["scale"]
    0.25
    """
    if rule is None:
        return Keep()
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
