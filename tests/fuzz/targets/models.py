"""Models in JSON, and names of models."""

from contextlib import suppress

import orjson
from starlette.exceptions import HTTPException
from weightinit.errors import SpecRejected
from weightinit.models.model import Model as ClientModel
from weightinit.models.names import is_name

from service.api.http.body import parse_json
from service.api.http.query import decode_query
from service.api.schemas.names import Listing, Publication, Reason
from service.core import SpecError
from service.core.models import Limits, parse_model
from service.core.models.names import ModelName, span_prefix
from tests.fuzz.targets.specs import check_refusal

LIMITS = Limits(tensors=64, elements=2**48, rank=8)


def parse_model_json(data: bytes) -> None:
    """The canonical form is a fixed point, and the client reads and writes the same model."""
    try:
        model = parse_model(parse_json(data), 1, LIMITS)
    except (SpecError, HTTPException) as error:
        check_refusal(error)
        read_by_client(data)
        return
    assert parse_model(parse_json(model.canonical), 1, LIMITS).canonical == model.canonical
    read = ClientModel.from_json(orjson.loads(model.canonical))
    assert (read.elements, read.nbytes) == (model.elements, model.nbytes)
    written = orjson.dumps(read.to_json())
    assert parse_model(parse_json(written), 1, LIMITS).canonical == model.canonical
    assert len(repr(read)) < 4096


def read_by_client(data: bytes) -> None:
    """Read an object by the client, which checks less than the service."""
    try:
        value = orjson.loads(data)
    except ValueError:
        return
    if isinstance(value, dict):
        with suppress(SpecRejected):
            ClientModel.from_json(value)


def parse_names(data: bytes) -> None:
    """A name is its own text, is in the span of its prefixes, and is one for the client too."""
    text = data.decode("utf-8", "surrogateescape")
    name: ModelName | None = None
    try:
        name = ModelName.parse(text)
    except SpecError as error:
        check_refusal(error)
    assert (name is not None) == is_name(text)
    if name:
        assert str(name) == text
        for end in range(len(text) + 1):
            first, last = span_prefix(text[:end])
            assert first <= name < last
    for statement in (Listing, Publication, Reason):
        try:
            read = statement.parse_query(decode_query(data))
        except SpecError as error:
            check_refusal(error)
        else:
            assert statement.parse(orjson.loads(orjson.dumps(read.model_dump()))) == read
