"""Publishing: a module and a seed as a model that everybody can start from."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Unpack

from torch import nn

from weightinit import Client, default_client
from weightinit.adapters.rules import ModelRejected
from weightinit.models import Model, Part, Publication, TensorSpec
from weightinit.models.names import Naming
from weightinit.spec.layouts import write_out
from weightinit.torch.entries import Constant, Draw, PlannedTensor, find_layout
from weightinit.torch.fill import DTYPES
from weightinit.torch.initialize import check_seed
from weightinit.torch.layers import RUNNING, describe_parameter
from weightinit.torch.plan import plan_module
from weightinit.torch.rules import Pattern, Rule
from weightinit.torch.walk import NamedTensor, walk_buffers, walk_parameters

# What the running statistics of a norm are reset to.
STATISTICS = {"running_mean": 0.0, "running_var": 1.0}


def publish(
    model: nn.Module,
    seed: int,
    *,
    activations: Mapping[Pattern, str] | None = None,
    rules: Mapping[Pattern, Rule] | None = None,
    prefix: str = "",
    client: Client | None = None,
    **naming: Unpack[Naming],
) -> Publication:
    """Publish how `initialize_` would start a module from a seed; nothing of the module is touched or sent.

    The tensors are the parameters, a tied one under its first name, and the running statistics of norms; of a
    DTensor it is the whole. `name`, `author` and `note` are those of Client.publish, the rest those of
    initialize_. The module may be on the meta device.

    Raises ModelRejected, also for a parameter that a rule leaves alone: nobody else would know what it is.
    """
    number = check_seed(seed)
    plan = plan_module(model, activations=activations, rules=rules, prefix=prefix)
    tensors = (*describe_parameters(model, plan, number, prefix), *describe_statistics(model, prefix))
    return (client or default_client()).publish(Model(number, tensors), **naming)


def describe_parameters(
    module: nn.Module, plan: list[PlannedTensor], seed: int, prefix: str
) -> list[TensorSpec]:
    """Describe the parameters of a module as a plan starts them. Raises ModelRejected."""
    entries = [list(group) for _, group in itertools.groupby(plan, lambda entry: id(entry.parameter))]
    places = [
        (place, starts)
        for place, starts in zip(walk_parameters(module, prefix), entries, strict=True)
        if place.parameter.numel()
    ]
    problems = [problem for place, starts in places for problem in find_problems(place, starts)]
    if problems:
        raise ModelRejected(f"these cannot be published: {'; '.join(problems)}")
    return [
        TensorSpec.of(place.names[0], *cut_parts(starts, seed), dtype=DTYPES[place.parameter.dtype])
        for place, starts in places
    ]


def describe_statistics(module: nn.Module, prefix: str) -> list[TensorSpec]:
    """Describe the running statistics of norms, without which a file of the model would lack them."""
    return [
        TensorSpec.of(
            place.names[0],
            Part.constant(tuple(place.parameter.shape), STATISTICS[place.attribute]),
            dtype=DTYPES[place.parameter.dtype],
        )
        for place in walk_buffers(module, prefix)
        if isinstance(place.module, RUNNING) and place.attribute in STATISTICS
    ]


def find_problems(place: NamedTensor, entries: Sequence[PlannedTensor]) -> Iterator[str]:
    """Find why a parameter cannot be published.

    Whoever starts from it takes its axes for those that its layer has; so no rule may say others.
    """
    known = describe_parameter(place.module, place.attribute, tuple(place.parameter.shape))
    own = find_layout(known)
    if place.parameter.dtype not in DTYPES:
        yield f"{place.names[0]}, of dtype {place.parameter.dtype}"
    for entry in entries:
        if not isinstance(entry.start, Constant | Draw):
            yield f"{entry.name}, which is left as it is: {entry.reason}"
        elif isinstance(entry.start, Draw) and own:
            layout = write_out(entry.start.layer["layout"], len(entry.shape))
            if layout != own:
                yield f"{entry.name}, whose axes are {own} and not {layout}: say its fans instead"


def cut_parts(entries: Sequence[PlannedTensor], seed: int) -> Iterator[Part]:
    """Cut a parameter into parts that do not overlap: of entries that do, the last counts."""
    shape = tuple(entries[0].parameter.shape) or (1,)  # which PyTorch loads into a scalar
    spans = [entry.rows or slice(0, shape[0]) for entry in entries]
    edges = sorted({edge for span in spans for edge in (span.start, span.stop)})
    for start, stop in itertools.pairwise(edges):
        covering = [row for row in zip(entries, spans, strict=True) if row[1].start <= start < row[1].stop]
        entry, span = covering[-1]
        spec = entry.make_spec(seed)
        if spec:
            yield Part.of(spec, slice(start - span.start, stop - span.start))
        elif isinstance(entry.start, Constant):
            yield Part.constant((stop - start, *shape[1:]), entry.start.value)
