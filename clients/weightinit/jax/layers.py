"""Describe how a leaf is initialized: by its traced use, or by the name that Flax or Haiku gives it."""

from fnmatch import fnmatchcase

import jax.numpy as jnp

from weightinit.adapters.actions import Block, Certainty, Constant, Draw, Leave, Unknown
from weightinit.jax.activations import ActivationFinder
from weightinit.jax.models import OpenedModel
from weightinit.jax.tracing.nodes import read_number
from weightinit.jax.tracing.uses import HIDDEN, MIXED, Uses
from weightinit.jax.walk import Leaf, is_abstract
from weightinit.spec.fields import LayerFields
from weightinit.spec.layouts import write_out

# Flax embeddings have σ² = 1 / features.
LOOKUP: LayerFields = {
    "layout": "IO",
    "scheme": "variance_scaling",
    "mode": "fan_out",
    "distribution": "normal",
}
UNUSED = "It may be a kernel, and {}: its own value stays."
# The kernels of a bare tree, by pattern of the path and rank. Attention kernels have an axis of heads; others
# are assumed to be in Keras' order. Haiku names kernels w, and tables embeddings.
KERNELS: tuple[tuple[str, int | None, LayerFields], ...] = (
    ("*query/kernel", 3, {"layout": "IOO"}),
    ("*key/kernel", 3, {"layout": "IOO"}),
    ("*value/kernel", 3, {"layout": "IOO"}),
    ("*out/kernel", 3, {"layout": "IIO"}),
    ("*kernel", None, {"layout": "keras"}),
    ("*/w", None, {"layout": "keras"}),
    ("*embedding", 2, LOOKUP),
    ("*embeddings", 2, LOOKUP),
)


def find_kernel(path: str, rank: int) -> LayerFields | None:
    """Return the layer fields of a kernel of a bare tree, by its path; None for no kernel.

    >>> find_kernel("attention/query/kernel", 3), find_kernel("attention/query/bias", 2)
    ({'layout': 'IOO'}, None)
    """
    rows = (layer for glob, ranks, layer in KERNELS if ranks in {None, rank} and fnmatchcase(path, glob))
    return next(rows, None)


def describe_leaf(path: str, leaf: Leaf, opened: OpenedModel, finder: ActivationFinder) -> Block:
    """Return the block of a leaf, from its use in the traced model, or else from its name."""
    rank, name, uses = len(leaf.shape), path.rpartition("/")[2], finder.uses
    if rank == 2 and uses and path in uses.lookups:
        return Block(Draw(LOOKUP), "Its rows are looked up: σ² = 1 / features, as in Flax.")
    if name == "lora_b":
        return Block(Constant(0.0), "The second factor of LoRA starts at zero (Hu et al. 2021).")
    if rank > 1 and (found := finder.find_use(path)):
        use, doubt = found
        groups: LayerFields = {"groups": use.groups} if use.groups > 1 else {}
        certainty: Certainty = "guessed" if doubt else "certain"
        return Block(Draw({"layout": use.layout, **groups}), doubt, certainty=certainty)
    kernel = find_kernel(path, rank) if uses is None else None
    if kernel is not None:
        layout = write_out(kernel["layout"], rank)
        doubt = f"Its axes are taken for {layout} by its name." if rank > 2 else ""
        return Block(Draw({**kernel, "layout": layout}), doubt, certainty="guessed" if doubt else "certain")
    return describe_other(path, leaf, opened, uses)


def describe_other(path: str, leaf: Leaf, opened: OpenedModel, uses: Uses | None) -> Block:
    """Return the block of a leaf that is not known to be a kernel."""
    value = CONSTANTS.get(path.rpartition("/")[2])
    is_unused = path in uses.lost or path not in uses.touched if uses else not opened.is_bare
    is_wide = len(leaf.shape) > 1 or (uses is not None and uses.lost.get(path) == MIXED)
    if is_unused and value is None and is_wide and jnp.issubdtype(leaf.dtype, jnp.floating):
        why = uses.lost.get(path, HIDDEN) if uses else HIDDEN
        return Block(Unknown(), UNUSED.format(why), certainty="unknown")
    if is_abstract(leaf):
        left = Block(Leave(), "It is no kernel that is known.")
        return (
            left
            if value is None
            else Block(Constant(value), f"{path.rpartition('/')[2]} starts at {value:g}.")
        )
    if opened.is_bare or path in opened.statistics or value is None:
        return Block(Leave(), "It is no kernel: its own value stays.")
    return Block(Constant(find_value(leaf, value)), f"{path.rpartition('/')[2]} starts at a constant.")


def find_value(leaf: Leaf, default: float) -> float:
    """Return the constant of a bias or norm: its current value if that is constant, or a default."""
    found = read_number(leaf)
    return default if found is None else found


# The constants of other parameters, by the last component of their path.
CONSTANTS = {"bias": 0.0, "b": 0.0, "offset": 0.0, "scale": 1.0, "mean": 0.0, "var": 1.0}


def find_constant(path: str) -> float | None:
    """Return the constant that Flax initializes a parameter to, by its path; None if there is none.

    >>> find_constant("norm/scale"), find_constant("table")
    (1.0, None)
    """
    return CONSTANTS.get(path.rpartition("/")[2])
