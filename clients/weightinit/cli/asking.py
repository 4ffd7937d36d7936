"""Asking: whether to do what cannot be undone, as `gh` does."""

import sys
from argparse import Namespace

from weightinit.cli.screen import is_terminal
from weightinit.display import clean
from weightinit.errors import WeightinitError


class Cancelled(WeightinitError):  # noqa: N818 - as the other errors of the client
    """Somebody was asked, and said no."""


def can_ask() -> bool:
    """Return whether there is somebody to ask: standard input and output are terminals."""
    return is_terminal(sys.stdin) and is_terminal(sys.stdout)


def ask(question: str, arguments: Namespace) -> None:
    """Ask whether to go on, unless `--yes` says so. Raises Cancelled."""
    if arguments.yes:
        return
    sys.stderr.write(f"{clean(question)} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    if answer.strip().lower() not in {"y", "yes"}:
        raise Cancelled("cancelled: nothing was changed")
