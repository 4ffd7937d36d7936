"""Starts: what models on the command line are, files or published ones."""

from argparse import ArgumentParser
from typing import NamedTuple

from weightinit.client import Client
from weightinit.decisions import DecidedTensor
from weightinit.documents import is_document, read_document
from weightinit.models import Model

HELP = "a model's id, its name (team/name/version), or a file (.yaml, .yml or .json)"


class Start(NamedTuple):
    """A model, and what is decided for it."""

    model: Model
    decided: tuple[DecidedTensor, ...]


def add_start(parser: ArgumentParser, name: str) -> None:
    """Add the argument that says a model."""
    parser.add_argument(name, metavar=name.upper(), help=HELP)


def load_start(client: Client, text: str) -> Start:
    """Load a model that an argument says. A file is not published by that."""
    model = read_document(text) if is_document(text) else client.model(text)
    return Start(model, client.decided(model if is_document(text) else text))
