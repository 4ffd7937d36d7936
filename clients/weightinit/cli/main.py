"""Main: from a command line to a command, and from an error to one line and an exit status."""

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence

from weightinit.cli import diff, listing, parameters, publish, pull, retire, show, weights
from weightinit.cli.options import Command
from weightinit.cli.tables import clean
from weightinit.errors import (
    ConfigurationError,
    ConnectionFailed,
    NotWeightinit,
    OutputFailed,
    RequestRejected,
    ServerStalled,
    SpecRejected,
    WeightinitError,
)
from weightinit.version import __version__

MODULES = (parameters, weights, publish, show, pull, listing, diff, retire)
COMMANDS: tuple[Command, ...] = tuple(module.COMMAND for module in MODULES)

# The first that fits.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (SpecRejected, 2),
    (ConfigurationError, 2),
    (ConnectionFailed, 3),
    (ServerStalled, 3),
    (NotWeightinit, 3),
    (RequestRejected, 4),
    (OutputFailed, 6),
    (WeightinitError, 5),
)
STATUS_WORDS = {
    1: "diff: the models differ",
    2: "the command line, the layer spec or the model cannot be honoured",
    3: "no weightinit service can be reached",
    4: "the service refuses: a token, a limit, a thing it does not know",
    5: "the service failed, or its answer broke on the way",
    6: "the output cannot be written",
}
ENVIRONMENT = """\
  WEIGHTINIT_URL      where the service is, several replicas separated by commas
  WEIGHTINIT_TOKEN    sent to it, and to no one else
  WEIGHTINIT_TIMEOUT  seconds without a byte before it counts as stalled
  WEIGHTINIT_VERIFY   1 checks the SHA-256 of what arrives
  WEIGHTINIT_AUTHOR   who publishes and retires, if not who is logged in"""
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit status."""
    parsed = make_parser().parse_args(arguments)
    command: Command = parsed.command
    try:
        status = command.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has left. Python must not find anything to write to it when it ends, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _find_status(OutputFailed)
    except WeightinitError as error:
        _say("; ".join([str(error), *getattr(error, "__notes__", [])]))
        return _find_status(type(error))
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    return status or 0


def make_parser() -> ArgumentParser:
    """Make the parser of all commands."""
    parser = ArgumentParser(
        prog="weightinit",
        description="Initial weights for neural networks, from a weightinit service.",
        epilog=_describe_use(),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary.capitalize()}.",
            epilog="\n\n".join(filter(None, [command.notes, f"example:\n  {command.example}"])),
            formatter_class=RawDescriptionHelpFormatter,
        )
        command.add_options(subparser)
        subparser.set_defaults(command=command)
    return parser


def _describe_use() -> str:
    examples = "\n".join(f"  {command.example}" for command in COMMANDS)
    statuses = "\n".join(f"  {status}  {words}" for status, words in {0: "done", **STATUS_WORDS}.items())
    return f"examples:\n{examples}\n\nexit status:\n{statuses}\n\nenvironment:\n{ENVIRONMENT}"


def _find_status(kind: type[Exception]) -> int:
    return next(status for known, status in STATUSES if issubclass(kind, known))


def _say(text: str) -> None:
    """Write one line to standard error, without what a stranger's words might do to a terminal."""
    sys.stderr.write(f"weightinit: {clean(text)}\n")
