"""Keras: its own initializers on one backend, in a process that draws when it is told to.

Keras has one backend for each process, KERAS_BACKEND. Run as a module this one reads lines of JSON, the name
of an initializer and a shape, and answers each with the seconds that a draw took. THREADS is the number of
PyTorch's threads, 1 unless set.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.measure import time_work


def make_draw(
    make_initializer: Callable[[], Callable[..., Any]], shape: tuple[int, ...]
) -> Callable[[], Any]:
    """Make the draw of a new initializer's tensor, waited for."""
    import keras

    def draw() -> object:
        tensor = make_initializer()(shape, dtype="float32")
        return tensor.block_until_ready() if keras.backend.backend() == "jax" else tensor

    return draw


def limit_threads(threads: int) -> None:
    """Let PyTorch take so many threads; JAX goes by the cores that the process may use."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(threads)


def answer() -> None:
    """Answer each line."""
    import keras

    limit_threads(int(os.environ.get("THREADS", "1")))
    for line in sys.stdin:
        name, shape = json.loads(line)
        seconds = time_work(make_draw(getattr(keras.initializers, name), tuple(shape)))
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    answer()
