"""weightinit retire: a name that nobody is to use any more."""

import sys
from argparse import ArgumentParser, Namespace

from weightinit.cli.options import Command, add_service_options, make_client


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("name", metavar="NAME", help="team/name/version")
    parser.add_argument("--note", required=True, metavar="TEXT", help="why, and what to use instead")
    parser.add_argument("--author", help="who retires it, if not who is logged in [WEIGHTINIT_AUTHOR]")
    add_service_options(parser)


def run(arguments: Namespace) -> None:
    """Print the id that the name stood for."""
    with make_client(arguments) as client:
        entry = client.retire(arguments.name, note=arguments.note, author=arguments.author)
    sys.stdout.write(f"{entry.model}\n")


COMMAND = Command(
    "retire",
    "retire a name, for ever",
    "weightinit retire vision/resnet50/1 --note superseded",
    add_options,
    run,
    notes="""\
Whoever asks for a retired name is told why. The model stays, and so does its id, which is printed.
The name is never given again.""",
)
