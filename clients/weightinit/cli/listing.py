"""weightinit list: the names that models go by."""

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import datetime

from weightinit.cli.options import Command, add_service_options, make_client
from weightinit.cli.tables import print_table
from weightinit.models import NameEntry

HEADER = ("NAME", "MODEL", "PUBLISHED", "AUTHOR", "NOTE")


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "prefix", nargs="?", default="", metavar="PREFIX", help="only names that begin with it"
    )
    parser.add_argument("--json", action="store_true", help="for programs: a JSON object on each line")
    add_service_options(parser)


def run(arguments: Namespace) -> None:
    """Print a line for each name."""
    with make_client(arguments) as client:
        entries = client.names(arguments.prefix)
        if arguments.json:
            for entry in entries:
                text = json.dumps(asdict(entry), default=datetime.isoformat, ensure_ascii=False)
                sys.stdout.write(text + "\n")
        else:
            print_table([HEADER, *map(_make_row, entries)])


def _make_row(entry: NameEntry) -> tuple[str, ...]:
    note = entry.note
    if entry.retired:
        note = f"retired by {entry.retired.author}, {entry.retired.when:%Y-%m-%d}: {entry.retired.note}"
    return entry.name, entry.model[:12], f"{entry.published:%Y-%m-%d}", entry.author, note


COMMAND = Command(
    "list",
    "list the names of published models",
    "weightinit list vision/",
    add_options,
    run,
)
