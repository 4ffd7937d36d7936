"""weightinit cache: the tensors that the client keeps on disk."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from weightinit.cli.asking import ask, can_ask
from weightinit.cli.options import Command, add_yes_option
from weightinit.cli.screen import Column, Screen
from weightinit.cli.text import write_count, write_size

if TYPE_CHECKING:
    from weightinit.cache import Cache, Entry

COLUMNS = (Column("KEY"), Column("SIZE"), Column("LAST USED"))
KEY_LENGTH = 12
ENTRIES = ("entry", "entries")


class Description(TypedDict):
    """The cache: where it is, whether it is used, what is in it, and how much may be."""

    directory: str
    is_on: bool
    entries: int
    bytes: int
    limit: int


def describe_cache() -> Description:
    """Describe the cache that the environment says, or that there would be. Raises ConfigurationError."""
    from weightinit.settings import resolve_settings

    entries = open_cache().entries()
    settings = resolve_settings()
    return {
        "directory": str(find_directory()),
        "is_on": settings.cache is not None,
        "entries": len(entries),
        "bytes": sum(entry.nbytes for entry in entries),
        "limit": settings.cache_limit,
    }


def find_directory() -> Path:
    """Find where the cache is, in use or not. Raises ConfigurationError."""
    from weightinit.settings import find_cache_directory, resolve_settings

    return resolve_settings().cache or find_cache_directory()


def open_cache() -> "Cache":
    """Open the cache, in use or not."""
    from weightinit.cache import Cache
    from weightinit.settings import resolve_settings

    return Cache(find_directory(), resolve_settings().cache_limit)


def print_directory(_arguments: Namespace, screen: Screen) -> None:
    """Print where the cache is."""
    directory = str(find_directory())
    if screen.as_json:
        screen.write_json({"directory": directory})
    else:
        screen.write(directory)


def print_info(_arguments: Namespace, screen: Screen) -> None:
    """Print where the cache is, whether it is used, and how full it is."""
    cache = describe_cache()
    if screen.as_json:
        screen.write_json(cache)
        return
    screen.write_fields(
        [
            ("directory", cache["directory"]),
            ("in use", "yes" if cache["is_on"] else "no: WEIGHTINIT_CACHE=1 turns it on"),
            ("entries", cache["entries"]),
            ("size", write_size(cache["bytes"])),
            ("limit", f"{write_size(cache['limit'])} [WEIGHTINIT_CACHE_GIB]"),
        ]
    )


def print_entries(_arguments: Namespace, screen: Screen) -> None:
    """Print a line for each entry."""
    entries = open_cache().entries()
    if screen.as_json:
        for entry in entries:
            screen.write_json({**asdict(entry), "used": _read_time(entry)})
    elif screen.quiet:
        for entry in entries:
            screen.write(entry.key)
    elif entries:
        screen.write_table(COLUMNS, map(_make_row, entries))
    else:
        screen.say("the cache is empty")


def clear(arguments: Namespace, screen: Screen) -> None:
    """Remove all entries, and print how many there were."""
    cache = open_cache()
    entries = cache.entries()
    nbytes = sum(entry.nbytes for entry in entries)
    if entries and can_ask():
        ask(f"Remove {write_count(len(entries), *ENTRIES)}, {write_size(nbytes)}?", arguments)
    removed = [entry for entry in entries if cache.drop(entry.key)]
    freed = sum(entry.nbytes for entry in removed)
    if screen.as_json:
        screen.write_json({"removed": len(removed), "bytes": freed})
    else:
        screen.say(f"{write_count(len(removed), *ENTRIES)} removed, {write_size(freed)}")


def _make_row(entry: "Entry") -> tuple[str, ...]:
    used = _read_time(entry).astimezone()
    return entry.key[:KEY_LENGTH], write_size(entry.nbytes), f"{used:%Y-%m-%d %H:%M}"


def _read_time(entry: "Entry") -> datetime:
    return datetime.fromtimestamp(entry.used, UTC)


def add_clear_options(parser: ArgumentParser) -> None:
    """Add the options of `clear`."""
    add_yes_option(parser)


ACTIONS = (
    Command("dir", "print where the cache is", ("weightinit cache dir",), run=print_directory),
    Command(
        "info",
        "show where it is, whether it is used, and its size",
        ("weightinit cache info",),
        run=print_info,
    ),
    Command(
        "list",
        "list the entries, the least recently used first",
        ("weightinit cache list",),
        run=print_entries,
        notes="A key is a digest of the request and of the service it went to. --quiet prints keys alone.",
    ),
    Command(
        "clear",
        "remove all entries",
        ("weightinit cache clear --yes",),
        add_clear_options,
        clear,
        notes="They can be downloaded again. On a terminal you are asked, unless --yes says so.",
    ),
)
COMMAND = Command(
    "cache",
    "show or clear the tensors that are kept on disk",
    ("weightinit cache info", "weightinit cache clear"),
    commands=ACTIONS,
    notes="WEIGHTINIT_CACHE says where it is, and whether it is used.",
)
