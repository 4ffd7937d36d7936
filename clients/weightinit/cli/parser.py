"""The parser: commands, options, help, and suggestions for misspelled words."""

import json
import re
from argparse import Action, ArgumentError, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from difflib import get_close_matches
from textwrap import fill
from typing import Any, NoReturn

from weightinit.cli.commands import COMMANDS
from weightinit.cli.options import GLOBAL_DEFAULTS, Command, add_global_options
from weightinit.version import __version__

STATUSES = """\
exit status:
  0    success
  1    error: no service, a rejected request, an unwritable file; or the models
       that diff compares differ
  2    the command line, the layer spec or the model is invalid; diff: any error
  130  interrupted"""
ENVIRONMENT = """\
environment:
  WEIGHTINIT_URL      URL of the service, or those of its replicas with commas
  WEIGHTINIT_TOKEN    bearer token, sent only to the service
  WEIGHTINIT_TIMEOUT  seconds to wait for a byte from the service
  WEIGHTINIT_VERIFY   1 checks the SHA-256 of downloads
  WEIGHTINIT_AUTHOR   author of what you publish; default: the logged-in user
  NO_COLOR            disables colors"""
OPTION = re.compile(r"(--?[A-Za-z][\w-]*)(=.*)?", re.ASCII | re.DOTALL)


class HelpFormatter(RawDescriptionHelpFormatter):
    """Help whose paragraphs fit the terminal. Those with indented lines, as examples, stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = (part if "\n " in part else fill(part, width) for part in text.split("\n\n"))
        return super()._fill_text("\n\n".join(paragraphs), width, indent)


class Parser(ArgumentParser):
    """An argument parser that reports errors in one line, with a suggestion and a short usage."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**settings, add_help=False, allow_abbrev=False, formatter_class=HelpFormatter)
        self._positionals.title = "arguments"
        self._given: list[str] = []
        self._commands: dict[str, Parser] = {}

    def parse_known_args(  # type: ignore[override]  # overloads by the type of the namespace
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        """Parse the known arguments, and keep all of them for suggestions."""
        self._given = list(args or ())
        return super().parse_known_args(args, namespace)

    def add_commands(self, commands: Sequence[Command]) -> None:
        """Add a parser for each command and its subcommands."""
        parsers = self.add_subparsers(title="commands", metavar="COMMAND", prog=self.prog, dest="_command")
        for command in commands:
            parser = parsers.add_parser(
                command.name,
                help=command.summary,
                description=f"{command.summary[0].upper()}{command.summary[1:]}.",
                epilog=_describe_examples(command),
            )
            self._commands[command.name] = parser
            command.add_options(parser)
            if command.commands:
                parser.add_commands(command.commands)
            add_global_options(parser)
            parser.set_defaults(command=command, parser=parser)
            parser.usage = parser.make_usage()

    def make_usage(self) -> str:
        """Return a usage of one line: the required arguments, and `[options]`."""
        needed = [action for action in self._actions if action.required and action.option_strings]
        words = [f"{action.option_strings[0]} {action.metavar or action.dest.upper()}" for action in needed]
        places = [action for action in self._actions if not action.option_strings]
        names = [f"[{action.metavar}]" if action.nargs == "?" else f"{action.metavar}" for action in places]
        return " ".join([self.prog, *names, *words, "[options]"])

    def error(self, message: str) -> NoReturn:
        """Print the error, the usage and the command for help, and exit with 2."""
        message = self.find_unknown() or message.removeprefix("argument ")
        help_of = f"{self.prog} --help"
        self.exit(2, f"{self.prog}: {message}\n{self.format_usage()}Run '{help_of}' for more.\n")

    def _check_value(self, action: Action, value: Any) -> None:  # noqa: ANN401 - argparse's own
        """Check that a value is one of the choices. Raises ArgumentError, with the nearest."""
        if action.choices is None or value in action.choices:
            return
        what = "command" if self._commands and not action.option_strings else "value"
        choices = list(map(str, action.choices))
        text = f"unknown {what} {value!r}{_suggest(str(value), choices)}"
        raise ArgumentError(None if what == "command" else action, text)

    def find_unknown(self) -> str:
        """Return the message for the first unknown option; "" if there is none."""
        for text in self._given:
            if text == "--":
                break
            found = OPTION.fullmatch(text)
            if found and not self._knows(found[1]):
                return f"unknown option {found[1]}{_suggest(found[1], self._list_options())}"
        return ""

    def _knows(self, option: str) -> bool:
        # Short options can be joined with each other and with a value: -qo FILE, -oFILE.
        is_known = option in self._option_string_actions
        is_short = not option.startswith("--") and option[:2] in self._option_string_actions
        return is_known or is_short or any(parser._knows(option) for parser in self._commands.values())  # noqa: SLF001

    def _list_options(self) -> list[str]:
        return [text for text in self._option_string_actions if text.startswith("--")]

    def name_option(self, field: str, received: str, given: Namespace) -> str:
        """Return the option or argument that set a field to the received value; the field if none did."""
        for action in self._actions:
            value = getattr(given, action.dest, None)
            is_place = not action.option_strings and received in {repr(value), json.dumps(value)}
            if value is not None and (action.dest == field or is_place):
                return str(action.option_strings[-1] if action.option_strings else action.metavar)
        return field


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="weightinit",
        usage="weightinit COMMAND [options]",
        description="Initial weights for neural networks, from a weightinit service.",
        epilog=_describe_use(),
    )
    parser.add_commands(COMMANDS)
    add_global_options(parser).add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}", help="show the client's version"
    )
    return parser


def parse_command_line(parser: Parser, arguments: Sequence[str]) -> Namespace:
    """Parse a command line. Exits with 2 if it is invalid; `help COMMAND` is `COMMAND --help`."""
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    given, rest = parser.parse_known_args(
        arguments, Namespace(**GLOBAL_DEFAULTS, parser=parser, command=None)
    )
    if rest:
        wrong = parser if parser.find_unknown() and not given.parser.find_unknown() else given.parser
        wrong.error(f"too many arguments: {' '.join(rest)}")
    if given.command is None or given.command.run is None:
        given.parser.exit(2, given.parser.format_help())
    return given


def _suggest(text: str, known: Sequence[str]) -> str:
    near = get_close_matches(text, known, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return "" if text.startswith("-") else f"; choose from {', '.join(known)}"


def _describe_examples(command: Command) -> str:
    examples = "\n".join(f"  {example}" for example in command.examples)
    return "\n\n".join(filter(None, [command.notes, f"examples:\n{examples}"]))


def _describe_use() -> str:
    examples = "\n".join(f"  {command.examples[0]}" for command in COMMANDS)
    more = "Run `weightinit COMMAND --help` for more about a command."
    return f"examples:\n{examples}\n\n{STATUSES}\n\n{ENVIRONMENT}\n\n{more}"
