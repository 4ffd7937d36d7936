"""Recipes: how published code bases initialize whole models."""

from service.core.recipes.expansion import OWN, Decision, Expansion, expand_model, refuse_roles
from service.core.recipes.rules import Recipe, Rule, Size
from service.core.recipes.table import RECIPES

__all__ = [
    "OWN",
    "RECIPES",
    "Decision",
    "Expansion",
    "Recipe",
    "Rule",
    "Size",
    "expand_model",
    "refuse_roles",
]
