"""weightinit diff: which tensors of two models are initialized differently."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from weightinit.cli.options import STDIN, Command, UsageError, make_client
from weightinit.cli.screen import Column, Screen
from weightinit.cli.sources import add_model_argument, load_model

if TYPE_CHECKING:
    from weightinit.client import Client
    from weightinit.models.diff import Side

DIFFERENT = 1
TROUBLE = 2
COLUMNS = (Column("TENSOR", shrinks=True), Column("DIFFERENCE"))


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    add_model_argument(parser, "one")
    add_model_argument(parser, "two")


def run(arguments: Namespace, screen: Screen) -> int:
    """Print a line for each tensor that is initialized differently, and return the exit status."""
    from weightinit.models.diff import find_differences

    if arguments.one == arguments.two == STDIN:
        raise UsageError("only one of the two models can be read from standard input")
    with make_client(arguments) as client:
        one, two = _load_side(client, arguments.one), _load_side(client, arguments.two)
    differences = list(find_differences(one, two))
    if screen.as_json:
        for tensor, difference in differences:
            screen.write_json({"tensor": tensor, "difference": difference})
    elif differences and not screen.quiet:
        screen.write_table(COLUMNS, differences, titles=False)
    return DIFFERENT if differences else 0


def _load_side(client: "Client", text: str) -> "Side":
    from weightinit.models.diff import Side

    loaded = load_model(client, text)
    return Side(loaded.title, loaded.model.seed, loaded.model.stream, loaded.parameters)


COMMAND = Command(
    "diff",
    "list the tensors that two models initialize differently",
    (
        "weightinit diff vision/resnet50/1 examples/resnet50.yaml",
        "weightinit diff --quiet vision/resnet50/1 examples/resnet50.yaml && echo alike",
    ),
    add_options,
    run,
    notes="""\
Tensors are equal if their shape, dtype and values are, however their specs are written:
`he` equals `kaiming`, and a scheme equals its variance.
The exit status is 0 if all tensors are equal, 1 if some differ, and 2 after an error.
--quiet prints nothing.""",
    failure=TROUBLE,
)
