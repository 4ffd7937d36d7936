"""weightinit parameters: show the parameters of a layer, and the reasons for them."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict, fields

from weightinit.cli.commands.show import print_model
from weightinit.cli.options import Command, UsageError, add_spec_options, make_client, parse_layer
from weightinit.cli.screen import Screen
from weightinit.cli.sources import list_layer_options, load_document, make_layer, read_source


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "layer",
        type=parse_layer,
        metavar="SHAPE|FILE",
        help="a kernel's shape, such as 784,300 or 784x300; or a file (.yaml, .yml, .json), or - for "
        "standard input, with a layer ({shape: [784, 300], activation: relu}) or a model",
    )
    add_spec_options(parser)


def run(arguments: Namespace, screen: Screen) -> None:
    """Print the parameters, a field on each line; those of a model as `show` does."""
    document = read_source(arguments.layer) if isinstance(arguments.layer, str) else None
    if document and document.is_model():
        if list_layer_options(arguments):
            raise UsageError(f"{document.title} is a model: set the options of its layers in the file")
        with make_client(arguments) as client:
            print_model(load_document(client, document), screen, show_all=True)
        return
    with make_client(arguments) as client:
        parameters = client.parameters(make_layer(arguments, document))
    if screen.as_json:
        screen.write_json(asdict(parameters))
        return
    values = ((row.name, getattr(parameters, row.name)) for row in fields(parameters))
    screen.write_fields(
        (name, ",".join(map(str, value)) if isinstance(value, tuple) else value)
        for name, value in values
        if value is not None
    )


COMMAND = Command(
    "parameters",
    "show which scheme, variance and limit a layer gets, and why",
    (
        "weightinit parameters 784,300 --activation relu",
        "weightinit parameters 3x3x64x128 --layout HWIO --json",
        "weightinit parameters examples/mnist-mlp.yaml",
    ),
    add_options,
    run,
)
