"""Layer specs, in JSON and in queries, and slices."""

from contextlib import suppress

import orjson
from starlette.exceptions import HTTPException
from weightinit.errors import SpecRejected
from weightinit.spec.slices import TensorSlice

from service.api.http.body import parse_json
from service.api.http.query import decode_query
from service.api.links import link_parameters, link_weights
from service.core import LayerSpec, SpecError, resolve_parameters
from service.core.slices import compute_shape, format_slices, parse_slices

SHAPES = ((784, 300), (3, 3, 64, 128), (1,), (5, 7, 2**63 - 1), (2,) * 8)
CLIENT_DIGITS = 19  # of a position in a slice: the client takes no more


def parse_spec_json(data: bytes) -> None:
    """A spec in JSON equals the one in the query of its own link."""
    try:
        spec = LayerSpec.parse(parse_json(data))
    except (SpecError, HTTPException) as error:
        check_refusal(error)
        return
    check_spec(spec)


def parse_spec_query(data: bytes) -> None:
    """A spec in a query equals the one in JSON with the same values."""
    try:
        spec = LayerSpec.parse_query(decode_query(data))
    except SpecError as error:
        check_refusal(error)
        return
    check_spec(spec)


def check_spec(spec: LayerSpec) -> None:
    """Write a spec as a link and as JSON, and read both."""
    query = link_weights(spec, "").partition("?")[2]
    assert LayerSpec.parse_query(decode_query(query.encode("ascii"))) == spec
    assert LayerSpec.parse(parse_json(orjson.dumps(spec.model_dump(exclude_unset=True)))) == spec
    try:
        parameters = resolve_parameters(spec)
    except SpecError as error:
        check_refusal(error)
        return
    nameless = LayerSpec.parse_query(decode_query(link_parameters(spec).partition("?")[2].encode("ascii")))
    assert resolve_parameters(nameless) == parameters
    orjson.dumps(parameters)


def parse_slices_of_shapes(data: bytes) -> None:
    """Slices are those of NumPy, format to a fixed point, and the client reads the same."""
    with suppress(UnicodeDecodeError):
        for shape in SHAPES:
            check_slices(data.decode(), shape)


def check_slices(text: str, shape: tuple[int, ...]) -> None:
    """Parse slices by the service and by the client."""
    client = parse_by_client(text, shape)
    try:
        slices = parse_slices(text, shape)
    except SpecError as error:
        check_refusal(error)
        assert client is None or not text  # an empty text is the whole tensor for the client alone
        return
    selected = tuple(len(range(length)[axis]) for length, axis in zip(shape, slices, strict=True))
    formatted = format_slices(slices, shape)
    assert compute_shape(slices) == selected
    assert min(selected) > 0
    assert parse_slices(formatted or ":", shape) == slices
    if client is None:
        assert max(map(len, text.replace(",", ":").split(":"))) > CLIENT_DIGITS
    else:
        assert (client.text, client.shape) == (formatted, selected)


def parse_by_client(text: str, shape: tuple[int, ...]) -> TensorSlice | None:
    """Return the slice that the client reads, or None."""
    try:
        return TensorSlice.of(text, shape)
    except SpecRejected:
        return None


def check_refusal(error: SpecError | HTTPException) -> None:
    """Check that an error has short text that can be sent."""
    if isinstance(error, HTTPException):
        assert 400 <= error.status_code < 500
        return
    assert 1 <= len(error.errors) <= 16
    for row in error.errors:
        assert len(row.message.encode()) < 4096
        orjson.dumps(row)
