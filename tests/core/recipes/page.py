"""Write docs/recipes.md: its tables are made from those of the service."""

from pathlib import Path

from service.core.recipes import RECIPES
from service.core.recipes.roles import ROLES

PAGE = Path(__file__).parents[3] / "docs/recipes.md"
MARK = "<!-- The rest is made by python -m tests.core.recipes.page -->\n"


def render_tables():
    """Render the tables of roles and recipes."""
    parts = ["## Roles", "", *render_roles(), "", "## The recipes", *map(render_recipe, RECIPES.values())]
    return "\n".join(parts)


def render_roles():
    """Render the table of roles."""
    yield "| role | tensor | more general |"
    yield "|---|---|---|"
    for role in ROLES.values():
        general = f"`{role.general}`" if role.general else ""
        yield f"| `{role.name}` | {role.text.removesuffix('.')} | {general} |"


def render_recipe(recipe):
    """Render a recipe: its sizes and rules."""
    lines = ["", f"### {recipe.name}", "", f"{recipe.title}. {recipe.reference}."]
    for size in recipe.sizes:
        default = "" if size.default is None else f" Default: {size.default:g}."
        lines += ["", f"`{size.name}`: {size.text}{default}"]
    lines += ["", "| roles | rule | source |", "|---|---|---|"]
    for rule in recipe.rules:
        roles = ", ".join(f"`{role}`" for role in rule.roles)
        formula = f"`{rule.formula}`" if rule.formula else "left out"
        lines.append(f"| {roles} | {formula}{f'. {rule.note}' if rule.note else ''} | {rule.source} |")
    return "\n".join(lines)


def render_page():
    """Render the page: what people wrote, then the tables."""
    return PAGE.read_text().partition(MARK)[0] + MARK + "\n" + render_tables() + "\n"


if __name__ == "__main__":
    PAGE.write_text(render_page())
