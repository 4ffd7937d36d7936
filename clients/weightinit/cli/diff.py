"""weightinit diff: which tensors of two models are initialized differently."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from weightinit.cli.options import Command, add_model_argument, add_service_options, load_model, make_client
from weightinit.cli.tables import print_table
from weightinit.models.diff import Side, find_differences

if TYPE_CHECKING:
    from weightinit.client import Client

DIFFERENT = 1


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    add_model_argument(parser, "one")
    add_model_argument(parser, "two")
    add_service_options(parser)


def run(arguments: Namespace) -> int:
    """Print a line for each tensor that is initialized differently, and return the exit status."""
    with make_client(arguments) as client:
        one, two = _load_side(client, arguments.one), _load_side(client, arguments.two)
    differences = list(find_differences(one, two))
    print_table(differences)
    return DIFFERENT if differences else 0


def _load_side(client: "Client", text: str) -> Side:
    model, parameters = load_model(client, text)
    return Side(text, model.seed, model.stream, parameters)


COMMAND = Command(
    "diff",
    "list the tensors that two models initialize differently",
    "weightinit diff vision/resnet50/1 examples/resnet50.yaml",
    add_options,
    run,
    notes="""\
What counts is a tensor's initialization: its shape, its dtype, and its values. Spelling does not:
`he` is `kaiming`, and a scheme is the variance that it comes to.""",
)
