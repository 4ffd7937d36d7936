"""weightinit pull: a published model, in a safetensors file."""

import sys
from argparse import ArgumentParser, Namespace

from weightinit.cli.options import Command, add_service_options, add_transfer_options, make_client


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("reference", metavar="REF", help="a model's id, or its name: team/name/version")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="where to")
    add_transfer_options(parser)
    add_service_options(parser)


def run(arguments: Namespace) -> None:
    """Write the file, and print its SHA-256 as sha256sum does."""
    with make_client(arguments, verify=arguments.verify, progress=arguments.progress) as client:
        digest = client.pull(arguments.reference, arguments.output)
    sys.stdout.write(f"{digest}  {arguments.output}\n")


COMMAND = Command(
    "pull",
    "write a published model to a safetensors file",
    "weightinit pull vision/resnet50/1 -o resnet50.safetensors",
    add_options,
    run,
    notes="""\
The file is whole or not there. The same command goes on with one that was broken off.
What is printed is its SHA-256, the same for everyone, as `sha256sum --check` reads it.""",
)
