"""Published models as the adapters use them: by reference, with the parameters of each part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from weightinit.adapters.rules import ModelRejected
from weightinit.arrays import make_array
from weightinit.client import Client
from weightinit.errors import NotWeightinit
from weightinit.models import Model, TensorParameters, TensorSpec
from weightinit.models.names import is_model_id
from weightinit.spec.dtypes import INTEGERS, TENSOR_DTYPES, find_numpy_dtype
from weightinit.spec.layer import Spec
from weightinit.spec.parameters import Parameters

if TYPE_CHECKING:
    from weightinit.arrays import Array

# A half-open slice of each axis of a tensor.
AxisSlices = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows of a tensor along an axis, all if `rows` is None: drawn, of one constant value, or served.

    Drawn rows are those of the spec's tensor from `first` on; `name` is its name in the published model.
    Elements that follow from a rule are fetched from the published `tensor` of the `model` with this id.
    """

    name: str
    spec: Spec | None = None
    parameters: Parameters | None = None
    value: float = 0.0
    axis: int = 0
    rows: slice | None = None
    first: int = 0
    model: str = ""
    tensor: TensorSpec | None = None

    def intersect(self, slices: AxisSlices) -> AxisSlices | None:
        """Return the part of the slices within these rows; None if there is none."""
        if self.rows is None:
            return slices
        axis_slice = slices[self.axis]
        start, stop = max(axis_slice.start, self.rows.start), min(axis_slice.stop, self.rows.stop)
        return _set_axis(slices, self.axis, slice(start, stop)) if start < stop else None

    def read(self, slices: AxisSlices, dtype: str, client: Client) -> "Array":
        """Read slices of the tensor, which must be within these rows."""
        if self.tensor:
            found = client.fetch_tensor(self.model, self.tensor, slices)
            return found.astype(find_numpy_dtype(TENSOR_DTYPES[dtype]))
        if self.spec is None:
            shape = [axis_slice.stop - axis_slice.start for axis_slice in slices]
            return np.full(shape, self.value, find_numpy_dtype(TENSOR_DTYPES[dtype]))
        shift = self.first - (self.rows.start if self.rows else 0)
        axis_slice = slices[self.axis]
        slices = _set_axis(slices, self.axis, slice(axis_slice.start + shift, axis_slice.stop + shift))
        return client.weights(replace(self.spec, dtype=dtype), slice=slices)


def read_slices(segments: Sequence[Segment], slices: AxisSlices, dtype: str, client: Client) -> "Array":
    """Read slices of a tensor made of segments, requesting only the needed rows of each."""
    shared = [(segment, segment.intersect(slices)) for segment in segments]
    shares = [(segment, share) for segment, share in shared if share is not None]  # of a scalar it is ()
    if len(shares) == 1:
        return shares[0][0].read(slices, dtype, client)
    array = make_array(
        tuple(axis_slice.stop - axis_slice.start for axis_slice in slices), TENSOR_DTYPES[dtype]
    )
    for segment, share in shares:
        inside = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(share, slices, strict=True)
        )
        array[inside] = segment.read(share, dtype, client)
    return array


def name_segments(segments: Sequence[Segment]) -> list[str]:
    """Return a suffix for each segment of a tensor: the last part of its name if unique, else its rows.

    >>> name_segments([Segment("lstm.i", rows=slice(0, 4)), Segment("lstm.f", rows=slice(4, 8))])
    ['.i', '.f']
    >>> name_segments([Segment("table", rows=slice(0, 1)), Segment("table", rows=slice(1, 9))])
    ['[0:1]', '[1:9]']
    """
    counts = Counter(segment.name.rpartition(".")[2] for segment in segments)
    return ["" if segment.rows is None else _name_rows(segment, segment.rows, counts) for segment in segments]


def span(shape: Sequence[int]) -> AxisSlices:
    """Return the slices that cover a whole shape.

    >>> span((2, 3))
    (slice(0, 2, None), slice(0, 3, None))
    """
    return tuple(slice(0, length) for length in shape)


def _name_rows(segment: Segment, rows: slice, counts: Counter[str]) -> str:
    end = segment.name.rpartition(".")[2]
    return f".{end}" if counts[end] == 1 else f"[{rows.start}:{rows.stop}]"


def _set_axis(slices: AxisSlices, axis: int, axis_slice: slice) -> AxisSlices:
    return (*slices[:axis], axis_slice, *slices[axis + 1 :])


# The version of the stream that this client requests.
STREAM = 1

# What a model and its parameters must agree on: the shape of a tensor, and of each part, drawn or not.
Outline = tuple[tuple[int, ...], tuple[tuple[tuple[int, ...], bool], ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """A published tensor, or a part of one, made of `segments`, in the published order of axes."""

    name: str
    shape: tuple[int, ...]
    segments: tuple[Segment, ...]
    dtype: str = "float32"

    @property
    def is_weight(self) -> bool:
        """Whether it has elements and no integer dtype; integers are counters of a single framework."""
        return 0 not in self.shape and self.dtype not in INTEGERS


@dataclass(frozen=True)
class PublishedModel:
    """A published model: the reference it was requested by, its id, and its tensors."""

    reference: str
    id: str
    seed: int
    tensors: tuple[Source, ...]

    @classmethod
    def of(
        cls, reference: str, model_id: str, model: Model, parameters: tuple[TensorParameters, ...]
    ) -> "PublishedModel":
        """Return the published model of a model and its parameters.

        Raises ModelRejected for another stream, NotWeightinit if the parameters are another model's.
        """
        if model.stream != STREAM:
            advice = "upgrade weightinit"
            raise ModelRejected(f"{reference} is drawn from stream {model.stream}, not {STREAM}: {advice}")
        rows = {row.name: row for row in parameters}
        check_parameters(reference, model, rows)
        tensors = tuple(_assemble(tensor, rows[tensor.name], model_id) for tensor in model.tensors)
        return cls(reference, model_id, model.seed, tensors)

    @property
    def label(self) -> str:
        """The reference, short enough for a table."""
        return self.reference[:12] if is_model_id(self.reference) else self.reference

    def find(self, name: str) -> Source | None:
        """Find a tensor by its name, or a part by its own name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Source]:
        parts = [
            Source(segment.name, shape, (segment,))
            for tensor in self.tensors
            for segment, shape in _separate(tensor)
        ]
        counts = Counter(part.name for part in parts)
        alone = {part.name: part for part in parts if counts[part.name] == 1}
        return {**alone, **{tensor.name: tensor for tensor in self.tensors}}


def check_parameters(reference: str, model: Model, parameters: Mapping[str, TensorParameters]) -> None:
    """Check that parameters are those of a model's tensors and their parts. Raises NotWeightinit."""
    expected = {tensor.name: _outline_tensor(tensor) for tensor in model.tensors}
    found = {name: _outline_parameters(tensor) for name, tensor in parameters.items()}
    wrong = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
    if wrong:
        shape, parts = found.get(wrong[0], ((), ()))
        received = f"{list(shape)} in {len(parts)} parts" if parts else "nothing"
        raise NotWeightinit(
            f"the parameters of {wrong[0]!r} of {reference} must have the shape and the parts that are "
            f"published; received {received}; check the URL"
        )


def fetch_published(reference: str, client: Client) -> PublishedModel:
    """Fetch a published model, by its name or id. Raises ModelRejected and the client's errors."""
    model_id = reference if is_model_id(reference) else client.resolve(reference).model
    return PublishedModel.of(reference, model_id, client.model(model_id), client.model_parameters(model_id))


def _outline_tensor(tensor: TensorSpec) -> Outline:
    return tensor.shape, tuple((part.shape, part.spec is not None) for part in tensor.parts)


def _outline_parameters(tensor: TensorParameters) -> Outline:
    return tensor.shape, tuple((part.shape, part.parameters is not None) for part in tensor.parts)


def _assemble(tensor: TensorSpec, parameters: TensorParameters, model: str) -> Source:
    segments, start = [], 0
    for part, expected in zip(tensor.parts, parameters.parts, strict=True):
        stop = start + (part.shape[tensor.axis] if part.shape else 1)
        rows = None if len(tensor.parts) == 1 else slice(start, stop)
        first = part.rows.start if part.rows else 0
        name = part.spec.name or "" if part.spec else tensor.name
        segments.append(
            Segment(
                name,
                part.spec,
                expected.parameters,
                part.value or 0.0,
                tensor.axis,
                rows,
                first,
                *((model, tensor) if part.rule else ()),
            )
        )
        start = stop
    return Source(tensor.name, tensor.shape, tuple(segments), tensor.dtype)


def _separate(tensor: Source) -> list[tuple[Segment, tuple[int, ...]]]:
    """Return the parts that are drawn under their own names, each with its shape."""
    parts = []
    for segment in tensor.segments:
        if segment.spec and segment.name != tensor.name:
            axis = segment.axis
            length = segment.rows.stop - segment.rows.start if segment.rows else tensor.shape[axis]
            alone = replace(segment, rows=None)
            parts.append((alone, (*tensor.shape[:axis], length, *tensor.shape[axis + 1 :])))
    return parts
