"""weightinit retire: a name that nobody is to use any more."""

from argparse import ArgumentParser, Namespace

from weightinit.cli.asking import ask, can_ask
from weightinit.cli.commands.resolve import print_entry
from weightinit.cli.options import Command, UsageError, add_yes_option, make_client
from weightinit.cli.screen import Screen


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("name", metavar="NAME", help="team/name/version")
    parser.add_argument("--note", required=True, metavar="TEXT", help="why, and what to use instead")
    parser.add_argument("--author", help="who retires it, if not who is logged in [WEIGHTINIT_AUTHOR]")
    add_yes_option(parser)


def run(arguments: Namespace, screen: Screen) -> None:
    """Print the id that the name stood for."""
    if not arguments.yes and not can_ask():
        raise UsageError("--yes is required where nobody can be asked: a name is retired forever")
    with make_client(arguments) as client:
        if not arguments.yes:
            model = client.resolve(arguments.name).model
            ask(f"{arguments.name} stands for {model[:12]}. Retire it forever?", arguments)
        entry = client.retire(arguments.name, note=arguments.note, author=arguments.author)
    print_entry(entry, screen)


COMMAND = Command(
    "retire",
    "retire a name forever",
    ("weightinit retire vision/resnet50/1 --note superseded --yes",),
    add_options,
    run,
    notes="""\
Whoever asks for a retired name is told why. The model stays, and so does its id, which is printed.
The name is never given again. On a terminal you are asked; a script has to say --yes.""",
)
