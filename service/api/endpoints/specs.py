"""Specs: read a layer spec from a request, check the service's limits, and resolve its parameters."""

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
from service.core.schemes import SCHEMES
from service.core.slices import Slices, compute_shape, format_slices, parse_slices, select_all
from service.settings import Settings
from service.stream import Source, check_work, make_source

SLICE = "slice"


class WeightsSpec(NamedTuple):
    """A spec with a seed, its parameters, and the requested slices of the tensor."""

    spec: LayerSpec
    parameters: Parameters
    slices: Slices

    @classmethod
    def of(cls, spec: LayerSpec, text: object, settings: Settings) -> Self:
        """Resolve a spec and the text of its slices (None for the whole tensor). Raises SpecError."""
        parameters = resolve_within_limits(spec, settings)
        if SCHEMES[parameters.scheme].is_drawn:
            require_seed(spec)
        if text is not None and not isinstance(text, str):
            raise make_spec_error(SLICE, "must be text, such as 0:128,:", text)
        slices = select_all(spec.shape) if text is None else parse_slices(text, spec.shape)
        check_work(spec, parameters, slices)
        return cls(spec, parameters, slices)

    @property
    def slice_text(self) -> str:
        """The slices as text, empty for the whole tensor."""
        return format_slices(self.slices, self.spec.shape)

    def make_source(self) -> Source:
        """Make the source of the tensor."""
        return make_source(self.spec, self.parameters, self.slices)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the requested slice."""
        return compute_shape(self.slices)


def resolve_within_limits(spec: LayerSpec, settings: Settings) -> Parameters:
    """Resolve the parameters of a spec within the service's limits. Raises SpecError."""
    if len(spec.shape) > settings.max_rank:
        raise make_spec_error("shape", f"must have at most {settings.max_rank} axes", spec.shape)
    check_element_count(spec.shape, settings.max_elements)
    return resolve_parameters(spec)


def parse_weights_query(query: bytes, settings: Settings) -> WeightsSpec:
    """Parse the query of a request for weights. Raises SpecError."""
    pairs = decode_query(query)
    texts = [value for name, value in pairs if name == SLICE]
    spec = LayerSpec.parse_query(pair for pair in pairs if pair[0] != SLICE)
    if len(texts) > 1:
        raise SpecError([FieldError.of(SLICE, "must be given once", texts[1])])
    return WeightsSpec.of(spec, texts[0] if texts else None, settings)


def parse_slice_query(query: bytes, shape: tuple[int, ...]) -> Slices:
    """Parse the query of a request for a published tensor, which may have a slice. Raises SpecError."""
    pairs = decode_query(query)
    for name, value in pairs:
        if name != SLICE:
            raise make_spec_error(name, "is not a parameter of this path", value)
    if len(pairs) > 1:
        raise make_spec_error(SLICE, "must be given once", pairs[1][1])
    return parse_slices(pairs[0][1], shape) if pairs else select_all(shape)


async def read_weights_body(request: Request, settings: Settings) -> WeightsSpec:
    """Read the body of a request for weights. Raises SpecError, HTTPException 400, 413 or 415."""
    values = dict(await read_json(request, settings.max_body_bytes))
    text = values.pop(SLICE, None)
    return WeightsSpec.of(LayerSpec.parse(values), text, settings)


def refuse_query(query: bytes) -> None:
    """Check that the query is empty. Raises SpecError."""
    for name, value in decode_query(query):
        raise SpecError([FieldError.of("query", "must be empty", f"{name}={value}")])
