"""Models: every parameter of a module started at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import nn

from weightinit import Client, Spec, default_client
from weightinit.adapters import (
    PublishedModel,
    Rename,
    Segment,
    Target,
    fetch_published,
    is_reference,
    match_model,
    name_segments,
)
from weightinit.adapters.rules import ModelRejected
from weightinit.models.decisions import Decider
from weightinit.models.model import LARGEST_SEED
from weightinit.spec.layer import refuse
from weightinit.spec.parameters import Parameters
from weightinit.torch.entries import (
    Action,
    Block,
    Constant,
    Leave,
    PlannedTensor,
    PublishedDraw,
    Unknown,
    find_layout,
)
from weightinit.torch.fill import check_shape, check_tensor, draw_, fill_
from weightinit.torch.layers import RUNNING, describe_parameter
from weightinit.torch.plan import plan_module
from weightinit.torch.report import Report, Row
from weightinit.torch.rules import Pattern, Rule
from weightinit.torch.shards import reshard
from weightinit.torch.walk import NamedTensor, walk_buffers, walk_parameters


def plan_published(
    module: nn.Module,
    published: PublishedModel,
    *,
    rename: Rename = str,
    prefix: str = "",
    strict: bool = True,
) -> list[PlannedTensor]:
    """Plan how the parameters of a module start, and those of its buffers that are published too.

    Raises ModelRejected, which lists all that does not fit, and TensorRejected.
    """
    parameters, buffers = walk_parameters(module, prefix), walk_buffers(module, prefix)
    targets = {place.names[0]: make_parameter_target(place) for place in parameters}
    targets |= {place.names[0]: make_buffer_target(place) for place in buffers}
    matched = match_model(published, targets, rename, strict=strict)
    blocks = {name: list(make_blocks(segments, published)) for name, segments in matched.items()}
    entries = [
        PlannedTensor.of(place, block)
        for place in parameters
        for block in blocks[place.names[0]] or [leave(place)]
    ]
    return entries + [PlannedTensor.of(place, block) for place in buffers for block in blocks[place.names[0]]]


def make_parameter_target(place: NamedTensor) -> Target:
    """Say what a parameter is, with the axes and gates that its layer has, where it is one of PyTorch's.

    Raises TensorRejected where it has no shape yet.
    """
    check_shape(place.parameter, place.names[0])
    shape = tuple(place.parameter.shape)
    blocks = describe_parameter(place.module, place.attribute, shape)
    gates = tuple(block.suffix.removeprefix(".") for block in blocks if block.suffix.startswith("."))
    is_empty = not place.parameter.numel()
    return Target(tuple(place.names), shape, find_layout(blocks), gates, optional=is_empty)


def make_buffer_target(place: NamedTensor) -> Target:
    """Say what a buffer is. Raises TensorRejected where it has no shape yet."""
    check_shape(place.parameter, place.names[0])
    return Target(tuple(place.names), tuple(place.parameter.shape), optional=True)


def leave(place: NamedTensor) -> Block:
    """Leave a parameter as it is."""
    if place.parameter.numel():
        return Block(Unknown(), "It is not published.")
    return Block(Leave(), "It has no elements.")


def make_blocks(segments: list[Segment], published: PublishedModel) -> Iterator[Block]:
    """Make the blocks of a parameter. Raises ModelRejected where its pieces are not made of whole rows."""
    for segment, suffix in zip(segments, name_segments(segments), strict=True):
        if segment.axis and (segment.rows or segment.first):
            raise ModelRejected(f"{segment.name} is published in parts that are not made of rows here")
        yield Block(
            make_start(segment), f"Published in {published.label} as {segment.name}.", suffix, segment.rows
        )


def make_start(segment: Segment) -> Action:
    """Make how a piece starts."""
    if segment.spec is None or segment.decided is None:
        return Constant(segment.value)
    return PublishedDraw(segment.spec, segment.decided, segment.first)


def start_plan(
    module: nn.Module,
    plan: Sequence[PlannedTensor],
    client: Client,
    seed: int = 0,
    rename: Callable[[str], str] = str,
) -> tuple[Row, ...]:
    """Start the tensors of a plan, and return how; nothing is touched before all of it is known to be right.

    `seed` and `rename` are for what no published model says. Raises TensorRejected and the client's errors.
    """
    for entry in plan:
        if not isinstance(entry.start, Leave | Unknown):
            check_tensor(entry.parameter, entry.name)
    specs = [entry.make_spec(seed, rename) for entry in plan]
    decider = Decider(client.parameters)
    decided = [decide(entry, spec, decider) for entry, spec in zip(plan, specs, strict=True)]
    for part in module.modules():
        if isinstance(part, RUNNING):
            part.reset_running_stats()
    for entry, spec in zip(plan, specs, strict=True):
        start_(entry, spec, client)
    return tuple(Row.of(entry, found) for entry, found in zip(plan, decided, strict=True))


def decide(entry: PlannedTensor, spec: Spec | None, decider: Decider) -> Parameters | None:
    """Find what is decided of an entry's spec: of a published model's, that is known."""
    if isinstance(entry.start, PublishedDraw):
        return entry.start.decided
    return None if spec is None else decider.decide(spec, entry.name)


def start_(entry: PlannedTensor, spec: Spec | None, client: Client) -> None:
    """Start one tensor."""
    if isinstance(entry.start, Constant):
        fill_(entry.parameter, entry.start.value, entry.rows)
    if spec is None:
        return
    first = entry.start.first if isinstance(entry.start, PublishedDraw) else 0
    try:
        draw_(entry.parameter, spec, client, entry.rows, first)
    except Exception as error:
        error.add_note(f"{entry.name} is not complete, and what comes after it has not started.")
        raise


def initialize_(
    module: nn.Module,
    seed: int | str,
    *,
    activations: Mapping[Pattern, str] | None = None,
    rules: Mapping[Pattern, Rule] | None = None,
    name: Callable[[str], str] = str,
    prefix: str = "",
    strict: bool = True,
    client: Client | None = None,
) -> Report:
    """Start every parameter of a module, in place; return how, and why.

    A tensor's weights depend on the seed and its name, not on the order, device, sharding or world size. Of a
    DTensor each rank fetches its own shards, and nothing is communicated. Biases and norms get their usual
    constants, and a norm's running statistics are reset; other buffers are left alone.

    `activations` says what follows a layer, by pattern of its name, where the graph does not show it; `rules`
    says anything else. `prefix` is the module's own name, where it is part of a larger one. `name` makes the
    names that draws depend on of the parameters'. With strict=False parameters of which nothing says how they
    start are left as they are, and `skipped` in the report.

    In place of a seed there may be the reference of a published model: team/name/version, or its id. That
    says how each tensor starts, so there are no activations and rules then; buffers that are published
    are filled too. With strict=False what only one of the two has is left alone.

    Everything is checked before the first tensor is touched. Raises ModelRejected, TensorRejected and the
    client's errors; after one that came while weights were on their way, run it again.
    """
    reshard(module)
    asked = client or default_client()
    if is_reference(seed):
        check_unsaid(activations=activations, rules=rules)
        published = fetch_published(seed, asked)
        plan = plan_published(module, published, rename=name, prefix=prefix, strict=strict)
        return Report(published.seed, start_plan(module, plan, asked), seed, published.id)
    number = check_seed(seed)
    plan = plan_module(module, activations=activations, rules=rules, prefix=prefix, strict=strict)
    return Report(number, start_plan(module, plan, asked, number, name))


def check_seed(seed: object) -> int:
    """Check the seed, which the service sees only when weights are on their way. Raises SpecRejected."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        rule = f"must be an integer from 0 to {LARGEST_SEED}, or a published model's name or id"
        raise refuse("seed", rule, seed)
    return seed


def check_unsaid(**said: object) -> None:
    """Check that nothing is said that a published model says already. Raises ModelRejected."""
    for argument, value in said.items():
        if value:
            raise ModelRejected(
                f"{argument} must not be said: the published model says how each tensor starts"
            )
