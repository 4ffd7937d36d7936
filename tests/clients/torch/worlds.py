"""Run groups of processes (worlds) that torch.distributed connects on this machine."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.clients.torch import ranks

# The processes are forks of one that has imported the slow modules.
PRELOADED = ["tests.clients.torch.ranks", "torch._dynamo"]


def run_world(
    size: int, url: str, folder: Path, run: Callable[..., None] = ranks.run_rank, *said: str
) -> list[dict[str, Any]]:
    """Run a function in a world of `size` processes; return what each process writes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    processes = [
        context.Process(target=run, args=(rank, size, url, str(folder), *said)) for rank in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * size
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]
