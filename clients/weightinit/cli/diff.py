"""weightinit diff: which tensors of two models start differently."""

from argparse import ArgumentParser, Namespace

from weightinit.cli.options import Command, add_service_options, add_start, load_start, make_client
from weightinit.cli.tables import print_table
from weightinit.client import Client
from weightinit.models.diff import Side, find_differences

DIFFERENT = 1


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    add_start(parser, "one")
    add_start(parser, "two")
    add_service_options(parser)


def run(arguments: Namespace) -> int:
    """Print a line for each tensor that starts differently, and return the exit status."""
    with make_client(arguments) as client:
        one, two = _load_side(client, arguments.one), _load_side(client, arguments.two)
    differences = list(find_differences(one, two))
    print_table(differences)
    return DIFFERENT if differences else 0


def _load_side(client: Client, text: str) -> Side:
    model, parameters = load_start(client, text)
    return Side(text, model.seed, model.stream, parameters)


COMMAND = Command(
    "diff",
    "say which tensors of two models start differently",
    "weightinit diff vision/resnet50/1 examples/resnet50.yaml",
    add_options,
    run,
    notes="""\
What counts is what a tensor starts from: its shape, its dtype, and its values. Words do not:
`he` is `kaiming`, and a scheme is the variance that it comes to.""",
)
