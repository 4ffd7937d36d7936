"""Find how a model uses its kernels, and which activation follows each.

The model is traced by JAX, with inputs that are given or guessed; `tracing` records the graph, and
`adapters.flow` analyses it.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from weightinit.adapters.flow.following import Follower
from weightinit.adapters.flow.graph import NumpyArrays
from weightinit.adapters.flow.inference import Inference, choose, doubt, merge, pack
from weightinit.adapters.rules import ModelRejected
from weightinit.jax.models import OpenedModel, trace
from weightinit.jax.tracing.nodes import read_number
from weightinit.jax.tracing.recording import Traced, record
from weightinit.jax.tracing.uses import Application, Use, Uses
from weightinit.jax.walk import Leaf, is_abstract

# Lengths of images and sequences that are tried when inputs are guessed.
LENGTHS = (32, 28, 224)
MAX_TRIALS = 200


class ActivationFinder:
    """Finds how the kernels of a model are used and which activations follow. Traces on first use."""

    def __init__(self, opened: OpenedModel) -> None:
        self._opened = opened
        self._follower = Follower(NumpyArrays())

    @cached_property
    def uses(self) -> Uses | None:
        """The uses of a model's leaves; None for a bare tree, or if its inputs cannot be guessed.

        Of the guessed inputs, those under which most kernels are used count. Raises ModelRejected if the
        model cannot be traced with inputs that were given.
        """
        opened = self._opened
        if opened.function is None:
            return None
        if opened.inputs is not None:
            try:
                return trace_model(opened, opened.inputs).uses
            except Exception as error:
                why = next(iter(str(error).splitlines()), "")
                raise ModelRejected(
                    f"the model cannot be traced with these inputs: {type(error).__name__}: {why}"
                ) from error
        wanted = sum(len(leaf.shape) > 1 for leaf in opened.leaves.values())
        best: Uses | None = None
        for trial, guess in enumerate(guess_inputs(opened)):
            try:
                found = trace_model(opened, (guess,)).uses
            except Exception:  # noqa: BLE001, S112 - whatever a model raises at inputs that are not its own
                continue
            if best is None or len(found.layouts) > len(best.layouts):
                best = found
            if len({*best.layouts, *best.lookups}) >= wanted or trial > MAX_TRIALS:
                break
        return best if best is not None and best.layouts else None

    def find_use(self, path: str) -> tuple[Use, str] | None:
        """Return how a kernel is used, and a doubt about that or ""; None for a leaf that is not a kernel."""
        use = self.uses.layouts.get(path) if self.uses else None
        if use is None:
            return None
        return self._opened.declarations.settle(path, use, tuple(self._opened.leaves[path].shape))

    def find(self, path: str) -> Inference:
        """Return the activation that follows a kernel; of several uses the first counts."""
        if self.uses is None:
            is_bare = self._opened.is_bare
            why = "a tree does not show how it is used" if is_bare else "its inputs could not be guessed"
            return doubt(why)
        use = self.find_use(path)
        if use is None:
            return doubt("nothing uses it")
        shape, applications = self._opened.leaves[path].shape, self.uses.applications[path]
        applications = [one for one in applications if one.node.users] or applications
        outputs = [length for length, letter in zip(shape, use[0].layout, strict=True) if letter == "O"]
        found = defaultdict[tuple[int, int], list[Inference]](list)
        for one in applications:
            found[one.first, one.first + one.stop - one.start].append(self._infer(one, math.prod(outputs)))
        spans = sorted(found)
        each = [choose(found[span]) for span in spans]
        if len(each) > 1:
            lies_apart = all(before[1] == after[0] for before, after in itertools.pairwise(spans))
            if not lies_apart:
                return merge(each, "parts of it are used in several ways")
            each = [pack(join([(stop - first, one) for (first, stop), one in zip(spans, each, strict=True)]))]
        return fit(each[0], outputs, use[0].groups)

    def _infer(self, application: Application, outputs: int) -> Inference:
        """Return what follows the outputs of a product that belong to one kernel, or to stacked ones."""
        node, start, stop = application.node, application.start, application.stop
        count = node.shape[node.axis] if node.shape else 0
        is_stack = stop - start == count and count % outputs == 0
        found = self._follower.infer(node, count // outputs if is_stack else 1)
        if stop - start == count:
            return found
        if not found.parts:
            return replace(found, outputs=None)
        ahead, inside = 0, []
        for length, inference in found.parts.values():
            if start <= ahead and ahead + length <= stop:
                inside.append((length, inference))
            ahead += length
        if sum(length for length, _ in inside) != stop - start:
            parts = [inference for _, inference in found.parts.values()]
            return merge(parts, "it is split across the kernels that it is joined with")
        return inside[0][1] if len(inside) == 1 else pack(inside)


def join(parts: Sequence[tuple[int, Inference]]) -> list[tuple[int, Inference]]:
    """Replace parts that consist of parts by these."""
    return [inner for length, one in parts for inner in (one.parts.values() or [(length, one)])]


def fit(found: Inference, outputs: Sequence[int], groups: int) -> Inference:
    """Adapt the parts found behind a kernel to its output axes; a kernel that cannot be split stays whole."""
    lengths = [length for length, _ in found.parts.values()]
    inferences = [inference for _, inference in found.parts.values()]
    if not inferences or (groups == 1 and outputs == [sum(lengths)]):
        return found
    if groups == 1 and len(set(lengths)) == 1:
        return replace(merge(inferences), outputs=lengths[0])
    return merge(inferences, "parts of its outputs are used in several ways")


def trace_model(opened: OpenedModel, inputs: tuple[Any, ...]) -> Traced:
    """Trace a model with inputs, and record its graph."""
    program, paths = trace(opened, inputs)
    return record(program, paths, opened.leaves, read_slope)


def read_slope(path: str, leaf: Leaf) -> float | None:
    """Return a number that a layer's function depends on: a scalar, or the slopes of a PReLU."""
    is_slope = "slope" in path.rpartition("/")[2]
    if is_abstract(leaf):
        return 0.01 if is_slope else None
    return read_number(np.asarray(leaf)) if is_slope or leaf.size == 1 else None


def guess_inputs(opened: OpenedModel) -> Iterator[jax.ShapeDtypeStruct]:
    """Yield possible inputs of a model, from its modules and the kernels that may be its first."""
    shapes: dict[tuple[tuple[int, ...], str], None] = {}
    kernels = {path: tuple(leaf.shape) for path, leaf in opened.leaves.items() if len(leaf.shape) > 1}
    ranks = sorted({len(shape) for shape in kernels.values()}, reverse=True)
    if opened.takes_numbers or any("embed" in path for path in kernels):
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
