"""Sizes: the recipe of a model with the numbers it was given, and the layers counted from names."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

from service.core.errors import MISSING, FieldError, SpecError, make_spec_error
from service.core.recipes.expressions import Number
from service.core.recipes.rules import Recipe, Size
from service.core.recipes.table import RECIPES, find_recipe, suggest_recipes
from service.core.spelling import find_nearest_names

MAX_SIZE = 10**9


class ChosenRecipe(NamedTuple):
    """A recipe, and the sizes that the model gives."""

    recipe: Recipe
    sizes: Mapping[str, Number]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Parse the field `recipe` of a model: a name, or an object with a name and sizes. Raises SpecError.

        >>> ChosenRecipe.parse({"name": "gpt2", "layers": 12}).sizes
        {'sigma': 0.02, 'layers': 12}
        """
        given = {"name": value} if isinstance(value, str) else value
        if not isinstance(given, dict):
            raise make_spec_error("recipe", "must be a name, or an object with a name and sizes", value)
        name = given.get("name", MISSING)
        recipe = find_recipe(name) if isinstance(name, str) else None
        if recipe is None:
            rule = f"must be one of {', '.join(RECIPES)}"
            raise make_spec_error("recipe.name", rule, name, suggest_recipes(name))
        rows = {size.name: size for size in recipe.sizes}
        defaults = {size.name: size.default for size in recipe.sizes if size.default is not None}
        errors = [error for field, one in given.items() if (error := _check(recipe, rows, field, one))]
        if errors:
            raise SpecError(errors)
        return cls(recipe, defaults | {field: one for field, one in given.items() if field != "name"})

    def refuse_missing(self, size: str, role: str) -> SpecError:
        """Return the error for a size that the rule of a role needs and the model does not give."""
        rule = f"is required by recipe {self.recipe.name} for the role {role}"
        return make_spec_error(f"recipe.{size}", rule, MISSING)


def _check(recipe: Recipe, rows: Mapping[str, Size], field: str, value: object) -> FieldError | None:
    if field == "name":
        return None
    if field not in rows:
        known = f"has the sizes {', '.join(rows)}" if rows else "has no sizes"
        rule = f"is not a size: recipe {recipe.name} {known}"
        return FieldError.of(f"recipe.{field}", rule, value, find_nearest_names(field, rows))
    if isinstance(value, bool) or not isinstance(value, int if rows[field].whole else (int, float)):
        kind = "an integer" if rows[field].whole else "a number"
        return FieldError.of(f"recipe.{field}", f"must be {kind}", value)
    if not 0 < value <= MAX_SIZE:
        return FieldError.of(f"recipe.{field}", f"must be above 0 and at most {MAX_SIZE}", value)
    return None


def count_layers(found: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Count the layers of each stack from the numbers in names. A stack that lacks one is left out.

    >>> count_layers([("h.", 0), ("h.", 1), ("h.", 1), ("g.", 1)])
    {'h.': 2}
    """
    numbers: dict[str, set[int]] = {}
    for stack, layer in found:
        numbers.setdefault(stack, set()).add(layer)
    return {stack: len(seen) for stack, seen in numbers.items() if max(seen) == len(seen) - 1}
