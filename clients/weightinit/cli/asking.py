"""Prompts: ask for confirmation before an action that cannot be undone."""

import sys
from argparse import Namespace

from weightinit.cli.screen import is_terminal
from weightinit.display import clean
from weightinit.errors import WeightinitError


class Cancelled(WeightinitError):  # noqa: N818 - as the other errors of the client
    """The user declined the prompt."""


def can_ask() -> bool:
    """Return whether a prompt is possible: standard input and output are terminals."""
    return is_terminal(sys.stdin) and is_terminal(sys.stdout)


def ask(question: str, arguments: Namespace) -> None:
    """Ask for confirmation, unless `--yes` is set. Raises Cancelled."""
    if arguments.yes:
        return
    sys.stderr.write(f"{clean(question)} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    if answer.strip().lower() not in {"y", "yes"}:
        raise Cancelled("cancelled: nothing was changed")
