"""weightinit weights: write the weights of a layer to a file."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from weightinit.cli.options import (
    STDOUT,
    Command,
    UsageError,
    add_spec_options,
    add_transfer_options,
    make_client,
    parse_layer,
)
from weightinit.cli.pipes import open_pipe
from weightinit.cli.screen import Screen
from weightinit.cli.sources import make_spec

FORMATS = ("npy", "raw")


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "layer",
        type=parse_layer,
        metavar="SHAPE|FILE",
        help="the kernel's shape, such as 784,300 or 784x300; or a file (.yaml, .yml, .json), or - for "
        "standard input, with a layer: {shape: [784, 300], activation: relu, seed: 42}",
    )
    add_spec_options(parser)
    group = parser.add_argument_group("the tensor")
    group.add_argument("--seed", metavar="N", help="0 to 18446744073709551615; required unless a file has it")
    group.add_argument("--name", metavar="TEXT", help="name of the tensor; each name has its own weights")
    group.add_argument("--slice", metavar="SLICE", help="a part of the tensor, such as 0:128,:")
    group = parser.add_argument_group("the file")
    group.add_argument("-o", "--output", required=True, metavar="FILE", help="file, or - for standard output")
    group.add_argument("--format", choices=FORMATS, default="npy", help="default: npy; raw: only the bytes")
    add_transfer_options(parser)


def run(arguments: Namespace, screen: Screen) -> None:
    """Write the weights to the file or standard output."""
    from weightinit.download import HEADERS, save_weights
    from weightinit.spec.slices import TensorSlice
    from weightinit.transport.requests import make_weights_query

    spec = make_spec(arguments)
    if spec.seed is None:
        raise UsageError("--seed is required")
    tensor_slice = TensorSlice.of(arguments.slice, spec.shape)
    header = HEADERS[arguments.format](spec, tensor_slice)
    nbytes = tensor_slice.count_bytes(spec.format)
    with make_client(arguments) as client:
        if arguments.output == STDOUT:
            with open_pipe(screen, header) as sink:
                client.transfer(make_weights_query(spec, tensor_slice), sink, nbytes)
            return
        save_weights(client, Path(arguments.output), spec, tensor_slice, header)
    if screen.as_json:
        described = {"shape": tensor_slice.shape, "dtype": spec.dtype, "bytes": nbytes + len(header)}
        screen.write_json({"path": arguments.output, **described})


COMMAND = Command(
    "weights",
    "write the weights of a layer to a file",
    (
        "weightinit weights 784,300 --activation relu --seed 42 --name fc1 -o fc1.npy",
        "weightinit weights 9,9 --seed 42 --name a --slice 0:3 -o part.npy",
    ),
    add_options,
    run,
)
