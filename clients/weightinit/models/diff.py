"""Diff: which tensors of two models are initialized differently, whatever the spelling of their specs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from weightinit.models.resolution import PartParameters, TensorParameters

# What follows from the shape of a tensor, and is not repeated where that is different.
SIZES = frozenset({"drawn shape", "rows"})
# The order of axes in which elements are numbered, and so drawn: docs/stream.md.
CANONICAL = "BGOIDHW"


@dataclass(frozen=True, slots=True)
class Side:
    """One of two models: its label, seed and stream, and the parameters of its tensors."""

    title: str
    seed: int
    stream: int
    tensors: tuple[TensorParameters, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Rows with equal weights: all that their values follow from, as text to show and to compare.

    `rows` are those of the tensor that is drawn; of a constant only their number counts.
    """

    traits: tuple[tuple[str, str], ...]
    rows: tuple[int, int]


def find_differences(one: Side, two: Side) -> Iterator[tuple[str, str]]:
    """Yield the tensors that are initialized differently, and how, in the order of the first model."""
    others = {tensor.name: tensor for tensor in two.tensors}
    for tensor in one.tensors:
        other = others.pop(tensor.name, None)
        words = compare_tensors(tensor, one, other, two) if other else f"only in {one.title}"
        if words:
            yield tensor.name, words
    for name in others:
        yield name, f"only in {two.title}"


def compare_tensors(tensor: TensorParameters, one: Side, other: TensorParameters, two: Side) -> str:
    """Say what is different between two tensors of a name; nothing where they are equal."""
    has_shape, has_dtype = tensor.shape == other.shape, tensor.dtype == other.dtype
    changes = [] if has_shape else [f"shape {_write_shape(tensor.shape)} → {_write_shape(other.shape)}"]
    changes += [] if has_dtype else [f"dtype {tensor.dtype} → {other.dtype}"]
    runs, others = _merge(tensor, one), _merge(other, two)
    if len(runs) != len(others):
        return ", ".join([*changes, f"parts {len(runs)} → {len(others)}"])
    for run, twin in zip(runs, others, strict=True):
        changes += _compare_runs(run, twin, frozenset() if has_shape else SIZES)
    return ", ".join(dict.fromkeys(changes))


def _compare_runs(run: Run, twin: Run, ignored: frozenset[str]) -> Iterator[str]:
    before, after = dict(run.traits), dict(twin.traits)
    if before.keys() != after.keys():
        yield f"{_write_traits(before)} → {_write_traits(after)}"
        return
    before["rows"], after["rows"] = (f"{start}:{stop}" for start, stop in (run.rows, twin.rows))
    for trait, value in before.items():
        if value != after[trait] and trait not in ignored:
            yield f"{trait} {value} → {after[trait]}"


def _merge(tensor: TensorParameters, side: Side) -> list[Run]:
    """Describe a tensor's parts, those that go on where the one before ends being one."""
    merged: list[Run] = []
    for part in tensor.parts:
        run = _describe(part, side)
        if merged and merged[-1].traits == run.traits:
            start, stop = merged[-1].rows
            if run.rows[0] == stop or part.parameters is None:
                merged[-1] = replace(run, rows=(start, stop + run.rows[1] - run.rows[0]))
                continue
        merged.append(run)
    return merged


def _describe(part: PartParameters, side: Side) -> Run:
    length = part.shape[0] if part.shape else 1
    start, _, stop = (part.slice or f"0:{length}").partition(":")
    rows = (int(start), int(stop))
    parameters = part.parameters
    if parameters is None:
        return Run((("constant", f"{part.constant!r}"),), rows)
    traits = {
        "seed": side.seed,
        "stream": side.stream,
        "name": part.name,
        "distribution": parameters.distribution,
        "variance": parameters.variance,
        "drawn shape": _write_shape(parameters.shape),
        "order of the draws": _order_axes(parameters.shape, parameters.layout),
    }
    return Run(tuple((trait, str(value)) for trait, value in traits.items()), rows)


def _order_axes(shape: tuple[int, ...], layout: str) -> str:
    """Write the order in which axes are numbered; an axis of one element has no part in it.

    >>> _order_axes((784, 300), "IO"), _order_axes((300, 784), "OI"), _order_axes((1, 300), "IO")
    ('1,0', '0,1', '1')
    """
    axes = sorted(range(len(shape)), key=lambda axis: (CANONICAL.index(layout[axis]), axis))
    return ",".join(str(axis) for axis in axes if shape[axis] > 1)


def _write_traits(traits: dict[str, str]) -> str:
    if "constant" in traits:
        return f"constant {traits['constant']}"
    return f"{traits['distribution']} of variance {traits['variance']}"


def _write_shape(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape)) or "scalar"
