"""Models: every parameter of a module started at once."""

from collections.abc import Callable, Mapping

from torch import nn

from weightinit import Client, default_client
from weightinit.fitting import fetch_published, is_reference
from weightinit.models.model import LARGEST_SEED
from weightinit.patterns import ModelRejected
from weightinit.spec import refuse
from weightinit.torch.patterns import Pattern
from weightinit.torch.plan import plan_module
from weightinit.torch.published import plan_published
from weightinit.torch.report import Report
from weightinit.torch.rules import Rule
from weightinit.torch.shards import reshard
from weightinit.torch.starting import start_plan


def initialize_(
    module: nn.Module,
    seed: int | str,
    *,
    activations: Mapping[Pattern, str] | None = None,
    rules: Mapping[Pattern, Rule] | None = None,
    name: Callable[[str], str] = str,
    prefix: str = "",
    strict: bool = True,
    client: Client | None = None,
) -> Report:
    """Start every parameter of a module, in place; return how, and why.

    A tensor's weights depend on the seed and its name, not on the order, device, sharding or world size. Of a
    DTensor each rank fetches its own shards, and nothing is communicated. Biases and norms get their usual
    constants, and a norm's running statistics are reset; other buffers are left alone.

    `activations` says what follows a layer, by pattern of its name, where the graph does not show it; `rules`
    says anything else. `prefix` is the module's own name, where it is part of a larger one. `name` makes the
    names that draws depend on of the parameters'. With strict=False parameters of which nothing says how they
    start are left as they are, and `skipped` in the report.

    In place of a seed there may be the reference of a published model: team/name/version, or its id. That
    says how each tensor starts, so there are no activations and rules then; buffers that are published
    are filled too. With strict=False what only one of the two has is left alone.

    Everything is checked before the first tensor is touched. Raises ModelRejected, TensorRejected and the
    client's errors; after one that came while weights were on their way, run it again.
    """
    reshard(module)
    asked = client or default_client()
    if is_reference(seed):
        check_unsaid(activations=activations, rules=rules)
        published = fetch_published(seed, asked)
        plan = plan_published(module, published, rename=name, prefix=prefix, strict=strict)
        return Report(published.seed, start_plan(module, plan, asked), seed, published.id)
    number = check_seed(seed)
    plan = plan_module(module, activations=activations, rules=rules, prefix=prefix, strict=strict)
    return Report(number, start_plan(module, plan, asked, number, name))


def check_seed(seed: object) -> int:
    """Check the seed, which the service sees only when weights are on their way. Raises SpecRejected."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        rule = f"must be an integer from 0 to {LARGEST_SEED}, or a published model's name or id"
        raise refuse("seed", rule, seed)
    return seed


def check_unsaid(**said: object) -> None:
    """Check that nothing is said that a published model says already. Raises ModelRejected."""
    for argument, value in said.items():
        if value:
            raise ModelRejected(
                f"{argument} must not be said: the published model says how each tensor starts"
            )
