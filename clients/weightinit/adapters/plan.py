"""Plans: how each tensor of a model is initialized, and why, before anything is drawn."""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, SupportsIndex, TypeGuard

from weightinit.adapters.actions import (
    Action,
    Block,
    Certainty,
    Constant,
    Draw,
    PublishedDraw,
)
from weightinit.adapters.published import PublishedModel, Segment, name_segments
from weightinit.adapters.rules import ModelRejected, TensorRejected
from weightinit.client import Client
from weightinit.models.expansion import ExpandedTensor
from weightinit.models.model import MAX_SEED
from weightinit.models.names import is_model_id
from weightinit.models.resolution import Resolver
from weightinit.spec.dtypes import DTYPES, find_range
from weightinit.spec.layer import Spec, refuse
from weightinit.spec.parameters import Parameters

Rename = Callable[[str], str]

MAX_LISTED = 8
FIELD = "DHW"


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """A tensor of a plan: a tensor of the model (`target`, the framework's own), or a block of one.

    `shape` is that of the block. `aliases` are the other names of a tied tensor. `drawn_as` is the name
    that its draws depend on, if it is not its own. `decision` is that of the service for a recipe.
    """

    name: str
    aliases: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    action: Action
    reason: str
    target: Any
    rows: slice | None = None
    axis: int = 0
    certainty: Certainty = "certain"
    drawn_as: str = ""
    decision: ExpandedTensor | None = None

    @classmethod
    def of(
        cls, names: Iterable[str], shape: tuple[int, ...], dtype: str, block: Block, target: object
    ) -> Self:
        """Return the planned tensor of a block, given the names and the shape of the whole tensor."""
        name, *aliases = block.extend(names)
        axis = 0
        if block.rows is not None:
            axis = range(len(shape))[block.axis]
            shape = (*shape[:axis], block.rows.stop - block.rows.start, *shape[axis + 1 :])
        return cls(
            name,
            tuple(aliases),
            shape,
            dtype,
            block.action,
            block.reason,
            target,
            block.rows,
            axis,
            block.certainty,
        )

    def make_spec(self, seed: int | str, rename: Rename = str) -> Spec | None:
        """Return the spec of a tensor that is drawn; None for others. Raises TensorRejected, SpecRejected.

        The spec of a published model has its own seed and name.
        """
        if not isinstance(self.action, Draw | PublishedDraw):
            self._check_constant()
            return None
        if self.dtype not in DTYPES:
            raise TensorRejected(
                f"{self.name}: dtype must be one of {', '.join(DTYPES)}; received {self.dtype}"
            )
        if isinstance(self.action, PublishedDraw):
            return replace(self.action.spec, dtype=self.dtype)
        name = rename(self.drawn_as or self.name)
        return Spec.of(self.shape, dtype=self.dtype, seed=seed, name=name, **self.action.layer)

    def _check_constant(self) -> None:
        """Check that an integer dtype can hold the value of a constant. Raises TensorRejected."""
        limits = find_range(self.dtype)
        if limits is None or not isinstance(self.action, Constant):
            return
        value = self.action.value
        if not (value.is_integer() and limits[0] <= value <= limits[1]):
            rule = f"must be set to an integer from {limits[0]} to {limits[1]}"
            raise TensorRejected(f"{self.name}, of dtype {self.dtype}, {rule}; received {value:g}")

    def make_segment(self, spec: Spec | None) -> Segment:
        """Return the tensor as a segment of its target, given what `make_spec` returned."""
        value = self.action.value if isinstance(self.action, Constant) else 0.0
        first = self.action.first if isinstance(self.action, PublishedDraw) else 0
        return Segment(self.name, spec, None, value, self.axis, self.rows, first)


@dataclass(frozen=True, slots=True)
class ResolvedTensor:
    """A planned tensor with its spec and the parameters that the service resolved; None if not drawn."""

    planned: PlannedTensor
    spec: Spec | None
    parameters: Parameters | None


def resolve_plan(
    plan: Sequence[PlannedTensor], seed: int | str, rename: Rename, client: Client
) -> list[ResolvedTensor]:
    """Resolve the parameters of drawn tensors, with one request for equal specs.

    Raises TensorRejected, SpecRejected and the client's errors, with a note that names the tensor.
    """
    specs = [tensor.make_spec(seed, rename) for tensor in plan]
    resolver = Resolver(client.parameters)

    def resolve(tensor: PlannedTensor, spec: Spec | None) -> Parameters | None:
        if isinstance(tensor.action, PublishedDraw) and tensor.action.parameters is not None:
            return tensor.action.parameters
        return None if spec is None else resolver.resolve(spec, tensor.name)

    return [
        ResolvedTensor(tensor, spec, resolve(tensor, spec)) for tensor, spec in zip(plan, specs, strict=True)
    ]


def plan_segments(segments: Sequence[Segment], published: PublishedModel) -> Iterator[Block]:
    """Yield the blocks of a tensor that is initialized from the segments of a published one.

    Raises ModelRejected for elements that follow from a rule, which live models cannot have yet.
    """
    for segment, suffix in zip(segments, name_segments(segments), strict=True):
        if segment.tensor is not None:
            raise ModelRejected(
                f"{segment.name} of {published.label} follows from a rule of the service "
                f"({segment.tensor.summarize()}), which a live model cannot be set to: leave it with "
                "rules={name: None}, and load it from a file of the published model"
            )
        action: Action = Constant(segment.value)
        if segment.spec is not None and segment.parameters is not None:
            action = PublishedDraw(segment.spec, segment.parameters, segment.first)
        reason = f"Published in {published.label} as {segment.name}."
        yield Block(action, reason, suffix, segment.rows, segment.axis)


def is_reference(seed: object) -> TypeGuard[str]:
    """Return whether this is the reference of a published model, and not a seed, which may be decimal text.

    >>> is_reference("vision/resnet50/1"), is_reference("42"), is_reference(42)
    (True, False, False)
    """
    return isinstance(seed, str) and (is_model_id(seed) or not seed.isdecimal())


def read_seed(seed: object) -> int:
    """Return a seed, given as a number or as decimal text. Raises SpecRejected.

    >>> read_seed("42"), read_seed(42)
    (42, 42)
    """
    number: object = seed
    if isinstance(seed, str) and seed.isdecimal() and len(seed) <= 20:
        number = int(seed)
    elif isinstance(seed, SupportsIndex) and not isinstance(seed, bool):  # NumPy's integers are not ints
        number = operator.index(seed)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_SEED:
        rule = f"must be an integer from 0 to {MAX_SEED}, or a published model's name or id"
        raise refuse("seed", rule, seed)
    return number
