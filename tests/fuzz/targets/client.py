"""The client: models' files, and responses of any server."""

import json
import math
from contextlib import suppress

import httpx
from weightinit.errors import SpecRejected, WeightinitError
from weightinit.models.files import Document, count_names, expand_braces
from weightinit.models.names import Publication, read_entries
from weightinit.models.resolution import read_model_parameters
from weightinit.models.yaml import parse_yaml
from weightinit.spec.parameters import Parameters
from weightinit.transport.requests import Query
from weightinit.transport.responses import (
    Head,
    may_be_stored,
    raise_for_status,
    read_answer,
    read_lifetime,
)
from weightinit.transport.retry import parse_retry_after

QUERY = Query("/v1/weights", {}, "weights", expected={"Weightinit-Dtype": "float32"})
READERS = (
    Parameters.from_json,
    lambda answer: Publication.from_json(answer, is_new=True),
    read_entries,
    read_model_parameters,
)
MOST_NAMES = 100


def read_files(data: bytes) -> None:
    """A file is a model or rejected; YAML has JSON's values; names expand to as many as counted."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    for suffix in (".yaml", ".json"):
        document = Document("a file", text, suffix)
        for read in (document.read_model, document.read_spec, document.is_model):
            with suppress(SpecRejected):
                read()
    with suppress(SpecRejected):
        check_yaml(text)
    with suppress(SpecRejected):
        names = expand_braces(text, MOST_NAMES)
        assert len(names) == count_names(text, MOST_NAMES) <= MOST_NAMES


def check_yaml(text: str) -> None:
    """Parse a document, and the JSON of its value."""
    value = parse_yaml(text)
    written = json.dumps(value, allow_nan=True)
    if is_finite(value) and len(written) < 100_000:
        assert parse_yaml(json.dumps(value, ensure_ascii=False)) == value


def is_finite(value: object) -> bool:
    """Return whether JSON has all numbers of a value."""
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def read_responses(data: bytes) -> None:
    """A response of any server is read, or raises an error of the client's."""
    head, _, body = data.partition(b"\n\n")
    status, *lines = head.split(b"\n")
    fields = [tuple(line.split(b":", 1)) for line in lines if b":" in line]
    code = 100 + int.from_bytes(status[:2], "big") % 500

    def respond() -> httpx.Response:
        request = httpx.Request("GET", "http://test/")
        return httpx.Response(code, headers=fields, stream=httpx.ByteStream(body), request=request)

    with suppress(WeightinitError):
        raise_for_status(respond(), "it")
    with suppress(WeightinitError):
        Head.of(respond(), QUERY)
    for read in READERS:
        with suppress(WeightinitError):
            read_answer(respond(), read)
    assert 0 <= read_lifetime(respond()) < math.inf
    assert may_be_stored(respond()) in {True, False}
    delay = parse_retry_after(body.decode("latin-1"))
    assert delay is None or delay >= 0
