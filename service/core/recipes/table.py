"""The table of recipes: a row for each, from the tables of their kinds."""

from service.core.recipes.frameworks import FRAMEWORKS
from service.core.recipes.language import LANGUAGE
from service.core.recipes.residual import RESIDUAL
from service.core.recipes.rules import Recipe
from service.core.recipes.vision import VISION
from service.core.spelling import find_nearest_names, fold_name

RECIPES: dict[str, Recipe] = {
    row.name: row for table in (LANGUAGE, VISION, RESIDUAL, FRAMEWORKS) for row in table
}
_BY_FOLDED_NAME = {fold_name(name): row for name, row in RECIPES.items()}


def find_recipe(name: str) -> Recipe | None:
    """Find a recipe by its name, ignoring case, underscores and hyphens.

    >>> find_recipe("GPT-2").name
    'gpt2'
    """
    return _BY_FOLDED_NAME.get(fold_name(name))


def suggest_recipes(name: object) -> tuple[str, ...]:
    """Suggest the recipes nearest to a wrong name.

    >>> suggest_recipes("gpt3")
    ('gpt2',)
    """
    return find_nearest_names(name, RECIPES)
