"""weightinit show: how each tensor of a model is initialized, and why."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import fill

from weightinit.cli.options import (
    Command,
    LoadedModel,
    add_model_argument,
    add_service_options,
    load_model,
    make_client,
)
from weightinit.cli.tables import clean, print_table
from weightinit.models import PartParameters, TensorParameters
from weightinit.spec.dtypes import MAX_INTEGER

HEADER = ("NAME", "SHAPE", "DTYPE", "SCHEME", "DISTRIBUTION", "VARIANCE", "σ² =", "WHY")
WIDTH = 100  # of the reasons


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    add_model_argument(parser, "model")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")
    add_service_options(parser)


def run(arguments: Namespace) -> None:
    """Print a line for each tensor, with one for each of its parts where it has several, and the reasons."""
    with make_client(arguments) as client:
        loaded = load_model(client, arguments.model)
    if arguments.json:
        _print_json(loaded)
        return
    sys.stdout.write(f"seed {loaded.model.seed}, stream {loaded.model.stream}\n\n")
    reasons: dict[str, int] = {}
    print_table([HEADER, *(row for tensor in loaded.parameters for row in _list_rows(tensor, reasons))])
    sys.stdout.write("\n")
    for reason, number in reasons.items():
        indent = " " * (len(str(number)) + 2)
        sys.stdout.write(fill(clean(f"{number}  {reason}"), WIDTH, subsequent_indent=indent) + "\n")


def _print_json(loaded: LoadedModel) -> None:
    shown = {"seed": str(loaded.model.seed), "stream": loaded.model.stream}
    tensors = [asdict(tensor) for tensor in loaded.parameters]
    sys.stdout.write(json.dumps({**shown, "tensors": tensors}, ensure_ascii=False) + "\n")


def _list_rows(tensor: TensorParameters, reasons: dict[str, int]) -> Iterator[tuple[object, ...]]:
    if len(tensor.parts) == 1:
        yield (tensor.name, _write(tensor.shape), tensor.dtype, *_describe(tensor.parts[0], reasons))
        return
    yield (tensor.name, _write(tensor.shape), tensor.dtype, f"{len(tensor.parts)} parts", "", "", "", "")
    for part in tensor.parts:
        rows = f" [{part.slice}]" if part.slice else ""
        yield (f"  {part.name}{rows}", _write(part.shape), "", *_describe(part, reasons))


def _describe(part: PartParameters, reasons: dict[str, int]) -> tuple[object, ...]:
    parameters = part.parameters
    if parameters is None:
        return ("constant", _write_value(part.constant or 0.0), "", "", "")
    number = reasons.setdefault(f"{parameters.reason} {parameters.reference}", len(reasons) + 1)
    formula = parameters.formula.removeprefix("σ² = ")
    return (parameters.scheme, parameters.distribution, f"{parameters.variance:.6g}", formula, number)


def _write(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape)) or "scalar"


def _write_value(value: float) -> str:
    """Write a constant: an integer in full, since it may be a count or a code.

    >>> _write_value(16777217.0), _write_value(0.5)
    ('16777217', '0.5')
    """
    return f"{value:.0f}" if value.is_integer() and abs(value) <= MAX_INTEGER else f"{value:g}"


COMMAND = Command(
    "show",
    "show how each tensor of a model is initialized, and why",
    "weightinit show vision/resnet50/1",
    add_options,
    run,
)
