"""Plan how each parameter of a module is initialized, from its layer, the graph and the rules."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import nn

from weightinit import Client
from weightinit.adapters.actions import Block, Leave, PublishedDraw, Unknown, find_layout
from weightinit.adapters.batches import Batch
from weightinit.adapters.matching import Target, find_letters, match_model
from weightinit.adapters.plan import PlannedTensor, Rename, plan_segments
from weightinit.adapters.planner import Planner
from weightinit.adapters.published import PublishedModel, fetch_published
from weightinit.adapters.rules import ModelRejected, Pattern, Patterns, Rule, Rules
from weightinit.torch.fill import TENSOR_DTYPES, check_shape
from weightinit.torch.keeping.author import Author
from weightinit.torch.keeping.copies import plan_copies
from weightinit.torch.keeping.kept import FROZEN, describe_named, find_axes, is_frozen, is_trained
from weightinit.torch.kernels import describe_use, find_following, guess_biases
from weightinit.torch.layers import find_inner
from weightinit.torch.readiness import check_known, check_overlaps, check_packed, check_scripted
from weightinit.torch.tracing.activations import ActivationFinder
from weightinit.torch.walk import NamedTensor, walk_buffers, walk_parameters


def plan_parameters(
    module: nn.Module,
    *,
    rules: Rules | None = None,
    activations: Mapping[Pattern, str] | None = None,
    prefix: str = "",
    batch: Batch = None,
    strict: bool | None = None,
) -> list[PlannedTensor]:
    """Plan how each parameter of a module is initialized, in the order of named_parameters.

    Unless strict is False, raises ModelRejected for a parameter whose initialization is unknown and for a
    pattern that matches nothing. Raises TensorRejected for a parameter without a shape.
    """
    check_scripted(module)
    if strict is not False:
        check_packed(module, prefix)
    planner, finder = Planner(rules, activations=activations), ActivationFinder(module, batch)
    plan: list[PlannedTensor] = []
    unknown: list[NamedTensor] = []
    tensors = walk_parameters(module, prefix)
    for named in tensors:
        check_shape(named.parameter, named.names[0])
    inner = find_inner(module)
    known = [inner.get(id(named.parameter)) or describe_named(named) for named in tensors]
    used = [describe_use(finder, named, kind) for named, kind in zip(tensors, known, strict=True)]
    author = Author(module, tensors, used)
    for named, kind, described in zip(tensors, known, used, strict=True):
        shape = tuple(named.parameter.shape)
        kept = author.find(named, described, by_layer=bool(kind)) or guess_biases(finder, named)
        blocks = planner.plan_tensor(
            named.names,
            named.find_modules(),
            shape,
            described,
            partial(find_following, finder, named, find_layout(described)),
            kept,
        )
        if not blocks:
            unknown.append(named)
            blocks = [Block(Unknown(), "Nothing determines how to initialize it.")]
        plan += [make_planned(named, block) for block in blocks]
    planner.finish([tensor.name for tensor in plan], strict=strict)
    if strict is not False:
        check_known(unknown, module)
    check_overlaps(tensors, plan)
    return plan_copies(module, tensors, plan, prefix)


def plan_published(
    module: nn.Module,
    reference: str,
    rules: Rules | None,
    rename: Rename,
    client: Client,
    *,
    prefix: str = "",
    strict: bool | None = None,
) -> tuple[list[PlannedTensor], PublishedModel]:
    """Plan how a published model initializes the parameters of a module, and the buffers that it contains.

    Returns the plan and the published model. Raises ModelRejected, which lists all mismatches,
    TensorRejected, and the client's errors.
    """
    parameters, buffers = walk_parameters(module, prefix), walk_buffers(module, prefix)
    patterns = Patterns("rules", rules)
    targets: dict[str, Target] = {}
    singles_out = is_trained(module)
    for named in parameters:
        if target := make_parameter_target(named, patterns, is_kept=singles_out and is_frozen(named)):
            targets[named.names[0]] = target
    targets |= {named.names[0]: make_buffer_target(named) for named in buffers}
    if strict is not False:
        patterns.check_matched([named.names[0] for named in parameters])
    published = fetch_published(reference, client)
    matched = match_model(published, targets, rename, strict=strict is not False)
    plan = []
    for named in parameters:
        blocks = list(plan_segments(matched.get(named.names[0], []), published))
        plan += [make_planned(named, check_rows(block)) for block in blocks or [leave(named, targets)]]
    for named in buffers:
        blocks = list(plan_segments(matched[named.names[0]], published))
        plan += [make_planned(named, check_rows(block)) for block in blocks]
    return plan, published


def make_planned(named: NamedTensor, block: Block) -> PlannedTensor:
    """Return the planned tensor for a block of a parameter or buffer."""
    tensor = named.parameter
    return PlannedTensor.of(named.names, tuple(tensor.shape), name_dtype(tensor), block, tensor)


def name_dtype(tensor: torch.Tensor) -> str:
    """Return the service's name of a tensor's dtype, or PyTorch's for other dtypes."""
    return TENSOR_DTYPES.get(tensor.dtype, str(tensor.dtype))


def make_parameter_target(
    named: NamedTensor, rules: Patterns[Rule], *, is_kept: bool = False
) -> Target | None:
    """Return the target for a parameter, with the axes and gates of its layer; None if a rule leaves it.

    One with `is_kept` need not be published. Raises TensorRejected if it has no shape yet, ModelRejected for
    a rule that gives more than a layout.
    """
    check_shape(named.parameter, named.names[0])
    shape = tuple(named.parameter.shape)
    blocks = describe_named(named)
    gates = tuple(block.suffix.removeprefix(".") for block in blocks if block.suffix.startswith("."))
    letters = find_letters(rules, named.names, find_axes(named), len(shape))
    if letters is None:
        return None
    return Target(tuple(named.names), shape, letters, gates, optional=is_kept or not named.parameter.numel())


def make_buffer_target(named: NamedTensor) -> Target:
    """Return the target for a buffer. Raises TensorRejected if it has no shape yet."""
    check_shape(named.parameter, named.names[0])
    return Target(tuple(named.names), tuple(named.parameter.shape), optional=True)


def leave(named: NamedTensor, targets: Mapping[str, Target]) -> Block:
    """Return the block of a parameter that keeps its values."""
    if named.names[0] not in targets:
        return Block(Leave(), "A rule keeps it.")
    if not named.parameter.numel():
        return Block(Leave(), "It has no elements.")
    return (
        Block(Leave(), FROZEN)
        if targets[named.names[0]].optional
        else Block(Unknown(), "It is not published.")
    )


def check_rows(block: Block) -> Block:
    """Check that a block consists of whole rows, since tensors are filled by rows. Raises ModelRejected."""
    first = block.action.first if isinstance(block.action, PublishedDraw) else 0
    if block.axis and (block.rows or first):
        raise ModelRejected(f"{block.reason} The published parts are not rows of this tensor.")
    return block
