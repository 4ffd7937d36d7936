"""weightinit show: show how each tensor of a model is initialized, and why."""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from weightinit.cli.blocks import find_blocks, make_sort_key
from weightinit.cli.options import Command, make_client
from weightinit.cli.screen import Column, Screen
from weightinit.cli.sources import LoadedModel, add_model_argument, load_model
from weightinit.cli.text import write_count, write_size

if TYPE_CHECKING:
    from weightinit.models import PartParameters, TensorParameters

COLUMNS = (
    Column("NAME", shrinks=True),
    Column(""),
    Column("SHAPE"),
    Column("DTYPE", drop=3),
    Column("SCHEME"),
    Column("DISTRIBUTION", drop=1),
    Column("σ"),
    Column("σ² =", drop=2),
    Column("WHY"),
)
DECIMAL = re.compile(r"[0-9]+\.[0-9]+(e-?[0-9]+)?", re.ASCII)
WIDTH = 100  # the maximum width of the reasons


class Row(NamedTuple):
    """A row of a tensor or a part; a relative name is a suffix of the tensor's."""

    cells: tuple[object, ...]
    name: str = ""
    is_relative: bool = True


def add_options(parser: ArgumentParser) -> None:
    """Add this command's options."""
    add_model_argument(parser, "model")
    parser.add_argument("--all", action="store_true", help="list each tensor of repeated blocks")


def run(arguments: Namespace, screen: Screen) -> None:
    """Print how the tensors are initialized."""
    with make_client(arguments) as client:
        loaded = load_model(client, arguments.model)
    print_model(loaded, screen, show_all=arguments.all)


def print_model(loaded: LoadedModel, screen: Screen, *, show_all: bool) -> None:
    """Print a summary of a model, a line for each tensor, and the reasons."""
    if screen.as_json:
        screen.write_json(_make_json(loaded))
        return
    if not screen.quiet:
        _print_head(loaded, screen)
    reasons: dict[str, int] = {}
    screen.write_table(COLUMNS, _list_rows(loaded, reasons, show_all=show_all))
    if screen.quiet:
        return
    screen.write()
    width = min(screen.width or WIDTH, WIDTH)
    for reason, number in reasons.items():
        indent = " " * (len(str(number)) + 2)
        for line in fill(f"{number}  {reason}", width, subsequent_indent=indent).splitlines():
            screen.write(line, "dim")


def _print_head(loaded: LoadedModel, screen: Screen) -> None:
    model, entry = loaded.model, loaded.entry
    screen.write(loaded.title, "bold")
    if entry:
        screen.write(f"model {entry.model}")
        note = f": {entry.note}" if entry.note else ""
        screen.write(f"published by {entry.author}, {entry.published:%Y-%m-%d}{note}")
    size = f" ({write_size(model.nbytes)})" if model.nbytes >= 1024 else ""
    screen.write(f"seed {model.seed}, stream {model.stream}")
    tensors = write_count(len(model.tensors), "tensor")
    screen.write(f"{tensors}, {model.elements:,} parameters, {model.nbytes:,} bytes{size}")
    screen.write()


def _make_json(loaded: LoadedModel) -> dict[str, object]:
    model = loaded.model
    return {
        "id": loaded.id,
        "name": asdict(loaded.entry) if loaded.entry else None,
        "seed": str(model.seed),
        "stream": model.stream,
        "parameters": model.elements,
        "bytes": model.nbytes,
        "tensors": [asdict(tensor) for tensor in loaded.parameters],
    }


def _list_rows(
    loaded: LoadedModel, reasons: dict[str, int], *, show_all: bool
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of the tensors: of a published model in natural order, of a file in its order."""
    tensors: Sequence[TensorParameters] = loaded.parameters
    if loaded.id:
        tensors = sorted(tensors, key=lambda tensor: make_sort_key(tensor.name))
    rows = [tuple(_describe_tensor(tensor, reasons)) for tensor in tensors]
    # With an index each tensor is unique, so that none are collapsed.
    traits = enumerate(rows) if show_all else rows
    for block in find_blocks([tensor.name for tensor in tensors], traits):
        count = f"× {block.count}" if block.count > 1 else ""
        row, *parts = rows[block.first]
        yield (block.text, count, *row.cells)
        for part in parts:
            yield (f"  {block.text if part.is_relative else ''}{part.name}", "", *part.cells)


def _describe_tensor(tensor: "TensorParameters", reasons: dict[str, int]) -> Iterator[Row]:
    """Yield a tensor's row and those of its parts, if there are several, with names relative to its name."""
    if len(tensor.parts) == 1:
        (part,) = tensor.parts
        yield Row((_write_shape(tensor.shape), tensor.dtype, *_describe_part(part, reasons)))
        return
    yield Row((_write_shape(tensor.shape), tensor.dtype, f"{len(tensor.parts)} parts", "", "", "", ""))
    for part in tensor.parts:
        rows = f" [{part.slice}]" if part.slice else ""
        is_relative = part.name.startswith(tensor.name)
        name = part.name[len(tensor.name) :] if is_relative else part.name
        cells = (_write_shape(part.shape), "", *_describe_part(part, reasons))
        yield Row(cells, name + rows, is_relative)


def _describe_part(part: "PartParameters", reasons: dict[str, int]) -> tuple[object, ...]:
    parameters = part.parameters
    if part.values:
        return (part.values, "", "", "", "")
    if parameters is None:
        return (f"constant {_write_value(part.constant or 0.0)}", "", "", "", "")
    number = reasons.setdefault(f"{parameters.reason} {parameters.reference}", len(reasons) + 1)
    formula = DECIMAL.sub(lambda found: f"{float(found[0]):.4g}", parameters.formula.removeprefix("σ² = "))
    return (parameters.scheme, parameters.distribution or "", f"{parameters.stddev:.4g}", formula, number)


def _write_shape(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape)) or "scalar"


def _write_value(value: float) -> str:
    """Format a constant: an integer in full, since it may be a count or a code.

    >>> _write_value(16777217.0), _write_value(0.5)
    ('16777217', '0.5')
    """
    return f"{value:.0f}" if value.is_integer() and abs(value) < 2**53 else f"{value:g}"


COMMAND = Command(
    "show",
    "show how each tensor of a model is initialized, and why",
    (
        "weightinit show vision/resnet50/1",
        "weightinit show examples/gpt2-small.yaml --all",
        "weightinit show - --json < examples/mnist-mlp.yaml",
    ),
    add_options,
    run,
    notes="""\
Tensors that differ only by a number are one line: `layers.{0..11}.bias  × 12`. A published model is
sorted naturally by name, a file keeps its order. If a terminal is too narrow, names are shortened and columns
left out; --json has everything. --quiet prints only the table.""",
)
