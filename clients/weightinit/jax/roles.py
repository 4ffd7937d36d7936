"""The roles of the leaves of Flax's layers, and how a model is planned by a recipe.

The rules of the roles are the service's. A recipe of a framework takes the roles from the kinds of layers, as
far as they are known, and any other recipe from the paths of the leaves.
"""

from collections.abc import Mapping

import jax.numpy as jnp

from weightinit.adapters.actions import Block, Leave
from weightinit.adapters.plan import Rename
from weightinit.adapters.recipes import (
    Recipe,
    RecipePlan,
    RecipeTensor,
    find_structure,
    is_of_framework,
    name_recipe,
    plan_recipe,
)
from weightinit.adapters.rules import Rules
from weightinit.client import Client
from weightinit.jax.activations import ActivationFinder
from weightinit.jax.arrays import name_dtype
from weightinit.jax.keeping.kept import Author
from weightinit.jax.layers import find_kernel
from weightinit.jax.models import OpenedModel
from weightinit.spec.dtypes import DTYPES
from weightinit.spec.layouts import write_out

OWN = "flax"  # the recipe of this framework

Roles = Mapping[str, str]

DENSE: Roles = {"kernel": "kernel", "bias": "bias"}
NORM: Roles = {"scale": "norm_scale", "bias": "norm_shift"}
STATISTICS: Roles = {"mean": "running_mean", "var": "running_variance"}
# By the names of classes, since Linen and NNX have the same.
ROLES: Mapping[str, Roles] = {
    **dict.fromkeys(("Dense", "Linear", "DenseGeneral", "LinearGeneral", "Einsum"), DENSE),
    **dict.fromkeys(("Conv", "ConvLocal", "ConvTranspose", "DenseParams"), DENSE),
    "Embed": {"embedding": "embedding"},
    **dict.fromkeys(("LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm", "BatchNorm"), NORM),
}
# Layers that flatten their inputs and outputs before they count fans. The fans of others are of the shape.
FLATTENED = frozenset(["DenseGeneral", "LinearGeneral", "DenseParams"])


def plan_model(
    opened: OpenedModel,
    recipe: Recipe,
    seed: int,
    rules: Rules | None,
    rename: Rename,
    client: Client,
    *,
    strict: bool | None = None,
) -> RecipePlan:
    """Plan how a recipe initializes the leaves of a model.

    Leaves that are not trained keep their values, except the statistics of norms. Raises ModelRejected, which
    lists the leaves that the recipe has no role for, and the client's errors.
    """
    author = Author(opened, ActivationFinder(opened))
    tensors = [make_tensor(path, opened, author, recipe) for path in opened.leaves]
    return plan_recipe(
        recipe, seed, tensors, layout="keras", rules=rules, rename=rename, client=client, strict=strict
    )


def make_tensor(path: str, opened: OpenedModel, author: Author, recipe: Recipe) -> RecipeTensor:
    """Return a leaf as a recipe takes it."""
    leaf = opened.leaves[path]
    shape, dtype = tuple(jnp.shape(leaf)), name_dtype(jnp.result_type(leaf))
    kept = None if path in opened.statistics else author.find(path)
    if kept is not None and not isinstance(kept.action, Leave):
        kept = None  # a recipe replaces what the author chose
    if dtype not in DTYPES:
        kept = Block(Leave(), f"It is of dtype {dtype}, and no weight.")
    fields, kind = describe_fields(path, opened, author, recipe)
    return RecipeTensor([path], [path.rpartition("/")[0]], shape, dtype, path, fields, kind, kept)


def describe_fields(
    path: str, opened: OpenedModel, author: Author, recipe: Recipe
) -> tuple[dict[str, object], str]:
    """Return the fields to send for a leaf, and what gave them: the kind of its layer, or ""."""
    name = path.rpartition("/")[2]
    if path in opened.statistics and name in STATISTICS:
        return {"role": STATISTICS[name]}, "its norm"  # Flax's names are too short for a pattern
    rank = len(opened.leaves[path].shape)
    fields = find_structure([author.describe(path)])
    if rank > 1 and not fields and (kernel := find_kernel(path, rank)):
        fields = {"layout": write_out(kernel["layout"], rank)}
    kinds = find_kinds(path, opened)
    if not is_of_framework(recipe) or not kinds:
        return fields, ""
    kind = next((one for one in kinds if one in ROLES), "")
    role = ROLES.get(kind, {}).get(name)
    if role is None:
        return fields, ""
    if role == "kernel" and is_recurrent(path, opened):
        role = "recurrent"
    layout = str(fields.get("layout", ""))
    counts_shape = kind not in FLATTENED and "B" not in layout
    if role == "kernel" and name_recipe(recipe) == OWN and counts_shape:
        fields = {"fans_as": "jax", **({"layout": layout} if layout else {})}
    return {**fields, "role": role}, f"its layer, {kind}"


def find_kinds(path: str, opened: OpenedModel) -> list[str]:
    """Return the names of the classes of the module that has a leaf, from the most derived; [] if unknown."""
    owner = path.rpartition("/")[0]
    owners = [owner, owner.removeprefix("params").lstrip("/")]
    found = next((opened.choices.layers[one] for one in owners if one in opened.choices.layers), None)
    return [kind.__name__ for kind in found.kind.__mro__] if found else []


def is_recurrent(path: str, opened: OpenedModel) -> bool:
    """Return whether a kernel takes the hidden state of a recurrent cell: such as h, hi and dense_h."""
    owner = path.rpartition("/")[0]
    is_cell = any(name.endswith("Cell") for name in find_kinds(owner, opened))
    return is_cell and owner.rpartition("/")[2].removeprefix("dense_").startswith("h")
