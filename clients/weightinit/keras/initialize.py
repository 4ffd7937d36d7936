"""`initialize` and `plan`: initialize all variables of a Keras model, or report how they would be."""

from collections.abc import Sequence
from itertools import groupby

import keras
import numpy as np

from weightinit import Client, default_client
from weightinit.adapters.actions import Constant
from weightinit.adapters.batches import Batch
from weightinit.adapters.plan import (
    PlannedTensor,
    Rename,
    ResolvedTensor,
    is_reference,
    read_seed,
    resolve_plan,
)
from weightinit.adapters.published import read_slices, span
from weightinit.adapters.recipes import Recipe, refuse_reference
from weightinit.adapters.report import Origin, Report
from weightinit.adapters.rules import Rules
from weightinit.deprecation import deprecate_keywords
from weightinit.keras.layers import Layer
from weightinit.keras.plan import plan_published, plan_variables
from weightinit.keras.roles import plan_model


@deprecate_keywords({"name": "rename"})
def initialize(
    model: Layer,
    seed: int | str,
    *,
    rules: Rules | None = None,
    recipe: Recipe | None = None,
    rename: Rename = str,
    batch: Batch = None,
    strict: bool | None = None,
    client: Client | None = None,
) -> Report:
    """Initialize every kernel of a built model in place; return a report of how and why.

    A kernel is drawn for its layer's type and for the activation that follows, which is found by tracing.
    Recurrent kernels are drawn gate by gate. What the author of the model set is kept: a layer's initializer
    from weightinit.keras, frozen variables, constants. Biases and norms get the constants of their layers.
    Variables of custom layers keep their values, unless a rule or a product determines more. A published
    model determines how all variables are initialized; its kernels are permuted to Keras' axis order.

    Everything is checked before the first variable changes. Raises ModelRejected and the client's errors.
    After an error while weights were being fetched, call it again.

    Args:
        model: a model or a layer, built.
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text; or the reference of a published model, which is
            team/name/version or an id.
        rules: by pattern of a path (`encoder/*/kernel`): a scheme's name, a constant, the fields of a layer,
            or None to keep the values. A layout makes a variable a kernel. The first that matches applies;
            each must match something. A rule that gives only an activation may match the path of a layer.
            With a published model: a layout, or None. With a recipe: a role and a layer too; other fields
            replace those of the recipe.
        recipe: the name of a recipe of docs/recipes.md, or a mapping of its name and sizes. It replaces what
            the layers and the graph say, and values that the author set.
        rename: maps a variable's path, `hidden1/kernel` or `lstm/lstm_cell/kernel.i` for a gate, to the name
            that its draws depend on, or under which it is published.
        batch: the model's inputs for tracing: an array, a tuple of arguments, or a mapping of keyword
            arguments. Only shapes and dtypes matter. Default: the inputs that the model was built for.
        strict: unless False, raise ModelRejected for what only one of the model and the published model has,
            and for a model in which no kernel is recognized; if False, variables keep their values. If True,
            also raise ModelRejected if the activation after a kernel is unknown; otherwise that is a warning.
        client: the client that sends the requests. Default: one that the environment configures.
    """
    source = client or default_client()
    tensors, origin = _plan(model, seed, rules, recipe, rename, batch, source, strict=strict)
    resolved = resolve_plan(tensors, origin.seed, rename, source)
    for _, blocks in groupby(resolved, key=lambda tensor: id(tensor.planned.target)):
        _assign(list(blocks), source)
    return origin.make_report(resolved)


def plan(
    model: Layer,
    seed: int | str,
    *,
    rules: Rules | None = None,
    recipe: Recipe | None = None,
    rename: Rename = str,
    batch: Batch = None,
    strict: bool | None = None,
    client: Client | None = None,
) -> Report:
    """Return the report of how `initialize` would initialize a model; draw and change nothing.

    Arguments and errors are those of `initialize`.
    """
    source = client or default_client()
    tensors, origin = _plan(model, seed, rules, recipe, rename, batch, source, strict=strict)
    return origin.make_report(resolve_plan(tensors, origin.seed, rename, source))


def _plan(
    model: Layer,
    seed: int | str,
    rules: Rules | None,
    recipe: Recipe | None,
    rename: Rename,
    batch: Batch,
    client: Client,
    *,
    strict: bool | None,
) -> tuple[list[PlannedTensor], Origin]:
    """Plan a model for a seed, with or without a recipe, or for a reference."""
    if not is_reference(seed) and recipe is not None:
        number = read_seed(seed)
        planned = plan_model(model, recipe, number, rules, rename, client, batch=batch, strict=strict)
        return planned.tensors, Origin(number, recipe=planned.recipe)
    if not is_reference(seed):
        number = read_seed(seed)
        return plan_variables(model, rules, number, batch, strict=strict), Origin(number)
    refuse_reference(recipe)
    tensors, published = plan_published(model, seed, rules, rename, batch, client, strict=strict)
    return tensors, Origin(published.seed, seed, published.id)


def _assign(blocks: Sequence[ResolvedTensor], client: Client) -> None:
    """Assign a variable from its blocks, unless all of them are left as they are."""
    planned = blocks[0].planned
    variable = planned.target.variable
    given = [block for block in blocks if block.spec or isinstance(block.planned.action, Constant)]
    segments = [block.planned.make_segment(block.spec) for block in given]
    if len(given) == len(blocks):
        variable.assign(read_slices(segments, span(variable.shape), planned.dtype, client))
    elif given:
        values = np.array(keras.ops.convert_to_numpy(variable))
        for segment in segments:
            part = segment.intersect(span(variable.shape))
            if part is not None:
                values[part] = segment.read(part, planned.dtype, client)
        variable.assign(values)
