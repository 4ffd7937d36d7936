"""Models: every parameter of a module started at once."""

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from weightinit import Client, Spec, default_client
from weightinit.parameters import Parameters
from weightinit.spec import refuse
from weightinit.torch.entries import Entry
from weightinit.torch.filling import draw_, fill_
from weightinit.torch.layers import RUNNING
from weightinit.torch.patterns import Pattern
from weightinit.torch.plan import plan_module
from weightinit.torch.report import Report, Row
from weightinit.torch.rules import Rule
from weightinit.torch.shards import reshard
from weightinit.torch.starts import Constant, Keep, Skip
from weightinit.torch.tensors import check_tensor

LARGEST_SEED = 2**64 - 1


def initialize_(
    module: nn.Module,
    seed: int,
    *,
    activations: Mapping[Pattern, str] | None = None,
    rules: Mapping[Pattern, Rule] | None = None,
    prefix: str = "",
    strict: bool = True,
    client: Client | None = None,
) -> Report:
    """Start every parameter of a module, in place; return how, and why.

    A tensor's weights depend on the seed and its name, not on the order, device, sharding or world size. Of a
    DTensor each rank fetches its own shards, and nothing is communicated. Biases and norms get their usual
    constants, and a norm's running statistics are reset; other buffers are left alone.

    `activations` says what follows a layer, by pattern of its name, where the graph does not show it; `rules`
    says anything else. `prefix` is the module's own name, where it is part of a larger one. With strict=False
    parameters of which nothing says how they start are left as they are, and `skipped` in the report.

    Everything is checked before the first tensor is touched. Raises ModelRejected, TensorRejected and the
    client's errors; after one that came while weights were on their way, run it again.
    """
    check_seed(seed)
    reshard(module)
    plan = plan_module(module, activations=activations, rules=rules, prefix=prefix, strict=strict)
    for entry in plan:
        if not isinstance(entry.start, Keep | Skip):
            check_tensor(entry.parameter, entry.name)
    client = client or default_client()
    specs = [entry.make_spec(seed) for entry in plan]
    decided = decide(specs, client)
    for entry, spec in zip(plan, specs, strict=True):
        start_(entry, spec, client)
    for part in module.modules():
        if isinstance(part, RUNNING):
            part.reset_running_stats()
    return Report(seed, tuple(Row.of(entry, found) for entry, found in zip(plan, decided, strict=True)))


def check_seed(seed: object) -> None:
    """Check the seed, which the service sees only when weights are on their way. Raises SpecRejected."""
    if not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise refuse("seed", f"must be an integer from 0 to {LARGEST_SEED}", seed)


def decide(specs: list[Spec | None], client: Client) -> list[Parameters | None]:
    """Ask the service what it decides of each spec, once for all that differ in name only."""
    known: dict[Spec, Parameters] = {}
    for spec in filter(None, specs):
        nameless = replace(spec, name="")
        if nameless not in known:
            try:
                known[nameless] = client.parameters(nameless)
            except Exception as error:
                error.add_note(f"This was asked for {spec.name}.")
                raise
    return [None if spec is None else known[replace(spec, name="")] for spec in specs]


def start_(entry: Entry, spec: Spec | None, client: Client) -> None:
    """Start one tensor."""
    if isinstance(entry.start, Constant):
        fill_(entry.parameter, entry.start.value, entry.rows)
    if spec is None:
        return
    try:
        draw_(entry.parameter, spec, client, entry.rows)
    except Exception as error:
        error.add_note(f"{entry.name} is not complete, and what comes after it has not started.")
        raise
