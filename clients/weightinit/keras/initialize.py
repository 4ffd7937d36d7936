"""Models: every variable of a Keras model initialized at once."""

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
from weightinit.adapters.report import Origin, Report
from weightinit.adapters.rules import Rules
from weightinit.deprecation import deprecate_keywords
from weightinit.keras.layers import Layer
from weightinit.keras.plan import plan_published, plan_variables


@deprecate_keywords({"name": "rename"})
def initialize(
    model: Layer,
    seed: int | str,
    *,
    rules: Rules | None = None,
    rename: Rename = str,
    batch: Batch = None,
    strict: bool | None = None,
    client: Client | None = None,
) -> Report:
    """Initialize every kernel of a built model in place; return how, and why.

    A kernel is drawn for the type of its layer and for the activation that follows, which tracing the
    model shows. Recurrent kernels are drawn gate by gate. What the model's author fixed stays: an initializer
    of ours that a layer has, frozen variables, constants. Biases and norms become what their layers say; the
    variables of layers that are not Keras' stay as they are, unless a rule says more. A published model says
    how all variables are initialized; its kernels are permuted to Keras' order of axes.

    Everything is checked before the first variable changes. Raises ModelRejected and the client's errors;
    after one that came while weights were on their way, call it again.

    Args:
        model: a model or a layer, built.
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text; or the reference of a published model, which is
            team/name/version or an id.
        rules: by pattern of a path (`encoder/*/kernel`), the name of a scheme, a constant, the fields of a
            layer, or None to leave variables alone. A layout makes a kernel of what is not known as one. The
            first that matches decides, and each has to match something. A rule that gives an activation alone
            may match the path of a layer. With a published model: a layout, or None.
        rename: makes the name that a variable's draws depend on, or under which it is published, of its path:
            `hidden1/kernel`, or `lstm/lstm_cell/kernel.i` for a gate.
        batch: what the model is called with, to see what follows each kernel: an array, a tuple of arguments,
            or a mapping of keyword arguments. Only shapes and dtypes count. Default: what it was built for.
        strict: unless False, refuse what only the model or the published one has, and a model of which not
            one kernel is known; else that is left as it is. If True, refuse what is initialized without
            knowing which activation follows, too; else that is a warning.
        client: of the service. Default: the one that the environment configures.
    """
    source = client or default_client()
    tensors, origin = _plan(model, seed, rules, rename, batch, source, strict=strict)
    resolved = resolve_plan(tensors, origin.seed, rename, source)
    for _, blocks in groupby(resolved, key=lambda tensor: id(tensor.planned.target)):
        _assign(list(blocks), source)
    return origin.make_report(resolved)


def plan(
    model: Layer,
    seed: int | str,
    *,
    rules: Rules | None = None,
    rename: Rename = str,
    batch: Batch = None,
    strict: bool | None = None,
    client: Client | None = None,
) -> Report:
    """Return how `initialize` would initialize a model, and why; nothing is drawn or changed.

    The arguments and errors are those of `initialize`.
    """
    source = client or default_client()
    tensors, origin = _plan(model, seed, rules, rename, batch, source, strict=strict)
    return origin.make_report(resolve_plan(tensors, origin.seed, rename, source))


def _plan(
    model: Layer,
    seed: int | str,
    rules: Rules | None,
    rename: Rename,
    batch: Batch,
    client: Client,
    *,
    strict: bool | None,
) -> tuple[list[PlannedTensor], Origin]:
    """Plan a model for a seed or a reference."""
    if not is_reference(seed):
        number = read_seed(seed)
        return plan_variables(model, rules, number, batch, strict=strict), Origin(number)
    tensors, published = plan_published(model, seed, rules, rename, batch, client, strict=strict)
    return tensors, Origin(published.seed, seed, published.id)


def _assign(blocks: Sequence[ResolvedTensor], client: Client) -> None:
    """Assign the variable that some blocks make up, unless all are left as they are."""
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
