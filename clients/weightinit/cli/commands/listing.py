"""weightinit list: list the names of published models."""

import re
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from weightinit.cli.blocks import make_sort_key
from weightinit.cli.options import Command, make_client, parse_count
from weightinit.cli.screen import Column, Screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightinit.models import NameEntry

COLUMNS = (
    Column("NAME"),
    Column("MODEL", drop=2),
    Column("PUBLISHED"),
    Column("AUTHOR", drop=1),
    Column("NOTE", shrinks=True),
)
WILDCARD = re.compile(r"[*?\[]")
SORTS: dict[str, "Callable[[NameEntry], Any]"] = {
    "name": lambda entry: make_sort_key(entry.name),
    "published": lambda entry: entry.published,
    "author": lambda entry: (entry.author, make_sort_key(entry.name)),
}


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "pattern",
        nargs="?",
        default="",
        metavar="PATTERN",
        help="a prefix, or a quoted pattern: * is any text, ? one character, [ab] a or b",
    )
    parser.add_argument("--sort", choices=SORTS, default="name", help="default: name")
    parser.add_argument("--reverse", action="store_true", help="reverse the order")
    parser.add_argument(
        "--limit", type=parse_count, metavar="N", help="maximum number of names, after sorting"
    )


def run(arguments: Namespace, screen: Screen) -> None:
    """Print a line for each name."""
    pattern = arguments.pattern
    wildcard = WILDCARD.search(pattern)
    with make_client(arguments) as client:
        entries = list(client.names(pattern[: wildcard.start()] if wildcard else pattern))
    if wildcard:
        entries = [entry for entry in entries if fnmatchcase(entry.name, pattern)]
    entries.sort(key=SORTS[arguments.sort], reverse=arguments.reverse)
    entries = entries[: arguments.limit]
    if screen.as_json:
        for entry in entries:
            screen.write_json(asdict(entry))
    elif screen.quiet:
        for entry in entries:
            screen.write(entry.name)
    elif entries:
        screen.write_table(COLUMNS, map(_make_row, entries))
    else:
        screen.say(f"no name matches {pattern}" if pattern else "there are no names")


def _make_row(entry: "NameEntry") -> tuple[str, ...]:
    note = entry.note
    if entry.retired:
        note = f"retired by {entry.retired.author}, {entry.retired.when:%Y-%m-%d}: {entry.retired.note}"
    return entry.name, entry.model[:12], f"{entry.published:%Y-%m-%d}", entry.author, note


COMMAND = Command(
    "list",
    "list the names of published models",
    (
        "weightinit list vision/",
        "weightinit list 'vision/*/1' --sort published --reverse",
        "weightinit list --quiet",
    ),
    add_options,
    run,
    notes="--quiet prints only the names.",
)
