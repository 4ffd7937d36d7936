"""Starts: what models on the command line are, files or published ones."""

from argparse import ArgumentParser
from pathlib import Path
from typing import NamedTuple

from weightinit.client import Client
from weightinit.errors import NotFound
from weightinit.models import DecidedTensor, Model, read_document
from weightinit.models.documents import LONGEST, is_document

HELP = (
    "a model's id, its name (team/name/version), or a file (.yaml, .yml or .json); "
    "what could be either is the file, where there is one"
)


class Start(NamedTuple):
    """A model, and what is decided for it."""

    model: Model
    decided: tuple[DecidedTensor, ...]


def add_start(parser: ArgumentParser, name: str) -> None:
    """Add the argument that says a model."""
    parser.add_argument(name, metavar=name.upper(), help=HELP)


def load_start(client: Client, text: str) -> Start:
    """Load a model that an argument says. A file is not published by that."""
    if is_document(text):
        model = read_document(text)
        return Start(model, client.decided(model))
    try:
        return Start(client.model(text), client.decided(text))
    except NotFound as error:
        if Path(text).suffix in LONGEST:
            error.add_note(f"nor is there a file {text}")
        raise
