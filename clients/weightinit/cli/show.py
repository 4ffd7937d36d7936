"""weightinit show: what each tensor of a model starts from, and why."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import fill

from weightinit.cli.options import Command, Start, add_service_options, add_start, load_start, make_client
from weightinit.cli.tables import clean, print_table
from weightinit.models import PartParameters, TensorParameters

HEADER = ("NAME", "SHAPE", "DTYPE", "SCHEME", "DISTRIBUTION", "VARIANCE", "σ² =", "WHY")
WIDTH = 100  # of the reasons


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    add_start(parser, "model")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")
    add_service_options(parser)


def run(arguments: Namespace) -> None:
    """Print a line for each tensor, with one for each of its parts where it has several, and the reasons."""
    with make_client(arguments) as client:
        start = load_start(client, arguments.model)
    if arguments.json:
        _print_json(start)
        return
    sys.stdout.write(f"seed {start.model.seed}, stream {start.model.stream}\n\n")
    reasons: dict[str, int] = {}
    print_table([HEADER, *(row for tensor in start.parameters for row in _list_rows(tensor, reasons))])
    sys.stdout.write("\n")
    for reason, number in reasons.items():
        indent = " " * (len(str(number)) + 2)
        sys.stdout.write(fill(clean(f"{number}  {reason}"), WIDTH, subsequent_indent=indent) + "\n")


def _print_json(start: Start) -> None:
    shown = {"seed": str(start.model.seed), "stream": start.model.stream}
    tensors = [asdict(tensor) for tensor in start.parameters]
    sys.stdout.write(json.dumps({**shown, "tensors": tensors}, ensure_ascii=False) + "\n")


def _list_rows(tensor: TensorParameters, reasons: dict[str, int]) -> Iterator[tuple[object, ...]]:
    if len(tensor.parts) == 1:
        yield (tensor.name, _write(tensor.shape), tensor.dtype, *_describe(tensor.parts[0], reasons))
        return
    yield (tensor.name, _write(tensor.shape), tensor.dtype, f"{len(tensor.parts)} parts", "", "", "", "")
    for part in tensor.parts:
        cut = f" [{part.slice}]" if part.slice else ""
        yield (f"  {part.name}{cut}", _write(part.shape), "", *_describe(part, reasons))


def _describe(part: PartParameters, reasons: dict[str, int]) -> tuple[object, ...]:
    parameters = part.parameters
    if parameters is None:
        return ("constant", f"{part.constant:g}", "", "", "")
    number = reasons.setdefault(f"{parameters.reason} {parameters.reference}", len(reasons) + 1)
    formula = parameters.formula.removeprefix("σ² = ")
    return (parameters.scheme, parameters.distribution, f"{parameters.variance:.6g}", formula, number)


def _write(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape))


COMMAND = Command(
    "show",
    "say what each tensor of a model starts from, and why",
    "weightinit show vision/resnet50/1",
    add_options,
    run,
)
