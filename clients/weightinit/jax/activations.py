"""Activations: a model is traced, at inputs that are given or guessed, and followed from its kernels."""

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from weightinit.adapters.plan import Inference
from weightinit.adapters.rules import ModelRejected
from weightinit.jax.models import OpenedModel, trace
from weightinit.jax.tracing.findings import Findings, Outcome
from weightinit.jax.tracing.flow import follow
from weightinit.jax.tracing.values import Opaque, Value, Weight, make_signal, read_number
from weightinit.jax.walk import Leaf, is_abstract

# The lengths of images and sequences that are tried, where the inputs are guessed.
LENGTHS = (32, 28, 224)
MAX_TRIALS = 200


def find_uses(opened: OpenedModel) -> Findings | None:
    """Find how a model uses its leaves; None where it is a bare tree, or its inputs cannot be guessed.

    Of guessed inputs those count under which most kernels are used. Raises ModelRejected
    where it cannot be traced at inputs that were given.
    """
    if opened.function is None:
        return None
    if opened.inputs is not None:
        try:
            return _follow(opened, opened.inputs)
        except Exception as error:
            why = next(iter(str(error).splitlines()), "")
            raise ModelRejected(
                f"the model cannot be traced at these inputs: {type(error).__name__}: {why}"
            ) from error
    wanted = sum(len(leaf.shape) > 1 for leaf in opened.leaves.values())
    best: Findings | None = None
    for trial, guess in enumerate(guess_inputs(opened)):
        try:
            found = _follow(opened, (guess,))
        except Exception:  # noqa: BLE001, S112 - whatever a model raises at inputs that are not its own
            continue
        if best is None or len(found.uses) > len(best.uses):
            best = found
        if len({*best.uses, *best.lookups}) >= wanted or trial > MAX_TRIALS:
            break
    return best if best is not None and best.uses else None


def guess_inputs(opened: OpenedModel) -> Iterator[jax.ShapeDtypeStruct]:
    """Guess what a model may be called with, from the modules and the kernels that may be its first."""
    shapes: dict[tuple[tuple[int, ...], str], None] = {}
    kernels = {path: tuple(leaf.shape) for path, leaf in opened.leaves.items() if len(leaf.shape) > 1}
    ranks = sorted({len(shape) for shape in kernels.values()}, reverse=True)
    if any("embed" in path for path in kernels):
        shapes |= dict.fromkeys([((1, 8), "int32"), ((8,), "int32"), ((), "int32")])
    widths = dict.fromkeys(
        [*opened.widths, *(length for shape in kernels.values() for length in shape[::-1])]
    )
    for width, rank in itertools.product(widths, ranks):
        for length in LENGTHS if rank > 2 else ():
            field = [length] * (rank - 2)
            shapes |= dict.fromkeys([((1, *field, width), "float32"), ((width, *field), "float32")])
    for width in widths:
        flat = [(1, width), (width,), (1, 8, width), (8, width)]
        shapes |= dict.fromkeys([(shape, "float32") for shape in flat])
    for shape, dtype in shapes:
        yield jax.eval_shape(partial(jnp.zeros, shape, dtype))


def infer(path: str, findings: Findings | None, *, is_bare: bool = False) -> Inference:
    """Infer the activation that follows a kernel."""
    if findings is None:
        why = "a tree does not show how it is used" if is_bare else "its inputs could not be guessed"
        return Inference(None, f"What follows could not be seen: {why}.", "unknown")
    outcomes = findings.outcomes.get(path, set())
    parts = sorted({(outcome.start, outcome.stop) for outcome in outcomes})
    if path in findings.uses and _is_partition(parts) and findings.uses[path].layout.endswith("O"):
        return Inference(
            None,
            parts={
                str(index): (
                    stop - start,
                    _judge([one for one in outcomes if (one.start, one.stop) == (start, stop)]),
                )
                for index, (start, stop) in enumerate(parts)
            },
        )
    return _judge(list(outcomes))


def _is_partition(parts: list[tuple[int, int]]) -> bool:
    """Tell whether the units of a kernel are split into several kernels, one behind the other."""
    return (
        len(parts) > 1
        and parts[0][0] == 0
        and all(before[1] == after[0] for before, after in itertools.pairwise(parts))
    )


def _judge(outcomes: list[Outcome]) -> Inference:
    names = sorted({outcome.activation for outcome in outcomes if outcome.activation is not None})
    doubts = [outcome.doubt for outcome in outcomes if outcome.activation is None]
    if doubts or not names:
        why = doubts[0] if doubts else "nothing uses it"
        return Inference(None, f"What follows could not be seen: {why}.", "unknown")
    functions = [name for name in names if name != "none"]
    if not functions:
        return Inference(None, "No activation follows.")
    if len(names) == 1:
        return Inference(names[0], f"{names[0]} follows.")
    return Inference(functions[0], f"{' and '.join(names)} follow, each on a path of its own.", "guessed")


def _follow(opened: OpenedModel, inputs: tuple[Any, ...]) -> Findings:
    program, paths = trace(opened, inputs)
    ranks = {path: len(leaf.shape) for path, leaf in opened.leaves.items()}
    values: list[Value] = [
        Weight.of(path, opened.leaves[path].shape, _read_slope(path, opened.leaves[path]))
        if path in opened.leaves
        else Opaque()
        for path in paths
    ]
    rest = len(program.jaxpr.invars) - len(values)
    return follow(program, [*values, *(make_signal() for _ in range(rest))], ranks)


def _read_slope(path: str, leaf: Leaf) -> float | None:
    """Read a number that the function of a layer depends on: a scalar, or the slopes of a PReLU."""
    is_slope = "slope" in path.rpartition("/")[2]
    if is_abstract(leaf):
        return 0.01 if is_slope else None
    return read_number(np.asarray(leaf)) if is_slope or leaf.size == 1 else None
