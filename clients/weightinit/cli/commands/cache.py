"""weightinit cache: show or clear the cache on disk."""

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
    """The cache: its directory, whether it is on, its entries, its size and its limit in bytes."""

    directory: str
    is_on: bool
    entries: int
    bytes: int
    limit: int


def describe_cache() -> Description:
    """Describe the cache of the environment, or the default if it is off. Raises ConfigurationError."""
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
    """Return the cache's directory, whether it is on or off. Raises ConfigurationError."""
    from weightinit.settings import find_cache_directory, resolve_settings

    return resolve_settings().cache or find_cache_directory()


def open_cache() -> "Cache":
    """Return the cache, whether it is on or off."""
    from weightinit.cache import Cache
    from weightinit.settings import resolve_settings

    return Cache(find_directory(), resolve_settings().cache_limit)


def print_directory(_arguments: Namespace, screen: Screen) -> None:
    """Print the cache's directory."""
    directory = str(find_directory())
    if screen.as_json:
        screen.write_json({"directory": directory})
    else:
        screen.write(directory)


def print_info(_arguments: Namespace, screen: Screen) -> None:
    """Print the cache's directory, whether it is on, and its size."""
    cache = describe_cache()
    if screen.as_json:
        screen.write_json(cache)
        return
    screen.write_fields(
        [
            ("directory", cache["directory"]),
            ("in use", "yes" if cache["is_on"] else "no (set WEIGHTINIT_CACHE=1 to turn it on)"),
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
    Command("dir", "print the directory of the cache", ("weightinit cache dir",), run=print_directory),
    Command(
        "info",
        "show the directory, state and size of the cache",
        ("weightinit cache info",),
        run=print_info,
    ),
    Command(
        "list",
        "list the entries, the least recently used first",
        ("weightinit cache list",),
        run=print_entries,
        notes="A key is a digest of the request and the service. --quiet prints only the keys.",
    ),
    Command(
        "clear",
        "remove all entries",
        ("weightinit cache clear --yes",),
        add_clear_options,
        clear,
        notes="Entries can be downloaded again. On a terminal, --yes skips the confirmation prompt.",
    ),
)
COMMAND = Command(
    "cache",
    "show or clear the cache on disk",
    ("weightinit cache info", "weightinit cache clear"),
    commands=ACTIONS,
    notes="WEIGHTINIT_CACHE sets the directory, or turns the cache on (1) or off (0).",
)
