"""Starting: the entries of a plan, checked, decided by the service, and filled."""

from collections.abc import Callable, Sequence

from torch import nn

from weightinit import Client, Spec
from weightinit.models.decisions import Decider
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
    decider = Decider(client.parameters)
    decided = [decide(entry, spec, decider) for entry, spec in zip(plan, specs, strict=True)]
    for part in module.modules():
        if isinstance(part, RUNNING):
            part.reset_running_stats()
    for entry, spec in zip(plan, specs, strict=True):
        start_(entry, spec, client)
    return tuple(Row.of(entry, found) for entry, found in zip(plan, decided, strict=True))


def decide(entry: Entry, spec: Spec | None, decider: Decider) -> Parameters | None:
    """Find what is decided of an entry's spec: of a published model's, that is known."""
    if isinstance(entry.start, Given):
        return entry.start.decided
    return None if spec is None else decider.decide(spec, entry.name)


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
