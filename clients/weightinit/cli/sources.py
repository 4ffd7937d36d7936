"""Sources: load models and layers from arguments: an id, a name, a file or standard input."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weightinit.cli.options import STDIN, UsageError

if TYPE_CHECKING:
    from weightinit.client import Client
    from weightinit.models import Model, NameEntry, TensorParameters
    from weightinit.models.files import Document
    from weightinit.spec.layer import Spec

HELP = (
    "a model's id, name (team/name/version) or file (.yaml, .yml or .json), or - for standard input; "
    "an existing file takes precedence over a name"
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and the parameters of its tensors; its id and its name's entry if it is published."""

    title: str
    model: "Model"
    parameters: "tuple[TensorParameters, ...]"
    id: str | None = None
    entry: "NameEntry | None" = None


def add_model_argument(parser: ArgumentParser, name: str) -> None:
    """Add an argument for a model."""
    parser.add_argument(name, metavar=name.upper(), help=HELP)


def read_source(text: str) -> "Document":
    """Read a file, or standard input."""
    from weightinit.models.files import read_document, read_stream

    return read_stream(sys.stdin.buffer, "standard input") if text == STDIN else read_document(text)


def load_model(client: "Client", text: str) -> LoadedModel:
    """Load the model of an argument. A file is not published."""
    from weightinit.errors import NotFound
    from weightinit.models.files import MAX_FILE_BYTES, is_document
    from weightinit.models.names import check_reference, is_model_id

    if text == STDIN or is_document(text):
        return load_document(client, read_source(text))
    check_reference(text)
    try:
        entry = None if is_model_id(text) else client.resolve(text)
        model = entry.model if entry else text
        return LoadedModel(text, client.model(model), client.model_parameters(model), model, entry)
    except NotFound as error:
        if Path(text).suffix in MAX_FILE_BYTES:
            error.add_note(f"there is no file {text} either")
        raise


def load_document(client: "Client", document: "Document") -> LoadedModel:
    """Load the model of a document."""
    model = document.read_model(client.expand)
    return LoadedModel(document.title, model, client.model_parameters(model))


def find_model_id(client: "Client", reference: str) -> str:
    """Return the id of a published model."""
    from weightinit.models.names import check_reference, is_model_id

    return reference if is_model_id(check_reference(reference)) else client.resolve(reference).model


def make_spec(arguments: Namespace) -> "Spec":
    """Return the spec of the options, merged over that of a file if one is given."""
    document = read_source(arguments.layer) if isinstance(arguments.layer, str) else None
    if document and document.is_model():
        raise UsageError(f"{document.title} is a model, but a layer is required: an object with a shape")
    return make_layer(arguments, document)


def make_layer(arguments: Namespace, document: "Document | None") -> "Spec":
    """Return the spec of a layer, with the shape of the arguments or of a document."""
    from weightinit.spec.layer import Spec

    given: dict[str, Any] = {} if document else {"shape": arguments.layer}
    given |= list_layer_options(arguments)
    return document.read_spec(**given) if document else Spec(**given)


def list_layer_options(arguments: Namespace) -> dict[str, object]:
    """Return the fields of a layer that options set."""
    from weightinit.spec.layer import Spec

    values = {row.name: getattr(arguments, row.name, None) for row in fields(Spec) if row.name != "shape"}
    return {name: value for name, value in values.items() if value is not None}
