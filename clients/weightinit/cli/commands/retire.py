"""weightinit retire: retire a name permanently."""

from argparse import ArgumentParser, Namespace

from weightinit.cli.asking import ask, can_ask
from weightinit.cli.commands.resolve import print_entry
from weightinit.cli.options import Command, UsageError, add_yes_option, make_client
from weightinit.cli.screen import Screen


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("name", metavar="NAME", help="team/name/version")
    parser.add_argument("--note", required=True, metavar="TEXT", help="why, and what to use instead")
    parser.add_argument("--author", help="author; default: the logged-in user [WEIGHTINIT_AUTHOR]")
    add_yes_option(parser)


def run(arguments: Namespace, screen: Screen) -> None:
    """Retire the name, and print the id of its model."""
    if not arguments.yes and not can_ask():
        raise UsageError("--yes is required when stdin or stdout is not a terminal: retiring is permanent")
    with make_client(arguments) as client:
        if not arguments.yes:
            model = client.resolve(arguments.name).model
            ask(f"{arguments.name} refers to {model[:12]}. Retire it permanently?", arguments)
        entry = client.retire(arguments.name, note=arguments.note, author=arguments.author)
    print_entry(entry, screen)


COMMAND = Command(
    "retire",
    "retire a name permanently",
    ("weightinit retire vision/resnet50/1 --note superseded --yes",),
    add_options,
    run,
    notes="""\
A request for a retired name fails with the note. The model is still available by its id, which is printed.
The name cannot be used again. On a terminal, the command asks for confirmation; a script must set --yes.""",
)
