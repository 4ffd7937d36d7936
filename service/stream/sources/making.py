"""Making: choose the source of a spec, or of the parts of a model's tensor."""

import math
from collections.abc import Callable
from typing import NamedTuple

from service.core import DTYPES, TENSOR_DTYPES, IntegerDtype, LayerSpec, Parameters, SchemeName, require_seed
from service.core.cut import compute_cut, round_interval
from service.core.errors import MAX_ERRORS, FieldError, SpecError, make_spec_error
from service.core.layer.spread import DEFAULT_ENDS
from service.core.layer.types import CenterName
from service.core.models import Constant, Drawn, Model, ModelTensor, Part, Values
from service.core.models.values import InverseSoftplus
from service.core.schemes import CONSTANTS
from service.core.slices import Slices, compute_shape, select_all
from service.stream.key import derive_key
from service.stream.order import find_positions
from service.stream.orthogonal import OrthogonalTensor, estimate_cost, estimate_memory
from service.stream.sources.identity import IdentityTensor
from service.stream.sources.shifted import ShiftedTensor
from service.stream.sources.sparse import MASK_DOMAIN, SparseTensor
from service.stream.sources.stacked import StackedTensor
from service.stream.sources.values import InverseSoftplusTensor, ValuesTensor
from service.stream.tensor import ConstantTensor, Source, Tensor


class WorkLimits(NamedTuple):
    """The largest number of operations, and of bytes of memory, that one tensor may take."""

    operations: int = 10**12
    memory: int = 2**30


WORK_LIMITS = WorkLimits()
Make = Callable[[LayerSpec, Parameters, Slices], Source]


def make_source(spec: LayerSpec, parameters: Parameters, slices: Slices | None = None) -> Source:
    """Return the source of the tensor of a spec, or of a slice of it.

    `slices` has a half-open slice for each axis, in the order of the layout. Raises SpecError if the scheme
    needs a seed and the spec has none.
    """
    slices = slices or select_all(parameters.shape)
    make = MAKERS.get(parameters.scheme, make_drawn)
    return make(spec, parameters, slices)


def make_drawn(spec: LayerSpec, parameters: Parameters, slices: Slices) -> Source:
    """Return the source of elements that are drawn one by one."""
    cut_elsewhere = (parameters.lower, parameters.upper) not in {(None, None), DEFAULT_ENDS}
    if parameters.distribution is None:
        raise ValueError(f"scheme {parameters.scheme} has no distribution")
    if not (parameters.mean or cut_elsewhere or spec.low is not None):
        return Tensor.of(spec, parameters, slices)
    low, high = -DTYPES[spec.dtype].max, DTYPES[spec.dtype].max
    if parameters.low is not None and parameters.high is not None:
        ends = round_interval(parameters.low, parameters.high, spec.dtype, above_low=spec.low is None)
        low, high = ends or (low, high)
    factor, cut = parameters.stddev, None
    if parameters.distribution == "uniform":
        factor = parameters.limit
    elif cut_elsewhere and parameters.lower is not None and parameters.upper is not None:
        factor, cut = parameters.parent_stddev or 0.0, compute_cut(parameters.lower, parameters.upper)[:3]
    return ShiftedTensor(
        key=derive_key(require_seed(spec), spec.name),
        shape=compute_shape(slices),
        positions=find_positions(parameters.shape, parameters.layout, slices),
        distribution=parameters.distribution,
        dtype=parameters.dtype,
        factor=factor,
        mean=parameters.mean,
        low=low,
        high=high,
        cut=cut,
    )


def make_constant(_spec: LayerSpec, parameters: Parameters, slices: Slices) -> Source:
    """Return the source of a tensor with one value everywhere."""
    return ConstantTensor(compute_shape(slices), parameters.dtype, parameters.mean)


def make_identity(spec: LayerSpec, parameters: Parameters, slices: Slices) -> Source:
    """Return the source of an identity or Dirac tensor."""
    return IdentityTensor(
        shape=parameters.shape,
        layout=parameters.layout,
        slices=slices,
        dtype=parameters.dtype,
        gain=parameters.gain,
        groups=spec.groups,
        center=spec.center,
    )


def make_sparse(spec: LayerSpec, parameters: Parameters, slices: Slices) -> SparseTensor:
    """Return the source of a sparse tensor."""
    seed = require_seed(spec)
    return SparseTensor(
        key=derive_key(seed, spec.name),
        mask_key=derive_key(seed, spec.name, domain=MASK_DOMAIN),
        shape=parameters.shape,
        layout=parameters.layout,
        slices=slices,
        dtype=parameters.dtype,
        factor=spec.stddev or 0.0,
        sparsity=spec.sparsity or 0.0,
        axis=spec.sparsity_axis,
    )


def make_orthogonal(spec: LayerSpec, parameters: Parameters, slices: Slices) -> Source:
    """Return the source of an orthogonal or delta-orthogonal tensor."""
    return OrthogonalTensor(
        key=derive_key(require_seed(spec), spec.name),
        shape=parameters.shape,
        layout=parameters.layout,
        slices=slices,
        dtype=parameters.dtype,
        gain=parameters.gain,
        center=find_tap(spec, parameters),
    )


def find_tap(spec: LayerSpec, parameters: Parameters) -> CenterName | None:
    """Return which tap of a kernel has the matrix; None if all taps are part of it."""
    return spec.center if parameters.scheme == "delta_orthogonal" else None


#: Operations that the draw of a mask takes, about.
MASK_COST = 30


def check_work(
    spec: LayerSpec, parameters: Parameters, slices: Slices, limits: WorkLimits = WORK_LIMITS
) -> None:
    """Check the work of a tensor whose elements depend on each other. Raises SpecError beyond the limits."""
    rule = "request fewer rows of it, or split it into parts"
    operations = 0
    if parameters.scheme in {"orthogonal", "delta_orthogonal"}:
        center = find_tap(spec, parameters)
        operations = estimate_cost(spec.shape, parameters.layout, slices, center)
        memory = estimate_memory(spec.shape, parameters.layout, center)
        if memory > limits.memory:
            size = f"takes {memory} bytes of memory for scheme {parameters.scheme}, at most {limits.memory}"
            raise make_spec_error("shape", f"{size}: split it into parts", spec.shape)
    elif parameters.scheme == "sparse":
        source = make_sparse(spec, parameters, slices)
        operations = MASK_COST * source.estimate_draws()
    if operations > limits.operations:
        cost = f"takes about {operations:.1e} operations for scheme {parameters.scheme}"
        raise make_spec_error("shape", f"{cost}, at most {limits.operations:.1e}: {rule}", spec.shape)


MAKERS: dict[SchemeName, Make] = {
    **dict.fromkeys(CONSTANTS, make_constant),
    "identity": make_identity,
    "dirac": make_identity,
    "sparse": make_sparse,
    "orthogonal": make_orthogonal,
    "delta_orthogonal": make_orthogonal,
}


def check_model_work(model: Model) -> None:
    """Check the work of each part of a model. Raises SpecError, with the first MAX_ERRORS errors."""
    errors: list[FieldError] = []
    for tensor in model.tensors:
        for number, part in enumerate(tensor.parts):
            if isinstance(part, Drawn) and len(errors) < MAX_ERRORS:
                try:
                    check_work(part.spec, part.parameters, part.slices)
                except SpecError as error:
                    errors += error.within(tensor.locate(number)).errors
    if errors:
        raise SpecError(errors)


def slice_tensor(tensor: ModelTensor, slices: Slices | None = None) -> tuple[Source, ...]:
    """Return the sources of a model's tensor or a slice of it, in memory order. Empty without elements."""
    slices = select_all(tensor.shape) if slices is None else slices
    if not tensor.shape:
        return tuple(slice_part(part, slices) for part in tensor.parts)
    shape = compute_shape(slices)
    if 0 in shape:
        return ()
    axis = tensor.axis
    found: list[tuple[Source, int]] = []
    for number in tensor.find_parts(slices):
        part, stop = tensor.parts[number], tensor.row_stops[number]
        first = stop - part.shape[axis]
        rows = slice(max(slices[axis].start - first, 0), min(slices[axis].stop, stop) - first)
        if rows.start < rows.stop:
            source = slice_part(part, (*slices[:axis], rows, *slices[axis + 1 :]))
            found.append((source, rows.stop - rows.start))
    sources = tuple(source for source, _ in found)
    if math.prod(shape[:axis]) == 1 or len(sources) == 1:
        return sources
    inner = math.prod(shape[axis + 1 :])
    return (StackedTensor(sources, tuple(length * inner for _, length in found)),)


def slice_part(part: Part, slices: Slices) -> Source:
    """Return the source of a slice of a part."""
    if isinstance(part, Constant):
        return ConstantTensor(compute_shape(slices), part.dtype, part.value)
    if isinstance(part, Values):
        return make_values(part, slices)
    taken = tuple(
        slice(asked.start + own.start, asked.stop + own.start)
        for asked, own in zip(slices, part.slices, strict=True)
    )
    return make_source(part.spec, part.parameters, taken)


def make_values(part: Values, slices: Slices) -> Source:
    """Return the source of a slice of a part whose elements follow from their place."""
    dtype = TENSOR_DTYPES[part.dtype]
    if not isinstance(part.rule, InverseSoftplus) or isinstance(dtype, IntegerDtype):
        return ValuesTensor(part.shape, slices, part.dtype, part.rule)
    return InverseSoftplusTensor(
        key=derive_key(part.seed, part.name),
        shape=compute_shape(slices),
        positions=find_positions(part.shape, "B" * len(part.shape), slices),
        dtype=dtype.name,
        rule=part.rule,
    )
