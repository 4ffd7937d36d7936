"""Expansion: write out the recipe of a model as fields of its tensors.

A tensor with a role has its own fields, and for the others those of the rule. From the model's defaults it
takes only those that describe its structure, such as layout and dtype, because the rule sets all else.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from service.core.errors import MAX_ERRORS, MISSING, FieldError, SpecError, make_spec_error, name_tensor
from service.core.layer.spread import SPREADS, merge_defaults
from service.core.recipes.patterns import find_layer, find_role
from service.core.recipes.roles import ROLES
from service.core.recipes.rules import FUSED, SPLIT, SQUARE, Recipe, Rule
from service.core.recipes.sizes import MAX_SIZE, ChosenRecipe, count_layers
from service.core.recipes.values import Tensor, measure
from service.core.spelling import find_nearest_names

Fields = dict[str, Any]

#: The fields that a tensor with a role takes from the model's defaults.
STRUCTURE = frozenset({"layout", "groups", "transposed", "stride", "fans_as", "dtype"})
#: The fields of a tensor that replace the rule.
DECISIVE = frozenset({"scheme", *SPREADS, "low", "high", "constant", "values"})
#: The fields of tensors without a layer spec.
UNDRAWN = frozenset({"constant", "values"})
#: The fields of a tensor that only recipes have.
OWN = frozenset({"role", "layer"})
#: The fields of a tensor that do not say how it is drawn.
PLAIN = STRUCTURE | OWN | {"name", "shape", "slice", "copy"}


class Decision(NamedTuple):
    """What decided how a tensor is initialized: role, layer and rule, and the pattern that gave the role."""

    name: str
    role: str | None = None
    layer: int | None = None
    stack: str = ""
    pattern: str | None = None
    rule: Rule | None = None


class Expansion(NamedTuple):
    """A model with its recipe written out: defaults and tensors, and what decided each tensor."""

    recipe: ChosenRecipe
    defaults: Fields
    tensors: list[Fields]
    decisions: tuple[Decision, ...]


def expand_model(recipe: object, defaults: Fields, tensors: list[Fields]) -> Expansion:
    """Write out the recipe of a model. Raises SpecError, with the first MAX_ERRORS broken rules.

    >>> tensors = [{"name": "h.0.mlp.c_proj.weight", "shape": [32, 8]}]
    >>> expand_model({"name": "gpt2", "layers": 2}, {"layout": "IO"}, tensors).tensors
    [{'stddev': 0.01, 'name': 'h.0.mlp.c_proj.weight', 'shape': [32, 8]}]
    """
    for name in OWN & defaults.keys():
        raise make_spec_error(f"defaults.{name}", "must be set on a tensor", defaults[name])
    writer = Writer(
        ChosenRecipe.parse(recipe), defaults, {one["name"]: one for one in tensors if _has_name(one)}
    )
    errors = Errors()
    decisions = []
    for number, fields in enumerate(tensors):
        with errors.collect(name_tensor(number, fields)):
            decisions.append(writer.decide(fields))
    errors.check()
    writer.layers = count_layers(
        (one.stack, one.layer) for one in decisions if one.layer is not None and writer.counts_layers(one)
    )
    written = []
    for number, (fields, decision) in enumerate(zip(tensors, decisions, strict=True)):
        with errors.collect(name_tensor(number, fields)):
            written.append(writer.write(fields, decision))
    errors.check()
    kept = {name: value for name, value in defaults.items() if name in STRUCTURE}
    return Expansion(writer.chosen, kept, written, tuple(decisions))


def refuse_roles(defaults: Fields, tensors: Iterable[Fields]) -> None:
    """Check that a model without a recipe has no roles and layers. Raises SpecError."""
    for name in OWN & defaults.keys():
        raise _refuse_role(f"defaults.{name}", defaults[name])
    for number, tensor in enumerate(tensors):
        parts = tensor.get("parts")
        for index, fields in enumerate([tensor, *(parts if isinstance(parts, list) else ())]):
            for name in OWN & fields.keys() if isinstance(fields, dict) else ():
                part = f".parts[{index - 1}]" if index else ""
                raise _refuse_role(f"{name_tensor(number, tensor)}{part}.{name}", fields[name])


def _refuse_role(place: str, value: object) -> SpecError:
    return make_spec_error(place, "is allowed only in a model with a recipe", value)


class Errors:
    """The errors of a model's tensors."""

    def __init__(self) -> None:
        self.found: list[FieldError] = []

    @contextmanager
    def collect(self, place: str) -> Iterator[None]:
        """Collect the errors that a block raises, except those of the recipe itself, with a path."""
        try:
            yield
        except SpecError as error:
            self.found += [
                one if one.field.startswith("recipe.") else one.within(place) for one in error.errors
            ]

    def check(self) -> None:
        """Raise SpecError if there are errors, each of them once."""
        if self.found:
            raise SpecError(list(dict.fromkeys(self.found))[:MAX_ERRORS])


@dataclass(slots=True)
class Writer:
    """Decides and writes the tensors of one model."""

    chosen: ChosenRecipe
    defaults: Fields
    by_name: Mapping[str, Fields]
    layers: Mapping[str, int] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The recipe."""
        return self.chosen.recipe

    def decide(self, fields: Fields) -> Decision:
        """Decide the role, layer and rule of a tensor. Raises SpecError."""
        name, given = str(fields.get("name", "")), fields.get("role")
        stack, layer = self._read_layer(fields, name)
        if given is not None:
            return Decision(name, given, layer, stack, None, self._find_rule(given))
        if "constant" in fields or "parts" in fields or not isinstance(fields.get("shape"), list):
            return Decision(name, layer=layer, stack=stack)
        rank = len(fields["shape"])
        pattern = find_role(name, rank, self._find_rank, by_kind=self.recipe.by_kind)
        rule = self.recipe.find_rule(pattern.role) if pattern else None
        if pattern and rule:
            return Decision(name, pattern.role, layer, stack, pattern.text, rule)
        if fields.keys() - PLAIN:
            return Decision(name, layer=layer, stack=stack)  # it says itself how it is drawn
        why = f"has no rule for {pattern.role}" if pattern else "has no pattern that fits the name"
        known = ", ".join(self.recipe.list_roles())
        raise make_spec_error(
            "role", f"is required: recipe {self.recipe.name} {why}; roles are {known}", MISSING
        )

    def counts_layers(self, decision: Decision) -> bool:
        """Return whether the rule of a tensor, or one of its parts, depends on the number of layers."""
        rules = self.recipe.split(decision.role or "") or (decision.rule,)
        return any(rule is not None and "layers" in rule.names for rule in rules)

    def _find_rank(self, name: str) -> int | None:
        shape = self.by_name.get(name, {}).get("shape")
        return len(shape) if isinstance(shape, list) else None

    def _read_layer(self, fields: Fields, name: str) -> tuple[str, int | None]:
        found = find_layer(name)
        if (given := fields.get("layer")) is None:
            layer = found[1] if found else None
        elif isinstance(given, int) and not isinstance(given, bool) and 0 <= given < MAX_SIZE:
            layer = given
        else:
            raise make_spec_error("layer", f"must be an integer from 0 to {MAX_SIZE - 1}", given)
        most = self.chosen.sizes.get("layers")
        if layer is not None and most is not None and layer >= most and not self._counts_branches():
            raise make_spec_error("layer", f"must be below {most}, the layers of the recipe", layer)
        return (found[0] if found else ""), layer

    def _counts_branches(self) -> bool:
        # Fixup counts the branches of all stages, whose numbers start from 0 in each.
        return not any(size.counted for size in self.recipe.sizes if size.name == "layers")

    def _find_rule(self, role: object) -> Rule:
        rule = self.recipe.find_rule(role) if isinstance(role, str) and role in ROLES else None
        if rule is None:
            known = self.recipe.list_roles()
            text = f"must be one of recipe {self.recipe.name}: {', '.join(known)}"
            raise make_spec_error("role", text, role, find_nearest_names(role, known))
        return rule

    def write(self, fields: Fields, decision: Decision) -> Fields:
        """Write a tensor. Raises SpecError."""
        own = {name: value for name, value in fields.items() if name not in OWN}
        if decision.rule is None:
            return self._write_described(own, decision)
        if decision.role == FUSED and (stack := self._split(own, decision)):
            return {**_keep(own, "name", "shape", "dtype"), **stack}
        return self._write_rule(own, decision, decision.rule)

    def _write_described(self, own: Fields, decision: Decision) -> Fields:
        """Write a tensor that says itself how it is drawn: all defaults apply, and parts may have roles."""
        if own.keys() & UNDRAWN:
            return own
        if not isinstance(own.get("parts"), list):
            return merge_defaults(self.defaults, own)
        errors = Errors()
        parts = []
        for number, part in enumerate(own["parts"]):
            with errors.collect(f"parts[{number}]"):
                parts.append(self._write_part(part, decision) if isinstance(part, dict) else part)
        errors.check()
        return {**own, "parts": parts}

    def _write_part(self, part: Fields, decision: Decision) -> Fields:
        role = part.get("role")
        bare = {name: value for name, value in part.items() if name not in OWN}
        if role is None:
            return bare if bare.keys() & UNDRAWN else merge_defaults(_drop(self.defaults, "dtype"), bare)
        one = decision._replace(role=role, layer=part.get("layer", decision.layer))
        return self._write_rule(bare, one, self._find_rule(role))

    def _write_rule(self, own: Fields, decision: Decision, rule: Rule) -> Fields:
        drawn = own.keys() - PLAIN
        if own.keys() & DECISIVE:
            return own
        if not (rule.fields or rule.shares or drawn):
            text = f"has values that a model cannot describe, {rule.note}: leave the tensor out"
            raise make_spec_error("role", text, decision.role)
        if rule.shares and not drawn:
            return {**_keep(own, "name", "shape", "dtype"), "parts": _share(own, rule)}
        if rule.fields.keys() & UNDRAWN:
            kept = own if drawn else _drop(own, *STRUCTURE - {"dtype"})
            return kept if drawn else {**self._compute(own, decision, rule), **kept}
        return {**self._compute(own, decision, rule), **own}

    def _compute(self, own: Fields, decision: Decision, rule: Rule) -> Fields:
        names = rule.names
        values = dict(self.chosen.sizes)
        if "layers" in names and "layers" not in values and decision.stack in self.layers:
            values["layers"] = self.layers[decision.stack]
        if decision.layer is not None:
            values["layer"] = decision.layer
        values |= measure(names - values.keys(), own, self.by_name, self.defaults)
        for name in sorted(names - values.keys()):
            if name == "layer":
                raise make_spec_error("layer", f"is required by recipe {self.recipe.name}", MISSING)
            raise self.chosen.refuse_missing(name, str(decision.role))
        fields = rule.compute_fields(values)
        return fields | ({"grid": measure_square(own)} if fields.get("grid") == SQUARE else {})

    def _split(self, own: Fields, decision: Decision) -> Fields | None:
        """Split a fused kernel along its outputs if the rules of its parts differ. Raises SpecError."""
        if own.keys() - PLAIN or not self.recipe.split(FUSED):
            return None
        tensor = Tensor.of(own, self.defaults)
        axis = tensor.letters.find("O")
        if tensor.letters.count("O") != 1 or tensor.shape[axis] % len(SPLIT):
            text = f"must be split, because their rules differ: use parts with the roles {', '.join(SPLIT)}"
            raise make_spec_error("role", text, decision.role)
        shape = list(tensor.shape)
        shape[axis] //= len(SPLIT)
        common = _drop(own, "name", "shape", "dtype")
        parts = [
            self._write_part(
                {"name": f"{decision.name}.{role}", "shape": shape, "role": role, **common}, decision
            )
            for role in SPLIT
        ]
        return {"parts": parts} | ({"axis": axis} if axis else {})


def measure_square(own: Fields) -> list[int]:
    """Return the sides of a square grid of a table of positions. Raises SpecError if it is not one.

    >>> measure_square({"shape": [1, 196, 768]})
    [14, 14]
    """
    shape = own.get("shape")
    places = shape[-2] if isinstance(shape, list) and len(shape) > 1 and isinstance(shape[-2], int) else 0
    side = math.isqrt(max(places, 0))
    if not side or side * side != places:
        raise make_spec_error("shape", "must have positions that make a square", shape)
    return [side, side]


def _share(own: Fields, rule: Rule) -> list[Fields]:
    shape, count = own.get("shape"), len(rule.shares)
    if not (isinstance(shape, list) and shape and isinstance(shape[0], int)) or shape[0] % count:
        raise make_spec_error("shape", f"must have a first axis that {count} divides", shape)
    return [{"shape": [shape[0] // count, *shape[1:]], "constant": value} for value in rule.shares]


def _keep(fields: Fields, *names: str) -> Fields:
    return {name: fields[name] for name in names if name in fields}


def _drop(fields: Fields, *names: str) -> Fields:
    return {name: value for name, value in fields.items() if name not in names}


def _has_name(fields: Fields) -> bool:
    return isinstance(fields.get("name"), str)
