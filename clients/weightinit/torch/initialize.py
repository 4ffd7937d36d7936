"""`initialize` and `plan`: initialize all parameters of a module, or report how they would be."""

import itertools
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import nn

from weightinit import Client, default_client
from weightinit.adapters.actions import Constant, Leave, PublishedDraw, Unknown
from weightinit.adapters.batches import Batch
from weightinit.adapters.plan import (
    PlannedTensor,
    Rename,
    ResolvedTensor,
    is_reference,
    read_seed,
    resolve_plan,
)
from weightinit.adapters.recipes import Recipe, refuse_reference
from weightinit.adapters.report import Origin, Report
from weightinit.adapters.rules import ModelRejected, Pattern, Rules
from weightinit.deprecation import deprecate_keywords
from weightinit.torch.fill import DTYPES, TENSOR_DTYPES, check_tensor, draw_, fill_
from weightinit.torch.keeping.kept import find_frozen_norms, warn_of_unset
from weightinit.torch.layers import RUNNING
from weightinit.torch.plan import plan_parameters, plan_published
from weightinit.torch.roles import plan_module
from weightinit.torch.shards import reshard

DEPRECATED = {
    "activations": 'rules={pattern: {"activation": ...}}',
    "prefix": 'rename=lambda name: f"prefix.{name}"',
}


@deprecate_keywords({"name": "rename"}, DEPRECATED)
def initialize(  # noqa: PLR0913 - two are deprecated
    model: nn.Module,
    seed: int | str,
    *,
    rules: Rules | None = None,
    recipe: Recipe | None = None,
    rename: Rename = str,
    batch: Batch = None,
    strict: bool | None = None,
    client: Client | None = None,
    activations: Mapping[Pattern, str] | None = None,
    prefix: str = "",
) -> Report:
    """Initialize every parameter of a module in place; return a report of how and why.

    A tensor's weights depend on the seed and its name, not on the order, device, sharding or world size. Each
    rank fetches its own shards of a DTensor; the ranks do not communicate. Biases and norms get their usual
    constants, and running statistics of norms are reset. Other buffers keep their values, and so do frozen
    parameters, unless all are frozen. Values that the model's author set, such as a zero kernel, are kept if
    the model has values. With a recipe, a parameter starts as in a published code base. A published model
    determines how each tensor is initialized, including its buffers. Everything is checked before the first
    tensor changes. Raises ModelRejected, TensorRejected and the client's errors. After an error while weights
    were being fetched, call it again.

    Args:
        model: the module. Wrappers (DistributedDataParallel, torch.compile) do not change names.
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text; or the reference of a published model, which is
            team/name/version or an id.
        rules: by pattern of a tensor's name: a scheme's name, a constant, the fields of a layer, or None to
            keep the tensor's values. The first that matches applies; each must match something. A rule that
            gives only an activation may match the name of a module. With a published model: a layout, or
            None. With a recipe: a role and a layer too; other fields replace those of the recipe.
        recipe: the name of a recipe of docs/recipes.md, or a mapping of its name and sizes. It replaces what
            the layers and the graph say, and values that the author set.
        rename: maps a tensor's name to the name that its draws depend on, or under which it is published.
        batch: the module's inputs for tracing: a tensor, a tuple of arguments, or a mapping of keyword
            arguments. Only shapes and dtypes matter. Default: guessed.
        strict: unless False, raise ModelRejected for a tensor whose initialization is unknown, or that only
            one of the module and the published model has; if False, it keeps its values and is in
            `report.skipped`. If True, also raise ModelRejected if the activation after a kernel is unknown;
            otherwise that is a warning.
        client: the client that sends the requests. Default: one that the environment configures.
        activations: deprecated: use a rule that gives an activation.
        prefix: deprecated: use `rename`.
    """
    reshard(model)
    source = client or default_client()
    tensors, origin = _plan(
        model, seed, rules, recipe, rename, source, activations, prefix, batch, strict=strict
    )
    for tensor in tensors:
        if not isinstance(tensor.action, Leave | Unknown):
            dtypes = TENSOR_DTYPES if isinstance(tensor.action, Constant) else DTYPES
            check_tensor(tensor.target, tensor.name, dtypes)
    resolved = resolve_plan(tensors, origin.seed, rename, source)
    warn_of_unset(model, tensors, prefix)
    _fill(model, resolved, source)
    return origin.make_report(resolved)


initialize_ = initialize  # PyTorch's convention for functions that write in place


@deprecate_keywords({}, DEPRECATED)
def plan(  # noqa: PLR0913 - two are deprecated
    model: nn.Module,
    seed: int | str,
    *,
    rules: Rules | None = None,
    recipe: Recipe | None = None,
    rename: Rename = str,
    batch: Batch = None,
    strict: bool | None = None,
    client: Client | None = None,
    activations: Mapping[Pattern, str] | None = None,
    prefix: str = "",
) -> Report:
    """Return the report of how `initialize` would initialize a module; draw and change nothing.

    Arguments and errors are those of `initialize`.
    """
    source = client or default_client()
    tensors, origin = _plan(
        model, seed, rules, recipe, rename, source, activations, prefix, batch, strict=strict
    )
    return origin.make_report(resolve_plan(tensors, origin.seed, rename, source))


def _plan(  # noqa: PLR0913 - two are deprecated
    model: nn.Module,
    seed: int | str,
    rules: Rules | None,
    recipe: Recipe | None,
    rename: Rename,
    client: Client,
    activations: Mapping[Pattern, str] | None,
    prefix: str,
    batch: Batch,
    *,
    strict: bool | None,
) -> tuple[list[PlannedTensor], Origin]:
    """Plan a module for a seed, with or without a recipe, or for a reference."""
    if not is_reference(seed) and recipe is not None:
        number = read_seed(seed)
        planned = plan_module(
            model, recipe, number, rules, rename, client, batch=batch, prefix=prefix, strict=strict
        )
        return planned.tensors, Origin(number, recipe=planned.recipe)
    if not is_reference(seed):
        plan = plan_parameters(
            model, rules=rules, activations=activations, prefix=prefix, batch=batch, strict=strict
        )
        return plan, Origin(read_seed(seed))
    if activations:
        raise ModelRejected(
            "activations must not be given: the published model says how each tensor is initialized"
        )
    refuse_reference(recipe)
    plan, published = plan_published(model, seed, rules, rename, client, prefix=prefix, strict=strict)
    return plan, Origin(published.seed, seed, published.id)


def _fill(model: nn.Module, resolved: Sequence[ResolvedTensor], client: Client) -> None:
    """Reset the running statistics of norms that are not frozen, and fill the tensors of a plan."""
    frozen = find_frozen_norms(model)
    tensors = itertools.chain(model.parameters(), model.buffers())
    # Inference tensors can be written only in inference mode.
    with torch.inference_mode() if any(map(torch.is_inference, tensors)) else nullcontext():
        for part in model.modules():
            if isinstance(part, RUNNING) and part not in frozen:
                part.reset_running_stats()
        for tensor in resolved:
            _fill_tensor(tensor, client)


def _fill_tensor(tensor: ResolvedTensor, client: Client) -> None:
    planned, action = tensor.planned, tensor.planned.action
    if isinstance(action, Constant):
        fill_(planned.target, action.value, planned.rows)
    if tensor.spec is None:
        return
    first = action.first if isinstance(action, PublishedDraw) else 0
    try:
        draw_(planned.target, tensor.spec, client, planned.rows, first)
    except Exception as error:
        error.add_note(f"{planned.name} is not complete, and nothing after it is initialized.")
        raise
