"""Frameworks: how PyTorch, NumPy and JAX draw, each in the way its own documentation calls the fastest.

Those that can draw into memory that is there already do so. Frameworks are imported only where they are used,
after the process has been held to a core.
"""

from collections.abc import Callable

STDDEV = 0.02
Work = Callable[[], object]


def make_torch(shape: tuple[int, ...], distribution: str, dtype: str, threads: int) -> Work:
    """Make PyTorch's draw into a tensor: torch.nn.init, in place."""
    import torch

    torch.set_num_threads(threads)
    tensor = torch.empty(shape, dtype=getattr(torch, dtype))
    fill = {
        "normal": lambda: torch.nn.init.normal_(tensor, 0.0, STDDEV),
        "uniform": lambda: torch.nn.init.uniform_(tensor, -STDDEV, STDDEV),
        "truncated_normal": lambda: torch.nn.init.trunc_normal_(tensor, 0.0, STDDEV, -2 * STDDEV, 2 * STDDEV),
    }
    return fill[distribution]


def make_numpy(shape: tuple[int, ...], distribution: str, bits: str) -> Work | None:
    """Make NumPy's draw into an array; it has no truncated normal.

    Unscaled, and uniform on [0, 1): what only NumPy's in-place calls offer is to its advantage.
    """
    import numpy as np

    generator = np.random.Generator(getattr(np.random, bits)(42))
    array = np.empty(shape, np.float32)
    fill: dict[str, Work] = {
        "normal": lambda: generator.standard_normal(dtype=np.float32, out=array),
        "uniform": lambda: generator.random(dtype=np.float32, out=array),
    }
    return fill.get(distribution)


def make_jax(shape: tuple[int, ...], distribution: str) -> Work:
    """Make JAX's draw, compiled, waited for; unscaled. Its arrays are always new ones.

    XLA takes as many threads as the process may use cores.
    """
    import jax

    draw = {
        "normal": jax.random.normal,
        "uniform": lambda key, size: jax.random.uniform(key, size, minval=-1.0, maxval=1.0),
        "truncated_normal": lambda key, size: jax.random.truncated_normal(key, -2.0, 2.0, size),
    }[distribution]
    compiled = jax.jit(lambda key: draw(key, shape))
    keys = iter(jax.random.split(jax.random.key(42), 1000))
    return lambda: compiled(next(keys)).block_until_ready()
