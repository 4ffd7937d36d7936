"""weightinit weights: the weights of a layer, in a file."""

import sys
from argparse import ArgumentParser, Namespace
from io import FileIO
from pathlib import Path

from weightinit.cli.options import (
    Command,
    add_service_options,
    add_spec_options,
    add_transfer_options,
    make_client,
    make_spec,
)
from weightinit.download import HEADERS, save_weights
from weightinit.errors import OutputFailed
from weightinit.spec.slices import TensorSlice
from weightinit.transport.requests import make_weights_query
from weightinit.transport.sinks import PipeSink


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    add_spec_options(parser)
    group = parser.add_argument_group("the tensor")
    group.add_argument("--seed", required=True, metavar="N", help="0 to 2⁶⁴ - 1")
    group.add_argument("--name", metavar="TEXT", help="which tensor: two names never share weights")
    group.add_argument("--slice", metavar="SLICE", help="only a part of it, as in 0:128,:")
    group = parser.add_argument_group("the file")
    group.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="where to, - being standard output"
    )
    group.add_argument("--format", choices=HEADERS, default="npy", help="default: npy; raw: bytes alone")
    add_transfer_options(parser)
    add_service_options(parser)


def run(arguments: Namespace) -> None:
    """Write the file, or to standard output."""
    spec = make_spec(arguments)
    tensor_slice = TensorSlice.of(arguments.slice, spec.shape)
    header = HEADERS[arguments.format](spec, tensor_slice)
    with make_client(arguments, verify=arguments.verify, progress=arguments.progress) as client:
        if arguments.output != "-":
            save_weights(client, Path(arguments.output), spec, tensor_slice, header)
            return
        if sys.stdout.isatty():
            raise OutputFailed("weights are no text for a terminal: name a file with -o, or pipe them on")
        with FileIO(sys.stdout.fileno(), "wb", closefd=False) as output:
            sink = PipeSink(output, header)
            client.transfer(
                make_weights_query(spec, tensor_slice), sink, tensor_slice.count_bytes(spec.format)
            )


COMMAND = Command(
    "weights",
    "write the weights of a layer to a file",
    "weightinit weights 784,300 --activation relu --seed 42 --name fc1 -o fc1.npy",
    add_options,
    run,
)
