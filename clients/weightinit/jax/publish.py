"""`publish`: publish how a pytree is initialized from a seed, so that others can initialize from it."""

from itertools import groupby
from typing import Unpack

from weightinit import Client, default_client
from weightinit.adapters.actions import Constant, Leave
from weightinit.adapters.batches import Batch
from weightinit.adapters.plan import PlannedTensor, Rename, read_seed
from weightinit.adapters.recipes import Recipe
from weightinit.adapters.rules import ModelRejected, Rules
from weightinit.jax.initialize import plan_leaves
from weightinit.jax.keeping.kept import UNTRAINED, find_uniform
from weightinit.jax.layers import find_constant
from weightinit.jax.models import open_model
from weightinit.jax.roles import plan_model
from weightinit.jax.tracing.nodes import read_number
from weightinit.jax.walk import Leaf, PyTree, is_abstract
from weightinit.models import Model, Part, Publication, TensorSpec
from weightinit.models.names import Naming
from weightinit.spec.dtypes import INTEGERS, TENSOR_DTYPES, find_range


def publish(
    model: PyTree,
    seed: int | str,
    *,
    rules: Rules | None = None,
    recipe: Recipe | None = None,
    rename: Rename = str,
    batch: Batch = None,
    client: Client | None = None,
    **naming: Unpack[Naming],
) -> Publication:
    """Publish how `initialize` would initialize a tree from a seed, with the constants of biases and norms.

    The published tensors are the leaves, under their paths and in Flax's axis order; leaves may be abstract.
    `name`, `author` and `note` are those of Client.publish, the other arguments those of `initialize`.

    Raises ModelRejected, which lists the leaves whose initialization is unknown.
    """
    number = read_seed(seed)
    tensors: list[TensorSpec] = []
    problems: list[str] = []
    opened = open_model(model, batch)
    source, specs = client or default_client(), dict[str, TensorSpec]()
    if recipe is None:
        planned = plan_leaves(opened, rules)
    else:
        made = plan_model(opened, recipe, number, rules, rename, source)
        planned, specs = made.tensors, dict(made.specs)
    for path, group in groupby(planned, key=lambda tensor: tensor.target):
        blocks = list(group)
        if path in opened.untrained and blocks[0].reason.startswith(UNTRAINED):
            continue  # not a parameter
        if spec := specs.get(rename(path)):
            tensors.append(spec)
            continue
        try:
            tensors += describe_leaf(path, opened.leaves[path], blocks, number, rename)
        except ModelRejected as error:
            problems.append(f"{path} {error}")
    if problems:
        raise ModelRejected(f"these cannot be published: {'; '.join(problems)}")
    return source.publish(Model(number, tuple(tensors)), **naming)


def describe_leaf(
    path: str, leaf: Leaf, blocks: list[PlannedTensor], seed: int, rename: Rename
) -> list[TensorSpec]:
    """Return the specs of a leaf: one, one for each of its parts, or none for integers that are not constant.

    Raises ModelRejected.
    """
    dtype, action = blocks[0].dtype, blocks[0].action
    if dtype not in TENSOR_DTYPES:
        return []
    if 0 in leaf.shape:
        return [TensorSpec.of(rename(path), Part.constant(leaf.shape, 0), dtype=dtype)]
    if dtype in INTEGERS and isinstance(action, Leave):
        value = None if action.by_rule else find_integer(leaf, dtype)
        return (
            []
            if value is None
            else [TensorSpec.of(rename(path), Part.constant(leaf.shape, value), dtype=dtype)]
        )
    return [
        TensorSpec.of(rename(block.name), find_part(path, leaf, block, seed, rename), dtype=block.dtype)
        for block in blocks
    ]


def find_integer(leaf: Leaf, dtype: str) -> float | None:
    """Return the value of a constant integer leaf, such as a counter; None if it varies or is abstract.

    A possible random key has no value.
    """
    is_key = dtype == "uint32" and leaf.shape[-1:] in {(2,), (4,)}
    value, limits = None if is_key or is_abstract(leaf) else read_number(leaf), find_range(dtype)
    return value if value is not None and limits and limits[0] <= value <= limits[1] else None


def find_part(path: str, leaf: Leaf, block: PlannedTensor, seed: int, rename: Rename) -> Part:
    """Return the part for a block. Raises ModelRejected if its value is unknown."""
    shape = block.shape
    if spec := block.make_spec(seed, rename):
        if spec.seed is not None and int(spec.seed) != seed:
            raise ModelRejected(
                f"is drawn from the seed {spec.seed} of its layer: publish with that seed, or set a rule"
            )
        return Part.of(spec)
    if isinstance(block.action, Constant):
        return Part.constant(shape, block.action.value)
    if isinstance(block.action, Leave) and block.action.by_rule:
        raise ModelRejected("is kept by a rule, so its values are unknown")
    is_trained = not block.reason.startswith(UNTRAINED)
    value = find_constant(path) if is_trained else find_uniform(leaf)
    if value is None:
        untrained = "" if is_trained else ", and is not trained"
        raise ModelRejected(f"{list(shape)} has no known initial value{untrained}: set it with rules")
    return Part.constant(shape, value)
