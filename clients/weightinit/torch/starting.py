"""Starting: the entries of a plan, checked, decided by the service, and filled."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import nn

from weightinit import Client, Spec
from weightinit.parameters import Parameters
from weightinit.torch.entries import Entry
from weightinit.torch.filling import draw_, fill_
from weightinit.torch.layers import RUNNING
from weightinit.torch.report import Row
from weightinit.torch.starts import Constant, Given, Keep, Skip
from weightinit.torch.tensors import check_tensor


def start_plan(
    module: nn.Module,
    plan: Sequence[Entry],
    client: Client,
    seed: int = 0,
    rename: Callable[[str], str] = str,
) -> tuple[Row, ...]:
    """Start the tensors of a plan, and return how; nothing is touched before all of it is known to be right.

    `seed` and `rename` are for what no published model says. Raises TensorRejected and the client's errors.
    """
    for entry in plan:
        if not isinstance(entry.start, Keep | Skip):
            check_tensor(entry.parameter, entry.name)
    specs = [entry.make_spec(seed, rename) for entry in plan]
    decided = decide(plan, specs, client)
    for part in module.modules():
        if isinstance(part, RUNNING):
            part.reset_running_stats()
    for entry, spec in zip(plan, specs, strict=True):
        start_(entry, spec, client)
    return tuple(Row.of(entry, found) for entry, found in zip(plan, decided, strict=True))


def decide(plan: Sequence[Entry], specs: Sequence[Spec | None], client: Client) -> list[Parameters | None]:
    """Find what is decided of each spec: the service is asked once for all that differ in name only."""
    known: dict[Spec, Parameters] = {}

    def find(entry: Entry, spec: Spec | None) -> Parameters | None:
        if isinstance(entry.start, Given):
            return entry.start.decided
        if spec is None:
            return None
        nameless = replace(spec, name="")
        if nameless not in known:
            known[nameless] = ask(nameless, entry.name, client)
        return known[nameless]

    return [find(entry, spec) for entry, spec in zip(plan, specs, strict=True)]


def ask(spec: Spec, name: str, client: Client) -> Parameters:
    """Ask the service what it decides of a spec."""
    try:
        return client.parameters(spec)
    except Exception as error:
        error.add_note(f"This was asked for {name}.")
        raise


def start_(entry: Entry, spec: Spec | None, client: Client) -> None:
    """Start one tensor."""
    if isinstance(entry.start, Constant):
        fill_(entry.parameter, entry.start.value, entry.rows)
    if spec is None:
        return
    first = entry.start.first if isinstance(entry.start, Given) else 0
    try:
        draw_(entry.parameter, spec, client, entry.rows, first)
    except Exception as error:
        error.add_note(f"{entry.name} is not complete, and what comes after it has not started.")
        raise
