"""Specs: from a request to a layer spec within the service's limits, and what is decided for it."""

from typing import NamedTuple, Self

from starlette.requests import Request

from service.api.http.body import read_json
from service.api.http.query import decode_query
from service.core import (
    FieldError,
    LayerSpec,
    Parameters,
    SpecError,
    check_element_count,
    require_seed,
    resolve_parameters,
)
from service.core.errors import make_spec_error
from service.core.slices import Slices, format_slices, parse_slices
from service.settings import Settings
from service.stream import Tensor

CUT = "slice"


class WeightsSpec(NamedTuple):
    """A spec with a seed, what is decided for it, and the box of the tensor that is asked for."""

    spec: LayerSpec
    parameters: Parameters
    slices: Slices

    @classmethod
    def of(cls, spec: LayerSpec, cut: object, settings: Settings) -> Self:
        """Complete a spec and the text of a cut, None for the whole. Raises SpecError."""
        require_seed(spec)
        parameters = resolve_within_limits(spec, settings)
        if cut is None:
            return cls(spec, parameters, tuple(slice(0, length) for length in spec.shape))
        if not isinstance(cut, str):
            raise make_spec_error(CUT, "must be text, such as 0:128,:", cut)
        return cls(spec, parameters, parse_slices(cut, spec.shape))

    @property
    def cut(self) -> str:
        """The box as text, empty for the whole tensor."""
        return format_slices(self.slices, self.spec.shape)

    def make_tensor(self) -> Tensor:
        """Make the tensor that will be drawn."""
        return Tensor.of(self.spec, self.parameters, self.slices)


def resolve_within_limits(spec: LayerSpec, settings: Settings) -> Parameters:
    """Decide for a spec that keeps to the service's limits. Raises SpecError."""
    if len(spec.shape) > settings.max_rank:
        raise make_spec_error("shape", f"must have at most {settings.max_rank} axes", spec.shape)
    check_element_count(spec.shape, settings.max_elements)
    return resolve_parameters(spec)


def parse_weights_query(query: bytes, settings: Settings) -> WeightsSpec:
    """Parse the query of a request for weights. Raises SpecError."""
    pairs = decode_query(query)
    cuts = [value for name, value in pairs if name == CUT]
    spec = LayerSpec.parse_query(pair for pair in pairs if pair[0] != CUT)
    if len(cuts) > 1:
        raise SpecError([FieldError.of(CUT, "must be given once", cuts[1])])
    return WeightsSpec.of(spec, cuts[0] if cuts else None, settings)


def parse_cut_query(query: bytes, shape: tuple[int, ...]) -> Slices:
    """Parse the query of a request for a tensor that is known: a cut of it, or nothing. Raises SpecError."""
    pairs = decode_query(query)
    for name, value in pairs:
        if name != CUT:
            raise make_spec_error(name, "is not a parameter of this path", value)
    if len(pairs) > 1:
        raise make_spec_error(CUT, "must be given once", pairs[1][1])
    return parse_slices(pairs[0][1], shape) if pairs else tuple(slice(0, size) for size in shape)


async def read_weights_body(request: Request, settings: Settings) -> WeightsSpec:
    """Read the body of a request for weights. Raises SpecError, HTTPException 400, 413 or 415."""
    values = dict(await read_json(request, settings.max_body_bytes))
    cut = values.pop(CUT, None)
    return WeightsSpec.of(LayerSpec.parse(values), cut, settings)


def refuse_query(query: bytes) -> None:
    """Refuse a query where the body says everything. Raises SpecError."""
    for name, value in decode_query(query):
        raise SpecError([FieldError.of("query", "must be empty", f"{name}={value}")])
