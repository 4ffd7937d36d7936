"""Models: every variable of a Keras model initialized at once."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import keras
import numpy as np

from weightinit import Client, default_client
from weightinit.adapters.actions import Block, Constant, Draw, Leave, split_axis
from weightinit.adapters.matching import Target, find_letters, match_model
from weightinit.adapters.plan import (
    Inference,
    PlannedTensor,
    Planner,
    Rename,
    ResolvedTensor,
    is_reference,
    plan_segments,
    read_seed,
    resolve_plan,
)
from weightinit.adapters.published import PublishedModel, fetch_published, read_slices, span
from weightinit.adapters.report import Origin, Report
from weightinit.adapters.rules import Patterns, Rule, Rules
from weightinit.deprecation import deprecate_keywords
from weightinit.keras.activations import Graph
from weightinit.keras.layers import Layer, find_kernel
from weightinit.keras.walk import NamedTensor, name_dtype, walk_variables
from weightinit.spec.dtypes import INTEGERS, TENSOR_DTYPES
from weightinit.spec.layouts import write_out

if TYPE_CHECKING:
    from weightinit.spec.layer import LayerFields

# What a norm keeps of the data that it has seen stays as Keras made it, unless it is published.
STATISTICS = frozenset(["moving_mean", "moving_variance"])


@deprecate_keywords({"name": "rename"})
def initialize(
    model: Layer,
    seed: int | str,
    *,
    rules: Rules | None = None,
    rename: Rename = str,
    strict: bool | None = None,
    client: Client | None = None,
) -> Report:
    """Initialize every kernel of a built model in place; return how, and why.

    A kernel is drawn for the type of its layer and for the activation that follows: the layer's own, or the
    one found in the graph of a Sequential or functional model. Recurrent kernels are drawn gate by gate.
    Biases, norms and the variables of layers that are not Keras' stay as they are, unless a rule says more. A
    published model says how all variables are initialized, biases and norms too; its kernels are permuted to
    Keras' order of axes.

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
        strict: unless False, refuse what only the model or the published one has, and a model of which not
            one kernel is known; else that is left as it is. If True, refuse what is initialized without
            knowing which activation follows, too; else that is a warning.
        client: of the service. Default: the one that the environment configures.
    """
    source = client or default_client()
    tensors, origin = _plan(model, seed, rules, rename, source, strict=strict)
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
    strict: bool | None = None,
    client: Client | None = None,
) -> Report:
    """Return how `initialize` would initialize a model, and why; nothing is drawn or changed.

    The arguments and errors are those of `initialize`.
    """
    source = client or default_client()
    tensors, origin = _plan(model, seed, rules, rename, source, strict=strict)
    return origin.make_report(resolve_plan(tensors, origin.seed, rename, source))


def plan_variables(model: Layer, rules: Rules | None, *, strict: bool | None = None) -> list[PlannedTensor]:
    """Plan how each variable of a model is initialized. Raises ModelRejected and SpecRejected."""
    planner, graph = Planner(rules, axis=-1), Graph(model)
    variables = walk_variables(model)
    tensors = []
    for named in variables:
        blocks = planner.plan_tensor(
            [named.path],
            [named.path.rpartition("/")[0]],
            tuple(named.variable.shape),
            describe_variable(named, graph),
            lambda: Inference(None),
        )
        tensors += [make_planned(named, block) for block in blocks]
    planner.finish([named.path for named in variables], strict=strict)
    return tensors


def describe_variable(named: NamedTensor, graph: Graph) -> list[Block]:
    """Describe the blocks of a variable: the gates that its last axis packs, each a kernel of its own."""
    kernel = find_kernel(named.layer, named.variable.name)
    if kernel is None:
        return [Block(Leave(), "Keras' own initializer gives its value.")]
    activation = graph.find_activation(named.layer) if kernel.activated else None
    layer: LayerFields = {"layout": "keras", **kernel.layer, "activation": activation}
    reason = f"{activation} follows." if activation else "No activation follows."
    if not kernel.gates:
        return [Block(Draw(layer), reason)]
    units = named.variable.shape[-1] // len(kernel.gates)
    actions = dict.fromkeys(kernel.gates, Draw(layer))
    reasons = {gate: f"Gate {gate} is a kernel of its own." for gate in kernel.gates}
    return split_axis(dict.fromkeys(kernel.gates, units), actions, reasons, -1)


def plan_published(
    model: Layer, reference: str, rules: Rules | None, rename: Rename, client: Client, *, strict: bool | None
) -> tuple[list[PlannedTensor], PublishedModel]:
    """Return the plan by which a published model initializes a model, and the published model.

    Raises ModelRejected, which lists all that does not match, and the client's errors.
    """
    variables = [named for named in walk_variables(model) if name_dtype(named.variable) in TENSOR_DTYPES]
    patterns = Patterns("rules", rules)
    targets = {named.path: found for named in variables if (found := make_target(named, patterns))}
    patterns.check_matched([named.path for named in variables])
    published = fetch_published(reference, client)
    matched = match_model(published, targets, rename, strict=strict is not False)
    left = [Block(Leave(), "It is not published, or a rule leaves it as it is.")]
    tensors = [
        make_planned(named, block)
        for named in variables
        for block in list(plan_segments(matched.get(named.path, []), published)) or left
    ]
    return tensors, published


def make_target(named: NamedTensor, rules: Patterns[Rule]) -> Target | None:
    """Make the target that a variable is; None where a rule leaves it alone. Raises ModelRejected."""
    kernel = find_kernel(named.layer, named.variable.name)
    shape = tuple(named.variable.shape)
    known = write_out(kernel.layer.get("layout", "keras"), len(shape)) if kernel else ""
    letters = find_letters(rules, [named.path], known, len(shape))
    if letters is None:
        return None
    gates, is_weight = kernel.gates if kernel else (), name_dtype(named.variable) not in INTEGERS
    is_optional = named.variable.name in STATISTICS or not is_weight or 0 in shape
    return Target((named.path,), shape, letters, gates, len(shape) - 1, optional=is_optional)


def make_planned(named: NamedTensor, block: Block) -> PlannedTensor:
    """Make the planned tensor of a block of a variable."""
    variable = named.variable
    return PlannedTensor.of([named.path], tuple(variable.shape), name_dtype(variable), block, named)


def _plan(
    model: Layer, seed: int | str, rules: Rules | None, rename: Rename, client: Client, *, strict: bool | None
) -> tuple[list[PlannedTensor], Origin]:
    """Plan a model for a seed or a reference."""
    if not is_reference(seed):
        return plan_variables(model, rules, strict=strict), Origin(read_seed(seed))
    tensors, published = plan_published(model, seed, rules, rename, client, strict=strict)
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
