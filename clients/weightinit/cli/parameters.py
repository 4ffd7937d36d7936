"""weightinit parameters: the parameters of a layer, and why."""

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from weightinit.cli.options import Command, add_service_options, add_spec_options, make_client, make_spec


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    add_spec_options(parser)
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")
    add_service_options(parser)


def run(arguments: Namespace) -> None:
    """Print the parameters, a field on each line."""
    with make_client(arguments) as client:
        parameters = asdict(client.parameters(make_spec(arguments)))
    if arguments.json:
        sys.stdout.write(json.dumps(parameters, ensure_ascii=False) + "\n")
        return
    width = max(map(len, parameters))
    for name, value in parameters.items():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else value
        sys.stdout.write(f"{name:{width}}  {text}\n")


COMMAND = Command(
    "parameters",
    "show which scheme, variance and limit a layer gets, and why",
    "weightinit parameters 784,300 --activation relu",
    add_options,
    run,
)
