"""Responses of recipes: the table of them, and a model whose recipe is written out."""

from dataclasses import dataclass
from typing import Any, Self

import orjson

from service.core.models import ParsedModel
from service.core.recipes import Decision, Recipe, Rule, Size


@dataclass(frozen=True, slots=True)
class RecipeSize:
    """A number that a recipe takes of the whole model. `counted` ones are counted from names by default."""

    name: str
    text: str
    default_value: float | None
    counted: bool
    whole: bool

    @classmethod
    def of(cls, size: Size) -> Self:
        """Make the description of a size."""
        return cls(size.name, size.text, size.default, size.counted, size.whole)


@dataclass(frozen=True, slots=True)
class RecipeRule:
    """How tensors of some roles are initialized: fields of a spec, with expressions, and the source.

    An empty formula means that a model cannot describe the values, which `note` explains.
    """

    roles: tuple[str, ...]
    formula: str
    source: str
    note: str

    @classmethod
    def of(cls, rule: Rule) -> Self:
        """Make the description of a rule."""
        return cls(rule.roles, rule.formula, rule.source, rule.note)


@dataclass(frozen=True, slots=True)
class RecipeRow:
    """A recipe: how a published code base initializes each tensor of a model, by its role."""

    name: str
    title: str
    reference: str
    sizes: tuple[RecipeSize, ...]
    rules: tuple[RecipeRule, ...]

    @classmethod
    def of(cls, row: Recipe) -> Self:
        """Make the row of a recipe."""
        sizes = tuple(RecipeSize.of(size) for size in row.sizes)
        rules = tuple(RecipeRule.of(rule) for rule in row.rules)
        return cls(row.name, row.title, row.reference, sizes, rules)


@dataclass(frozen=True, slots=True)
class ExpandedTensor:
    """What decided how a tensor is initialized. All but the name are null if the tensor says it itself.

    `pattern` is the regular expression that gave the role, or null if the tensor has a `role`.
    """

    name: str
    role: str | None
    layer: int | None
    pattern: str | None
    formula: str | None
    source: str | None

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """Make the description of a decision."""
        rule = decision.rule
        return cls(
            decision.name,
            decision.role,
            decision.layer if rule else None,
            decision.pattern,
            rule.formula if rule else None,
            rule.source if rule else None,
        )


@dataclass(frozen=True, slots=True)
class CanonicalModel:
    """A model that is not published: its id, its canonical form, and what decided each tensor.

    `recipe` has the sizes that were given and the defaults of others. Without a recipe it is null, and the
    list of tensors is empty; otherwise that is in the order of the request.
    """

    id: str
    model: dict[str, Any]
    recipe: dict[str, Any] | None
    tensors: tuple[ExpandedTensor, ...]


def render_canonical(parsed: ParsedModel) -> bytes:
    """Render a CanonicalModel, with the canonical form as it is."""
    expansion = parsed.expansion
    chosen = expansion and {"name": expansion.recipe.recipe.name, **expansion.recipe.sizes}
    tensors = tuple(ExpandedTensor.of(one) for one in expansion.decisions) if expansion else ()
    return orjson.dumps(
        {
            "id": parsed.model.id,
            "model": orjson.Fragment(parsed.model.canonical),
            "recipe": chosen,
            "tensors": tensors,
        }
    )
