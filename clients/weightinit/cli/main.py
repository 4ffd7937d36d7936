"""Main: run a command line, and report errors as one line and an exit status."""

import os
import re
import sys
from argparse import Namespace
from collections.abc import Sequence

from weightinit.cli.options import UsageError, name_options
from weightinit.cli.parser import Parser, make_parser, parse_command_line
from weightinit.cli.screen import Screen, prepare_streams
from weightinit.display import clean
from weightinit.errors import ConfigurationError, SpecRejected, WeightinitError

INVALID = 2
INTERRUPTED = 130

# How the client's messages name its settings, and the variables that set them.
SETTINGS = (
    (re.compile(r"^(?=a URL |no URL |.* is not a URL)"), "WEIGHTINIT_URL: "),
    (re.compile(r"^timeout"), "WEIGHTINIT_TIMEOUT"),
    (re.compile(r"^cache size"), "WEIGHTINIT_CACHE_GIB"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit status."""
    prepare_streams()
    try:
        parser = complete(make_parser())
        return run_command(parse_command_line(parser, sys.argv[1:] if arguments is None else arguments))
    except BrokenPipeError:
        # The reader has closed the pipe, as in `weightinit list | head`. Python must not flush to it at
        # exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED


def run_command(given: Namespace) -> int:
    """Run the command that was given, and return the exit status. Raises BrokenPipeError."""
    try:
        status: int | None = given.command.run(given, Screen(as_json=given.json, quiet=given.quiet))
        sys.stdout.flush()
    except UsageError as error:
        return int(given.parser.error(str(error)))
    except WeightinitError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            raise error.__cause__ from None
        _say(describe_error(error, given))
        return INVALID if isinstance(error, SpecRejected | ConfigurationError) else given.command.failure
    except BrokenPipeError:
        raise
    except OSError as error:
        _say(f"the output cannot be written: {error.strerror or error}")
        return int(given.command.failure)
    else:
        return status or 0


def complete(parser: Parser) -> Parser:
    """Print completions and exit, if a shell requests them; see `weightinit completion`."""
    if "_ARGCOMPLETE" in os.environ:
        from argcomplete import autocomplete

        autocomplete(parser)
    return parser


def describe_error(error: WeightinitError, given: Namespace) -> str:
    """Describe an error in a line, with options in place of the client's arguments."""
    text = name_options(str(error))
    if isinstance(error, SpecRejected):
        for row in error.errors:
            name = given.parser.name_option(row.field, row.received, given)
            text = text.replace(row.message, name + row.message.removeprefix(row.field))
    elif isinstance(error, ConfigurationError):
        for pattern, name in SETTINGS:
            text = pattern.sub(name, text, count=1)
    return "; ".join([text, *getattr(error, "__notes__", [])])


def _say(text: str) -> None:
    """Write one line to standard error, without control characters."""
    sys.stderr.write(f"weightinit: {clean(text)}\n")
