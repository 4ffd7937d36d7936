"""weightinit resolve: print the id of a name's model."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from weightinit.cli.options import Command, make_client
from weightinit.cli.screen import Screen

if TYPE_CHECKING:
    from weightinit.models import NameEntry


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("name", metavar="NAME", help="team/name/version")


def run(arguments: Namespace, screen: Screen) -> None:
    """Print the id."""
    with make_client(arguments) as client:
        print_entry(client.resolve(arguments.name), screen)


def print_entry(entry: "NameEntry", screen: Screen) -> None:
    """Print the id of a name's model, or the whole entry as JSON."""
    if screen.as_json:
        screen.write_json(asdict(entry))
    else:
        screen.write(entry.model)


COMMAND = Command(
    "resolve",
    "print the id of a name's model",
    ("weightinit resolve vision/resnet50/1", "weightinit resolve vision/resnet50/1 --json"),
    add_options,
    run,
    notes="--json adds who published it, when and why. A retired name is an error, which has the id.",
)
