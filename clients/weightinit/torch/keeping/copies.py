"""Find frozen copies of trained parameters, such as a teacher's, and keep them equal to the originals."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import torch

from weightinit.adapters.actions import CERTAINTIES, Leave, Unknown
from weightinit.adapters.messages import warn_of_copies
from weightinit.adapters.plan import PlannedTensor
from weightinit.torch.keeping.biases import find_layer_limit, has_new_norms, is_drawn_within
from weightinit.torch.keeping.kept import FROZEN, is_frozen, is_trained
from weightinit.torch.keeping.values import find_uniform, is_readable
from weightinit.torch.walk import NamedTensor, walk_buffers


def plan_copies(
    root: torch.nn.Module, tensors: Sequence[NamedTensor], plan: Sequence[PlannedTensor], prefix: str = ""
) -> list[PlannedTensor]:
    """Plan frozen copies of trained tensors like their originals, so that they stay equal.

    Only in a model that was not trained. In a trained model the frozen part may be the original, as in
    ControlNet: it is kept, with a warning that the two will differ. The same applies to buffers.
    """
    copies = find_copies(tensors) if is_trained(root) else {}
    blocks = {key: list(group) for key, group in groupby(plan, lambda one: id(one.target))}
    drawn = {
        id(named.parameter): named
        for named in tensors
        if not all(isinstance(one.action, Leave | Unknown) for one in blocks[id(named.parameter)])
    }
    followed = {
        key: original
        for key, original in copies.items()
        if all(one.reason == FROZEN for one in blocks[key]) and id(original.parameter) in drawn
    }
    stale = find_buffers(root, list(drawn.values()), prefix)
    if followed and not is_new(tensors, copies):
        names = {id(named.parameter): named.names[0] for named in tensors}
        stale = {names[key]: original.names[0] for key, original in followed.items()} | stale
        followed = {}
    if stale:
        warn_of_copies(stale)
    for named in tensors:
        if original := followed.get(id(named.parameter)):
            made = blocks[id(original.parameter)]
            blocks[id(named.parameter)] = [follow(one, named, original) for one in made]
    return [one for group in blocks.values() for one in group]


def find_buffers(root: torch.nn.Module, drawn: Sequence[NamedTensor], prefix: str) -> dict[str, str]:
    """Return the names of buffers that are copies of parameters to be drawn, with the parameters' names."""
    by_shape = defaultdict(list)
    for named in drawn:
        if is_readable(named.parameter):
            by_shape[tuple(named.parameter.shape), named.parameter.dtype].append(named)
    stale: dict[str, str] = {}
    for buffer in walk_buffers(root, prefix):
        alike = by_shape[tuple(buffer.parameter.shape), buffer.parameter.dtype]
        if not alike or not is_readable(buffer.parameter) or find_uniform(buffer.parameter) is not None:
            continue
        equal = (one.names[0] for one in alike if torch.equal(one.parameter, buffer.parameter))
        if (name := next(equal, None)) is not None:
            stale[buffer.names[0]] = name
    return stale


def follow(planned: PlannedTensor, named: NamedTensor, original: NamedTensor) -> PlannedTensor:
    """Return the planned tensor of a copy, given that of the original."""
    suffix = planned.name.removeprefix(original.names[0])
    name, *aliases = (f"{one}{suffix}" for one in named.names)
    return replace(
        planned,
        name=name,
        aliases=tuple(aliases),
        target=named.parameter,
        reason=f"It was a frozen copy of {original.names[0]}, and stays one.",
        certainty=max("guessed", planned.certainty, key=CERTAINTIES.index),
        drawn_as=planned.drawn_as or planned.name,
    )


def find_copies(tensors: Sequence[NamedTensor]) -> dict[int, NamedTensor]:
    """Return the trained tensor that each frozen one is a copy of, by id of the frozen one.

    Non-constant tensors with equal values are copies. Constant tensors are copies if they have the same place
    in two parts of the model that contain other copies.
    """
    trained = defaultdict(list)
    for named in tensors:
        if not is_frozen(named) and is_readable(named.parameter):
            trained[tuple(named.parameter.shape), named.parameter.dtype].append(named)
    frozen = [named for named in tensors if is_frozen(named) and is_readable(named.parameter)]
    found: dict[int, NamedTensor] = {}
    parts: set[tuple[str, str]] = set()
    for named in frozen:
        if find_uniform(named.parameter) is not None:
            continue
        alike = trained[tuple(named.parameter.shape), named.parameter.dtype]
        equal = [one for one in alike if torch.equal(one.parameter, named.parameter)]
        if equal:
            found[id(named.parameter)] = max(equal, key=lambda one: len(split_end(named, one)[2]))
            parts.add(split_end(named, found[id(named.parameter)])[:2])
    by_name = {named.names[0]: named for group in trained.values() for named in group}
    for named in frozen:
        for part, other in parts:
            twin = by_name.get(f"{other}{named.names[0].removeprefix(part)}")
            if id(named.parameter) not in found and twin and torch.equal(twin.parameter, named.parameter):
                found[id(named.parameter)] = twin
    return found


def split_end(first: NamedTensor, second: NamedTensor) -> tuple[str, str, str]:
    """Split the names of two tensors into their different beginnings and their common end."""
    names = [named.names[0].split(".") for named in (first, second)]
    count = 0
    for one, other in zip(*map(reversed, names), strict=False):
        if one != other:
            break
        count += 1
    start, other = (".".join(name[: len(name) - count]) for name in names)
    return start, other, ".".join(names[0][len(names[0]) - count :])


def is_new(tensors: Sequence[NamedTensor], copies: Mapping[int, NamedTensor]) -> bool:
    """Return whether copied tensors are untrained: the norms are constant, or each kernel is as drawn."""
    if has_new_norms(tensors):
        return True
    limits = [
        (named.parameter, limit)
        for named in copies.values()
        if named.parameter.ndim > 1 and (limit := find_layer_limit(named.module))
    ]
    return bool(limits) and all(is_drawn_within(kernel, limit) for kernel, limit in limits)
