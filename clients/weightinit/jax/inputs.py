"""Inputs: what a model may be called with, guessed from its modules and kernels."""

import itertools
from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp

from weightinit.jax.models import OpenedModel

# The lengths of images and sequences that are tried.
LENGTHS = (32, 28, 224)


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
