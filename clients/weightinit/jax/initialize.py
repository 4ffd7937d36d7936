"""`initialize` and `plan`: initialize the kernels of a pytree by path, or report how they would be."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax.tree_util import tree_map_with_path

from weightinit import Client, Parameters, default_client
from weightinit.adapters.actions import Block, Constant, Draw, Leave, Unknown, find_layout
from weightinit.adapters.batches import Batch
from weightinit.adapters.matching import Target, find_letters, match_model
from weightinit.adapters.messages import shorten
from weightinit.adapters.plan import (
    PlannedTensor,
    Rename,
    is_reference,
    plan_segments,
    read_seed,
    resolve_plan,
)
from weightinit.adapters.planner import Planner
from weightinit.adapters.published import PublishedModel, fetch_published
from weightinit.adapters.recipes import Recipe, refuse_reference
from weightinit.adapters.report import Origin, Report
from weightinit.adapters.rules import ModelRejected, Patterns, Rules, UnknownActivationWarning
from weightinit.deprecation import deprecate_keywords
from weightinit.jax.activations import ActivationFinder
from weightinit.jax.arrays import group_blocks, is_left, make_leaf, name_dtype
from weightinit.jax.initializers import recall, remember
from weightinit.jax.keeping.kept import Author
from weightinit.jax.models import OpenedModel, open_model
from weightinit.jax.roles import plan_model
from weightinit.jax.walk import Leaf, PyTree, check_untraced, is_abstract, name_path
from weightinit.spec.dtypes import INTEGERS, TENSOR_DTYPES


@deprecate_keywords({"name": "rename", "params": "model"})
def initialize(
    model: PyTree,
    seed: int | str,
    *,
    rules: Rules | None = None,
    recipe: Recipe | None = None,
    rename: Rename = str,
    batch: Batch = None,
    strict: bool | None = None,
    client: Client | None = None,
) -> PyTree:
    """Return a model with its kernels drawn, and biases and norms at their modules' constants.

    An NNX module is updated in place and returned; for any other model a new one is returned. `plan` returns
    the report. Modules are traced with inputs that are guessed from their kernels, or given by `Applied` or
    `batch`: tracing shows the axes of each kernel and the activation that follows. A bare tree shows neither:
    its kernels are recognized by name, other leaves keep their values, and rules set the activations.

    Leaves may be arrays or jax.ShapeDtypeStruct, as jax.eval_shape returns them. A leaf keeps its sharding,
    and each device fetches its own part. A published model determines how all leaves are initialized,
    including biases; its kernels are permuted to the model's axis order.

    Everything is checked before the first leaf is drawn. Raises ModelRejected, the client's errors, and
    TypeError for traced leaves.

    Args:
        model: an NNX module, a bound Linen module, a callable pytree such as an Equinox module, an Applied,
            or a bare tree of parameters.
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text; or the reference of a published model, which is
            team/name/version or an id.
        rules: by pattern of a path (`encoder/*/kernel`): a scheme's name, a constant, the fields of a layer,
            or None to keep the values. A layout makes a leaf a kernel. The first that matches applies; each
            must match something. A rule that gives only an activation may match the path of a layer. With a
            published model: a layout, or None. With a recipe, also a role and a layer.
        recipe: the name of a recipe of docs/recipes.md, or a mapping of its name and sizes.
        rename: maps a leaf's path to the name that its draws depend on, or under which it is published.
        batch: the model's inputs for tracing: an array of samples, a tuple of arguments, or a mapping of
            keyword arguments. Only shapes and dtypes matter. Default: guessed.
        strict: unless False, raise ModelRejected for what only one of the model and the published model has,
            and for a model in which no kernel is recognized; if False, leaves keep their values. If True,
            also raise ModelRejected if the activation after a kernel is unknown; otherwise that is a warning.
        client: the client that sends the requests. Default: one that the environment configures.
    """
    opened = open_model(model, batch)
    check_untraced(opened.tree)
    source = client or default_client()
    tensors, origin = _plan(opened, seed, rules, recipe, rename, source, strict=strict)
    check_values(tensors, opened.leaves)
    blocks = group_blocks(resolve_plan(tensors, origin.seed, rename, source))

    def make(path: tuple[Any, ...], leaf: Leaf) -> Leaf:
        found = blocks.get(name_path(path), [])
        if all(is_left(block.planned) for block in found):
            return leaf
        made, initializer = make_leaf(found, leaf, source), None if is_abstract(leaf) else recall(leaf)
        if initializer is not None:  # the new array is from this initializer too
            remember(made, initializer)
        return made

    return opened.close(tree_map_with_path(make, opened.tree))


@deprecate_keywords({"params": "model"})
def plan(
    model: PyTree,
    seed: int | str,
    *,
    rules: Rules | None = None,
    recipe: Recipe | None = None,
    rename: Rename = str,
    batch: Batch = None,
    strict: bool | None = None,
    client: Client | None = None,
) -> Report:
    """Return the report of how `initialize` would initialize a model; draw nothing.

    Arguments and errors are those of `initialize`.
    """
    source = client or default_client()
    tensors, origin = _plan(open_model(model, batch), seed, rules, recipe, rename, source, strict=strict)
    return origin.make_report(resolve_plan(tensors, origin.seed, rename, source))


def describe_leaves(
    params: PyTree, *, rules: Rules | None = None, client: Client | None = None
) -> dict[str, Parameters | None]:
    """Return the parameters of each leaf by path, None for a leaf that is kept. Deprecated: use `plan`."""
    resolved = resolve_plan(plan_leaves(open_model(params), rules), 0, str, client or default_client())
    return {tensor.planned.name: tensor.parameters for tensor in resolved}


def plan_leaves(
    opened: OpenedModel, rules: Rules | None, *, strict: bool | None = None
) -> list[PlannedTensor]:
    """Plan how each leaf of a model is initialized. Raises ModelRejected."""
    planner, finder = Planner(rules, axis=-1), ActivationFinder(opened)
    author = Author(opened, finder)
    tensors: list[PlannedTensor] = []
    known = False
    for path, leaf in opened.leaves.items():
        described = author.describe(path)
        layout = find_layout([described])
        blocks = planner.plan_tensor(
            [path],
            [path.rpartition("/")[0]],
            tuple(leaf.shape),
            [described],
            partial(finder.find, path),
            author.find(path),
            axis=layout.index("O") if layout.count("O") == 1 else None,
        )
        if 0 in leaf.shape and is_abstract(leaf):
            blocks = [Block(Constant(0.0), "It has no elements.")]
        tensors += [make_planned(path, leaf, block) for block in blocks]
        is_ruled = blocks != [described] and 0 not in leaf.shape
        known = known or is_ruled or isinstance(described.action, Draw)
    planner.finish(list(opened.leaves), strict=strict)
    warn_unused([tensor.name for tensor in tensors if isinstance(tensor.action, Unknown)], strict=strict)
    if strict is not False:
        check_drawn([path for path, leaf in opened.leaves.items() if 0 not in leaf.shape], known=known)
        check_filled(tensors, opened.leaves)
    return tensors


def check_drawn(names: Sequence[str], *, known: bool) -> None:
    """Check that at least one kernel is known or one rule matches a leaf. Raises ModelRejected."""
    if names and not known:
        raise ModelRejected(
            f"no kernel is recognized among {shorten(names)}: "
            'set layouts with rules={name: {"layout": ...}}, '
            "or pass weightinit.jax.Applied(function, model, *inputs), which shows how they are used"
        )


def warn_unused(names: Sequence[str], *, strict: bool | None) -> None:
    """Warn of possible kernels whose use is unknown; if strict, raise ModelRejected."""
    if not names:
        return
    message = (
        f"{shorten(names)}: these may be kernels, but tracing does not show how the model uses them, so "
        "they keep their values. Set rules={name: ...}, or trace other inputs with Applied"
    )
    if strict:
        raise ModelRejected(message)
    warnings.warn(UnknownActivationWarning(message), stacklevel=4)


def check_filled(tensors: Sequence[PlannedTensor], leaves: Mapping[str, Leaf]) -> None:
    """Check that no abstract leaf is left without values, except by a rule. Raises ModelRejected."""
    empty = [
        tensor.name
        for tensor in tensors
        if is_left(tensor) and not is_left_by_rule(tensor) and is_abstract(leaves[tensor.target])
    ]
    if empty:
        raise ModelRejected(
            f"{shorten(empty)}: nothing determines how to initialize these: set it with rules"
        )


def plan_published(
    opened: OpenedModel,
    reference: str,
    rules: Rules | None,
    rename: Rename,
    client: Client,
    *,
    strict: bool | None,
) -> tuple[list[PlannedTensor], PublishedModel]:
    """Return the plan by which a published model initializes a tree's leaves, and the published model.

    Raises ModelRejected, which lists all mismatches, and the client's errors.
    """
    leaves, patterns = opened.leaves, Patterns("rules", rules)
    finder = ActivationFinder(opened)
    author = Author(opened, finder)
    targets: dict[str, Target] = {}
    for path, leaf in leaves.items():
        shape, letters = tuple(leaf.shape), find_letters(patterns, [path], author.find_axes(path), leaf.ndim)
        if letters is not None and leaf.dtype.name in TENSOR_DTYPES:
            is_weight = path not in opened.statistics and leaf.dtype.name not in INTEGERS and 0 not in shape
            kept = author.find(path)
            optional = not is_weight or (kept is not None and isinstance(kept.action, Leave))
            axis = letters.index("O") if letters.count("O") == 1 else len(shape) - 1
            targets[path] = Target((path,), shape, letters, axis=axis, optional=optional)
    patterns.check_matched(list(leaves))
    published = fetch_published(reference, client)
    for path, target in targets.items():
        if target.letters and published.find(rename(path)) is None:
            parts = finder.find(path).parts
            lengths = tuple(int(length) for length, _ in parts.values())
            if sum(lengths) == target.shape[target.axis]:
                targets[path] = replace(target, gates=tuple(parts), lengths=lengths)
    matched = match_model(published, targets, rename, strict=strict is not False)
    left = [Block(Leave(), "It is not published, or a rule leaves it as it is.")]
    tensors = [
        make_planned(path, leaf, block)
        for path, leaf in leaves.items()
        for block in list(plan_segments(matched.get(path, []), published)) or left
    ]
    return tensors, published


def make_planned(path: str, leaf: Leaf, block: Block) -> PlannedTensor:
    """Return the planned tensor for a block of a leaf."""
    shape, dtype = tuple(jnp.shape(leaf)), name_dtype(jnp.result_type(leaf))
    if block.rows is not None:  # may be NumPy integers, which JSON does not support
        block = replace(block, rows=slice(int(block.rows.start), int(block.rows.stop)))
    return PlannedTensor.of([path], shape, dtype, block, path)


def _plan(
    opened: OpenedModel,
    seed: int | str,
    rules: Rules | None,
    recipe: Recipe | None,
    rename: Rename,
    client: Client,
    *,
    strict: bool | None,
) -> tuple[list[PlannedTensor], Origin]:
    """Plan a tree for a seed, with or without a recipe, or for a reference."""
    if not is_reference(seed) and recipe is not None:
        number = read_seed(seed)
        planned = plan_model(opened, recipe, number, rules, rename, client, strict=strict)
        return planned.tensors, Origin(number, recipe=planned.recipe)
    if not is_reference(seed):
        return plan_leaves(opened, rules, strict=strict), Origin(read_seed(seed))
    refuse_reference(recipe)
    tensors, published = plan_published(opened, seed, rules, rename, client, strict=strict)
    return tensors, Origin(published.seed, seed, published.id)


def is_left_by_rule(tensor: PlannedTensor) -> bool:
    """Return whether a rule leaves a tensor, or a part of one, as it is."""
    return isinstance(tensor.action, Leave) and tensor.action.by_rule


def check_values(tensors: Sequence[PlannedTensor], leaves: Mapping[str, Leaf]) -> None:
    """Check that a leaf that is drawn in part has values for its other parts.

    Raises ModelRejected, which lists the parts without values.
    """
    filled = {tensor.target for tensor in tensors if not is_left(tensor)}
    empty = [
        tensor.name
        for tensor in tensors
        if is_left(tensor) and tensor.target in filled and is_abstract(leaves[tensor.target])
    ]
    if empty:
        raise ModelRejected(f"{shorten(empty)}: an abstract leaf has no values for a part to keep")
