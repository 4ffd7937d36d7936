"""Diff: find the tensors that two models initialize differently, however their specs are written."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from weightinit.models.resolution import PartParameters, TensorParameters

# Traits that follow from a tensor's shape; ignored if the shapes differ.
SIZES = frozenset({"drawn shape", "rows"})
# The order of axes in which elements are numbered and drawn: docs/stream.md.
CANONICAL = "BGOIDHW"
# Schemes whose tensors have more structure than a distribution and its variance say.
STRUCTURES = frozenset({"orthogonal", "delta_orthogonal", "identity", "dirac", "sparse"})


@dataclass(frozen=True, slots=True)
class Side:
    """One of two models: its label, seed and stream, and the parameters of its tensors."""

    title: str
    seed: int
    stream: int
    tensors: tuple[TensorParameters, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Rows that are initialized alike: the traits that determine their values, as text.

    `rows` are rows of the drawn tensor; for a constant only their number counts.
    """

    traits: tuple[tuple[str, str], ...]
    rows: tuple[int, int]


def find_differences(one: Side, two: Side) -> Iterator[tuple[str, str]]:
    """Yield the name and the differences of each tensor that differs, in the order of the first model."""
    others = {tensor.name: tensor for tensor in two.tensors}
    for tensor in one.tensors:
        other = others.pop(tensor.name, None)
        words = compare_tensors(tensor, one, other, two) if other else f"only in {one.title}"
        if words:
            yield tensor.name, words
    for name in others:
        yield name, f"only in {two.title}"


def compare_tensors(tensor: TensorParameters, one: Side, other: TensorParameters, two: Side) -> str:
    """Describe the differences of two tensors with one name; "" if they are equal."""
    has_shape, has_dtype = tensor.shape == other.shape, tensor.dtype == other.dtype
    changes = [] if has_shape else [f"shape {_write_shape(tensor.shape)} → {_write_shape(other.shape)}"]
    changes += [] if has_dtype else [f"dtype {tensor.dtype} → {other.dtype}"]
    if tensor.axis != other.axis and max(len(tensor.parts), len(other.parts)) > 1:
        changes.append(f"axis {tensor.axis} → {other.axis}")
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
    """Return the runs of a tensor's parts; a part that continues the previous one is merged with it."""
    merged: list[Run] = []
    for part in tensor.parts:
        run = _describe(part, side, tensor.axis)
        if merged and merged[-1].traits == run.traits:
            start, stop = merged[-1].rows
            if run.rows[0] == stop or part.parameters is None:
                merged[-1] = replace(run, rows=(start, stop + run.rows[1] - run.rows[0]))
                continue
        merged.append(run)
    return merged


def _describe(part: PartParameters, side: Side, axis: int) -> Run:
    length = part.shape[axis] if part.shape else 1
    start, _, stop = (part.slice.split(",")[axis] if part.slice else f"0:{length}").partition(":")
    rows = (int(start), int(stop))
    parameters = part.parameters
    if parameters is None:
        kind = ("values", part.values) if part.values else ("constant", f"{part.constant!r}")
        return Run((kind,), rows)
    traits = {
        "seed": side.seed,
        "stream": side.stream,
        "name": part.name,
        "distribution": parameters.distribution,
        "variance": parameters.variance,
        "mean": parameters.mean,
        "cut": (parameters.lower, parameters.upper),
        "structure": parameters.scheme if parameters.scheme in STRUCTURES else "",
        "drawn shape": _write_shape(parameters.shape),
        "order of the draws": _order_axes(parameters.shape, parameters.layout),
    }
    return Run(tuple((trait, str(value)) for trait, value in traits.items()), rows)


def _order_axes(shape: tuple[int, ...], layout: str) -> str:
    """Return the order in which axes are numbered, without axes of one element.

    >>> _order_axes((784, 300), "IO"), _order_axes((300, 784), "OI"), _order_axes((1, 300), "IO")
    ('1,0', '0,1', '1')
    """
    axes = sorted(range(len(shape)), key=lambda axis: (CANONICAL.index(layout[axis]), axis))
    return ",".join(str(axis) for axis in axes if shape[axis] > 1)


def _write_traits(traits: dict[str, str]) -> str:
    for kind in ("constant", "values"):
        if kind in traits:
            return f"{kind} {traits[kind]}"
    return f"{traits['structure'] or traits['distribution']} of variance {traits['variance']}"


def _write_shape(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape)) or "scalar"
