"""Commands: what each adds to the command line, and what it does."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A verb: its summary, an example of its use, the options it adds, and what it does with them.

    `run` returns the exit status where it is another than 0. `notes` are for who asks for help.
    """

    name: str
    summary: str
    example: str
    add_options: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int | None]
    notes: str = ""
