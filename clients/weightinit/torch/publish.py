"""`publish`: publish how a module is initialized from a seed, so that others can initialize from it."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Unpack

import torch
from torch import nn

from weightinit import Client, default_client
from weightinit.adapters.actions import Block, Constant, Draw, Leave, PublishedDraw, find_layout
from weightinit.adapters.batches import Batch
from weightinit.adapters.messages import warn_of_unpublished
from weightinit.adapters.plan import PlannedTensor, Rename, read_seed
from weightinit.adapters.recipes import Recipe
from weightinit.adapters.rules import ModelRejected, Pattern, Rules
from weightinit.deprecation import deprecate_keywords
from weightinit.models import Model, Part, Publication, TensorSpec
from weightinit.models.names import Naming
from weightinit.spec.dtypes import find_range
from weightinit.spec.fields import LayerFields
from weightinit.spec.layouts import write_out
from weightinit.torch.fill import DTYPES, PLAIN, TENSOR_DTYPES
from weightinit.torch.initialize import DEPRECATED
from weightinit.torch.keeping.kept import describe_named, find_frozen_norms
from weightinit.torch.keeping.values import is_readable
from weightinit.torch.layers import RUNNING
from weightinit.torch.plan import plan_parameters
from weightinit.torch.roles import plan_module
from weightinit.torch.walk import NamedTensor, walk_buffers, walk_parameters

# A tensor that is kept is published as at most this many constant parts.
MOST_RUNS = 64
# The numbers of axes that torch.nn.init.dirac_ fills, and the most for which PyTorch's order is known.
DIRAC, MOST_AXES = (3, 4, 5), 5
# The values that the running statistics of a norm are reset to.
STATISTICS = {"running_mean": 0.0, "running_var": 1.0, "num_batches_tracked": 0.0}


@deprecate_keywords({}, DEPRECATED)
def publish(
    model: nn.Module,
    seed: int | str,
    *,
    rules: Rules | None = None,
    recipe: Recipe | None = None,
    rename: Rename = str,
    batch: Batch = None,
    client: Client | None = None,
    activations: Mapping[Pattern, str] | None = None,
    prefix: str = "",
    **naming: Unpack[Naming],
) -> Publication:
    """Publish how `initialize` would initialize a module from a seed; the module does not change.

    The published tensors are the parameters, a tied one once under its first name; the running statistics of
    norms; and other buffers of the state_dict that are constant, or constant within each of a few runs of
    rows. An UnpublishedTensorWarning names the other buffers. A DTensor is published whole. The module may be
    on the meta device, where only the buffers of norms are known. `name`, `author` and `note` are those of
    Client.publish, the other arguments those of `initialize`.

    Raises ModelRejected, also for a parameter that a rule keeps or that is frozen, if its rows are not
    constant: its values are unknown to the service.
    """
    number = read_seed(seed)
    source = client or default_client()
    if recipe is None:
        plan = plan_parameters(model, rules=rules, activations=activations, prefix=prefix, batch=batch)
    else:
        plan = plan_module(model, recipe, number, rules, rename, source, batch=batch, prefix=prefix).tensors
    tensors = describe_parameters(model, plan, number, prefix, rename)
    buffers, lacking = describe_buffers(model, prefix, rename)
    warn_of_unpublished(lacking)
    return source.publish(Model(number, (*tensors, *buffers)), **naming)


def describe_parameters(
    module: nn.Module, plan: list[PlannedTensor], seed: int, prefix: str, rename: Rename
) -> list[TensorSpec]:
    """Return the specs of a module's parameters according to a plan. Raises ModelRejected."""
    own = {id(named.parameter): describe_named(named) for named in walk_parameters(module, prefix)}
    spelled = [one for block in plan for one in spell_kept(block, own[id(block.target)])]
    groups = [list(group) for _, group in itertools.groupby(spelled, lambda tensor: id(tensor.target))]
    named_blocks = list(zip(walk_parameters(module, prefix), groups, strict=True))
    problems = [problem for named, blocks in named_blocks for problem in find_problems(named, blocks)]
    if problems:
        raise ModelRejected(f"these cannot be published: {'; '.join(problems)}")
    return [
        TensorSpec.of(
            rename(named.names[0]),
            *cut_parts(blocks, seed, rename),
            dtype=TENSOR_DTYPES[named.parameter.dtype],
        )
        for named, blocks in named_blocks
    ]


def spell_kept(block: PlannedTensor, own: Sequence[Block]) -> list[PlannedTensor]:
    """Replace a kept tensor by the draw of an identity, or by a constant for each run of equal rows.

    `own` are the tensor's blocks by its layer. Tensors with other values stay as they are.
    """
    tensor: torch.Tensor = block.target
    if block.action != Leave() or not is_readable(tensor):
        return [block]
    if block.rows is None and tensor.numel() > 1 and (layer := find_identity(tensor.detach(), own)):
        return [replace(block, action=Draw(layer))]
    runs = find_runs(tensor if block.rows is None else tensor[block.rows])
    if runs is None:
        return [block]
    if len(runs) == 1:
        return [replace(block, action=Constant(runs[0][2]))]
    first = block.rows.start if block.rows else 0
    return [
        replace(block, action=Constant(value), rows=slice(first + start, first + stop))
        for start, stop, value in runs
    ]


def find_identity(tensor: torch.Tensor, own: Sequence[Block]) -> LayerFields | None:
    """Return the layer that draws an identity, or a convolution that repeats its inputs; None for others.

    These are the values of torch.nn.init.eye_, times a gain, and dirac_.

    >>> find_identity(torch.eye(2, 3), [])
    {'layout': 'OI', 'scheme': 'identity', 'gain': 1.0}
    """
    layout = find_layout(own) or write_out("torch", min(tensor.ndim, MOST_AXES))
    if tensor.ndim == 2:
        gain = float(tensor[0, 0])
        if gain > 0 and torch.equal(tensor, gain * torch.eye(*tensor.shape).to(tensor)):
            return {"layout": layout, "scheme": "identity", "gain": gain}
    elif tensor.ndim in DIRAC and layout.startswith("OI"):
        groups = next((one.action.layer.get("groups", 1) for one in own if isinstance(one.action, Draw)), 1)
        if tensor.shape[0] % groups == 0 and torch.equal(tensor, nn.init.dirac_(tensor.clone(), groups)):
            return {"layout": layout, "scheme": "dirac", "groups": groups, "center": "torch"}
    return None


def find_runs(tensor: torch.Tensor) -> list[tuple[int, int, float]] | None:
    """Return the runs of equal, constant rows of a tensor; None if a row varies or there are too many runs.

    >>> find_runs(torch.tensor([1, 1, 0])), find_runs(torch.eye(2))
    ([(0, 2, 1.0), (2, 3, 0.0)], None)
    """
    rows = tensor.detach().reshape(len(tensor) if tensor.ndim else 1, -1)
    if not bool((rows == rows[:, :1]).all()):
        return None
    starts = [0, *(int(one) + 1 for one in (rows[1:, 0] != rows[:-1, 0]).nonzero())]
    if len(starts) > MOST_RUNS:
        return None
    ends = itertools.pairwise([*starts, len(rows)])
    return [(start, stop, float(rows[start, 0])) for start, stop in ends]


def describe_buffers(module: nn.Module, prefix: str, rename: Rename) -> tuple[list[TensorSpec], list[str]]:
    """Return specs of the buffers with known values, and the names of those that a weight file will lack.

    Raises ModelRejected for a frozen norm whose statistics are not constant.
    """
    frozen, described, lacking = find_frozen_norms(module), list[TensorSpec](), list[str]()
    for named in walk_buffers(module, prefix):
        is_statistic = isinstance(named.module, RUNNING) and named.attribute in STATISTICS
        parts: list[Part] | None = find_parts(named)
        if is_statistic and named.module not in frozen:
            parts = [Part.constant(tuple(named.parameter.shape), STATISTICS[named.attribute])]
        elif is_statistic and (parts is None or len(parts) > 1):
            raise ModelRejected(
                f"{named.names[0]} cannot be published: its norm is frozen, and its values differ"
            )
        if parts:
            dtype = TENSOR_DTYPES[named.parameter.dtype]
            described.append(TensorSpec.of(rename(named.names[0]), *parts, dtype=dtype))
        elif is_saved(named):
            lacking.append(named.names[0])
    return described, lacking


def is_saved(named: NamedTensor) -> bool:
    """Return whether a buffer is in its module's state_dict."""
    return named.attribute not in named.module._non_persistent_buffers_set  # noqa: SLF001 - no public way


def find_parts(named: NamedTensor) -> list[Part] | None:
    """Return the constant parts of a saved buffer; None if its values are unknown or vary too much.

    The values of a DTensor, and of a tensor on the meta device, are unknown.
    """
    buffer, shape = named.parameter, tuple(named.parameter.shape)
    dtype = TENSOR_DTYPES.get(buffer.dtype)
    is_readable = type(buffer) in PLAIN and not buffer.is_meta and buffer.layout == torch.strided
    if dtype is None or not is_readable or not is_saved(named):
        return None
    if not buffer.numel():
        return [Part.constant(shape, 0.0)]
    runs, limits = find_runs(buffer), find_range(dtype)
    low, high = limits or (-math.inf, math.inf)
    if runs is None or not all(math.isfinite(value) and low <= value <= high for _, _, value in runs):
        return None
    if len(runs) == 1:
        return [Part.constant(shape, runs[0][2])]
    return [Part.constant((stop - start, *shape[1:]), value) for start, stop, value in runs]


def find_problems(named: NamedTensor, blocks: Sequence[PlannedTensor]) -> Iterator[str]:
    """Yield the reasons why a parameter cannot be published.

    Consumers of the published model use the axes of the layer, so a rule must not give other axes.
    """
    own = find_layout(describe_named(named))
    is_drawn = any(isinstance(block.action, Draw | PublishedDraw) for block in blocks)
    if named.parameter.dtype not in (DTYPES if is_drawn else TENSOR_DTYPES):
        yield f"{named.names[0]}, of dtype {named.parameter.dtype}"
    if not named.parameter.numel():
        return
    for block in blocks:
        if not isinstance(block.action, Constant | Draw | PublishedDraw):
            yield f"{block.name}, which keeps its values: {block.reason}"
        elif isinstance(block.action, Draw) and own:
            layout = write_out(block.action.layer["layout"], len(block.shape))
            if layout != own:
                yield f"{block.name}, whose axes are {own}, not {layout}: set its fans by the rule instead"


def cut_parts(blocks: Sequence[PlannedTensor], seed: int, rename: Rename) -> Iterator[Part]:
    """Split a parameter into parts that do not overlap; where blocks overlap, the last one counts."""
    shape = tuple(blocks[0].target.shape)
    if not shape or 0 in shape:
        block = blocks[-1]
        block.make_spec(seed, rename)  # raises an error if a scalar is to be drawn
        yield Part.constant(shape, block.action.value if isinstance(block.action, Constant) else 0)
        return
    spans = [block.rows or slice(0, shape[0]) for block in blocks]
    edges = sorted({edge for span in spans for edge in (span.start, span.stop)})
    for start, stop in itertools.pairwise(edges):
        covering = [row for row in zip(blocks, spans, strict=True) if row[1].start <= start < row[1].stop]
        block, span = covering[-1]
        spec = block.make_spec(seed, rename)
        if spec:
            first = block.action.first if isinstance(block.action, PublishedDraw) else 0
            rows = slice(first + start - span.start, first + stop - span.start)
            yield Part.of(spec, rows, copy=bool(block.drawn_as))
        elif isinstance(block.action, Constant):
            yield Part.constant((stop - start, *shape[1:]), block.action.value)
