"""Layers: which leaves of a pytree are kernels, and which axis of each is which, by Flax' names."""

from fnmatch import fnmatchcase

from weightinit.spec.layer import LayerFields

# Flax' embeddings have σ² = 1 / features.
LOOKUP: LayerFields = {
    "layout": "IO",
    "scheme": "variance_scaling",
    "mode": "fan_out",
    "distribution": "normal",
}
# By glob of the path and rank: the kernels of attention have heads, others are in Keras' order.
KERNELS: tuple[tuple[str, int | None, LayerFields], ...] = (
    ("*query/kernel", 3, {"layout": "IOO"}),
    ("*key/kernel", 3, {"layout": "IOO"}),
    ("*value/kernel", 3, {"layout": "IOO"}),
    ("*out/kernel", 3, {"layout": "IIO"}),
    ("*kernel", None, {}),
    ("*embedding", 2, LOOKUP),
)


def find_kernel(path: str, rank: int) -> LayerFields | None:
    """Find what a kernel is, by its path; None for no kernel.

    >>> find_kernel("attention/query/kernel", 3), find_kernel("attention/query/bias", 2)
    ({'layout': 'IOO'}, None)
    """
    rows = (layer for glob, ranks, layer in KERNELS if ranks in {None, rank} and fnmatchcase(path, glob))
    return next(rows, None)


# The constants that Flax initializes other parameters to, by the last part of their path.
CONSTANTS = {"bias": 0.0, "scale": 1.0}


def find_constant(path: str) -> float | None:
    """Return the constant that Flax initializes a parameter to, by its path; None where there is none.

    >>> find_constant("norm/scale"), find_constant("table")
    (1.0, None)
    """
    return CONSTANTS.get(path.rpartition("/")[2])
