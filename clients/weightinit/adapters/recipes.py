"""Recipes for the models of frameworks: send the tensors to the service, and plan what it answers.

The service alone knows the rules of recipes. A client sends what it knows of each tensor: the name, the
shape, the axes, what a rule of the user sets, and, for the recipe of a framework, the role by its layer.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from weightinit.adapters.actions import Action, Block, Draw, Leave, Unknown
from weightinit.adapters.messages import shorten
from weightinit.adapters.plan import PlannedTensor, Rename, plan_segments
from weightinit.adapters.published import PublishedModel
from weightinit.adapters.rules import ModelRejected, Patterns, Rule, Rules, apply_rule
from weightinit.client import Client
from weightinit.errors import FieldError, SpecRejected
from weightinit.models import TensorSpec
from weightinit.models.expansion import ExpandedModel, ExpandedTensor
from weightinit.spec.dtypes import DTYPES
from weightinit.spec.layer import to_plain

# The name of a recipe, or an object with it and with sizes such as layers.
Recipe = str | Mapping[str, object]

# The recipes of frameworks, whose roles are kinds of layers.
OF_FRAMEWORKS = frozenset({"torch", "keras", "flax"})
# The fields that describe the axes of a kernel.
STRUCTURE = ("layout", "groups", "transposed", "stride")
# A tensor in an error of the service, and the field.
PLACE = re.compile(r'tensors\["(.*)"\]\.?(.*)', re.DOTALL)
ADVICE = 'set what they are with rules={name: {"role": ...}}, or leave one as it is with rules={name: None}'


@dataclass(frozen=True, slots=True)
class RecipeTensor:
    """A tensor of a model that a recipe is for; `target` is the framework's own.

    `fields` are sent: its axes, and a role or constant, which `kind` gave. `kept` replaces the recipe, and
    `overlays` are blocks of constants within the tensor, such as the padding row of a table.
    """

    names: Sequence[str]
    modules: Sequence[str]
    shape: tuple[int, ...]
    dtype: str
    target: Any
    fields: Mapping[str, object] = field(default_factory=dict)
    kind: str = ""
    kept: Block | None = None
    overlays: Sequence[Block] = ()


class Entry(NamedTuple):
    """A tensor with the name and the fields that are sent, and what set them; `kept` if it is not drawn."""

    tensor: RecipeTensor
    name: str
    fields: Mapping[str, object]
    origin: str = ""
    kept: Block | None = None

    @property
    def is_sent(self) -> bool:
        """Whether the service needs it: one that is kept may be beside others, unless it cannot have a σ."""
        can_be_drawn = bool(self.tensor.shape) and 0 not in self.tensor.shape and self.tensor.dtype in DTYPES
        return self.kept is None or can_be_drawn

    def to_json(self) -> dict[str, object]:
        """Return the tensor for the service. One that is kept is sent too, for the biases beside it."""
        dtype = {"dtype": self.tensor.dtype} if self.tensor.dtype in DTYPES else {}
        own = dict(self.fields) if self.kept is None else {**self.fields, "stddev": 1.0}
        return {"name": self.name, "shape": list(self.tensor.shape), **dtype, **own}


class RecipePlan(NamedTuple):
    """The plan of a model with a recipe: its blocks, the recipe with its sizes, and specs by name."""

    tensors: list[PlannedTensor]
    recipe: Mapping[str, object]
    specs: Mapping[str, TensorSpec]


def name_recipe(recipe: Recipe) -> str:
    """Return the name of a recipe, for messages.

    >>> name_recipe({"name": "gpt2", "layers": 12}), name_recipe("bert")
    ('gpt2', 'bert')
    """
    return str(recipe.get("name", recipe)) if isinstance(recipe, Mapping) else str(recipe)


def is_of_framework(recipe: Recipe) -> bool:
    """Return whether a recipe is that of a framework, whose roles are kinds of layers."""
    return name_recipe(recipe) in OF_FRAMEWORKS


def refuse_reference(recipe: Recipe | None) -> None:
    """Refuse a recipe beside the reference of a published model. Raises ModelRejected."""
    if recipe is not None:
        raise ModelRejected(
            "recipe must not be given: the published model says how each tensor is initialized"
        )


def find_structure(blocks: Sequence[Block]) -> dict[str, object]:
    """Return the axes and groups of a kernel, given its blocks; {} for other tensors.

    >>> find_structure([Block(Draw({"layout": "OI", "fan_in": 3}))])
    {'layout': 'OI'}
    """
    layers = (dict(one.action.layer) for one in blocks if isinstance(one.action, Draw))
    found: dict[str, object] = next(layers, {})
    return {name: value for name, value in found.items() if name in STRUCTURE and value != 1}


def plan_recipe(
    recipe: Recipe,
    seed: int,
    tensors: Sequence[RecipeTensor],
    *,
    layout: str,
    rules: Rules | None,
    rename: Rename,
    client: Client,
    strict: bool | None,
) -> RecipePlan:
    """Plan a model's tensors by a recipe. A `layout` is for tensors whose axes are unknown.

    Raises ModelRejected, which lists the tensors that the recipe has no role for, unless strict is False, and
    the client's errors.
    """
    patterns = Patterns("rules", rules)
    entries = [make_entry(tensor, patterns, rename) for tensor in tensors]
    overlays = {entry.name: plan_overlays(entry.tensor, patterns) for entry in entries}
    if strict is not False:
        patterns.check_matched([tensor.names[0] for tensor in tensors])
    request = Request(recipe, seed, layout, client)
    expanded, entries = request.expand(entries, strict=strict)
    drawn = {entry.name for entry in entries if entry.kept is None}
    specs = {tensor.name: tensor for tensor in expanded.model.tensors if tensor.name in drawn}
    model = replace(expanded.model, tensors=tuple(specs.values()))
    published = PublishedModel.of(request.label, expanded.id, model, client.model_parameters(model))
    decisions = {tensor.name: tensor for tensor in expanded.tensors}
    plan = []
    for entry in entries:
        source, decision = published.find(entry.name), decisions.get(entry.name)
        if entry.kept is not None or source is None:
            plan += [make_planned(entry, entry.kept or Block(Unknown()))]
            continue
        reason = explain_decision(request.label, decision, entry.origin)
        made = [replace(one, reason=reason) for one in plan_segments(source.segments, published)]
        plan += [replace(make_planned(entry, block), decision=decision) for block in made]
        plan += [make_planned(entry, block) for block in overlays[entry.name]]
    return RecipePlan(plan, expanded.recipe or {}, specs)


def make_entry(tensor: RecipeTensor, patterns: Patterns[Rule], rename: Rename) -> Entry:
    """Return what to send for a tensor under the rules. Raises ModelRejected."""
    name, found = rename(tensor.names[0]), patterns.find(tensor.names, tensor.modules)
    if 0 in tensor.shape:
        return Entry(tensor, name, {}, kept=Block(Leave(), "It has no elements."))
    structure = {key: value for key, value in tensor.fields.items() if key in STRUCTURE}
    if found is None:
        fields = structure if tensor.kept else tensor.fields
        return Entry(tensor, name, fields, tensor.kind, tensor.kept)
    citation, rule = found
    if rule is None:
        return Entry(tensor, name, structure, citation, Block(Leave(by_rule=True), f"Set by {citation}."))
    if isinstance(rule, int | float):
        return Entry(tensor, name, {"constant": float(rule)}, citation)
    given: Mapping[str, object] = {"scheme": rule} if isinstance(rule, str) else rule
    if "parts" in given:
        raise ModelRejected(f"{citation}, for {tensor.names[0]}: parts cannot be set beside a recipe")
    own = {key: to_plain(value) for key, value in given.items()}
    known = structure if {"constant", "role"} & own.keys() else tensor.fields
    return Entry(tensor, name, {**known, **own}, citation)


def plan_overlays(tensor: RecipeTensor, patterns: Patterns[Rule]) -> list[Block]:
    """Return the blocks of constants within a tensor, under rules for their own names."""
    planned = []
    for block in tensor.overlays:
        action: Action = block.action
        if own := patterns.find(block.extend(tensor.names)):
            action = apply_rule(own[1], block.action, tensor.shape)
        planned.append(replace(block, action=action))
    return planned


@dataclass(frozen=True, slots=True)
class Request:
    """A recipe to write out by a service for the tensors of a model."""

    recipe: Recipe
    seed: int
    layout: str
    client: Client

    @property
    def label(self) -> str:
        """The recipe, for messages."""
        return f"recipe {name_recipe(self.recipe)}"

    def expand(self, entries: Sequence[Entry], *, strict: bool | None) -> tuple[ExpandedModel, list[Entry]]:
        """Write out the recipe; return the entries, without roles for some if strict is False.

        Raises ModelRejected for tensors, and SpecRejected for the recipe itself.
        """
        entries = list(entries)
        while True:
            try:
                return self._send(entries), entries
            except SpecRejected as error:
                lacking = {place.name for one in error.errors if (place := locate(one)) and place.is_role}
                known = {entry.name for entry in entries if entry.kept is None} & lacking
                if strict is not False or not known:
                    raise explain(error, self.label, entries) from None
                block = Block(Unknown(), f"It has no role in {self.label}.", certainty="unknown")
                entries = [
                    one._replace(fields={}, kept=block) if one.name in known else one for one in entries
                ]

    def _send(self, entries: Sequence[Entry]) -> ExpandedModel:
        return self.client.expand(
            {
                "seed": str(self.seed),
                "recipe": to_json(self.recipe),
                "defaults": {"layout": self.layout},
                "tensors": [entry.to_json() for entry in entries if entry.is_sent],
            }
        )


def to_json(recipe: Recipe) -> object:
    """Return a recipe for JSON, with Python's numbers."""
    if isinstance(recipe, Mapping):
        return {name: to_plain(value) for name, value in recipe.items()}
    return recipe


class Place(NamedTuple):
    """The tensor and the field that an error of the service is about."""

    name: str
    field: str

    @property
    def is_role(self) -> bool:
        """Whether the tensor needs a role, or has one that the recipe does not describe."""
        return self.field == "role"


def locate(error: FieldError) -> Place | None:
    """Return the tensor and the field that an error is about; None if it is about none.

    >>> locate(FieldError('tensors["fc.weight"].role', "is required", "", ""))
    Place(name='fc.weight', field='role')
    """
    found = PLACE.fullmatch(error.field)
    return Place(*found.groups()) if found else None


def explain(error: SpecRejected, label: str, entries: Sequence[Entry]) -> Exception:
    """Return the error for tensors that a recipe cannot initialize, by the names of the model.

    An error of the service that is not about tensors is returned as it is.
    """
    tensors = {entry.name: entry.tensor for entry in entries}
    by_rule: dict[str, list[str]] = {}
    for one in error.errors:
        if (place := locate(one)) is None:
            return error
        known = tensors.get(place.name)
        name = f"{known.names[0]} {list(known.shape)}" if known else place.name
        by_rule.setdefault(f"{place.field} {one.rule}".strip(), []).append(name)
    if not by_rule:
        return error
    listed = "; ".join(f"{shorten(names)}: {rule}" for rule, names in by_rule.items())
    return ModelRejected(f"{label} does not fit these tensors: {listed}. For these, {ADVICE}")


def explain_decision(label: str, decision: ExpandedTensor | None, origin: str) -> str:
    """Return why a tensor is initialized as it is, in a sentence; `origin` is what set the fields sent."""
    if decision is None or decision.role is None:
        return f"Set by {origin}."
    layer = "" if decision.layer is None else f", layer {decision.layer}"
    by = f"pattern {decision.pattern}" if decision.pattern else origin
    also = f" {origin} sets other fields." if decision.pattern and origin else ""
    rule = f"{decision.formula} ({decision.source})"
    return f"{decision.role} of {label}{layer}: {rule}. Its role is by {by}.{also}"


def make_planned(entry: Entry, block: Block) -> PlannedTensor:
    """Return the planned tensor of a block."""
    tensor = entry.tensor
    return PlannedTensor.of(tensor.names, tensor.shape, tensor.dtype, block, tensor.target)
