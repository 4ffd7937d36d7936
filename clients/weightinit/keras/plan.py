"""Plans of models: how each variable is initialized, from its layer, the graph and the rules."""

from functools import partial
from typing import TYPE_CHECKING

from weightinit import Client
from weightinit.adapters.actions import Block, Draw, Leave, split_axis
from weightinit.adapters.matching import Target, find_letters, match_model
from weightinit.adapters.plan import PlannedTensor, Planner, Rename, plan_segments
from weightinit.adapters.published import PublishedModel, fetch_published
from weightinit.adapters.rules import Patterns, Rule, Rules
from weightinit.keras.activations import ActivationFinder
from weightinit.keras.layers import Kernel, Layer, find_kernel
from weightinit.keras.walk import NamedTensor, name_dtype, walk_variables
from weightinit.spec.dtypes import DTYPES
from weightinit.spec.layouts import write_out

if TYPE_CHECKING:
    from weightinit.spec.layer import LayerFields

# What a norm keeps of the data that it has seen stays as Keras made it, unless it is published.
STATISTICS = frozenset(["moving_mean", "moving_variance"])


def plan_variables(model: Layer, rules: Rules | None, *, strict: bool | None = None) -> list[PlannedTensor]:
    """Plan how each variable of a model is initialized. Raises ModelRejected and SpecRejected."""
    planner, finder = Planner(rules, axis=-1), ActivationFinder(model)
    variables = walk_variables(model)
    tensors: list[PlannedTensor] = []
    for named in variables:
        kernel = find_kernel(named.layer, named.variable.name)
        blocks = planner.plan_tensor(
            [named.path],
            [named.path.rpartition("/")[0]],
            tuple(named.variable.shape),
            describe_variable(named, kernel),
            partial(finder.find, named.variable, named.layer, kernel or Kernel()),
        )
        tensors += [make_planned(named, block) for block in blocks]
    planner.finish([named.path for named in variables], strict=strict)
    return tensors


def describe_variable(named: NamedTensor, kernel: Kernel | None) -> list[Block]:
    """Describe the blocks of a variable: the gates that its last axis packs, each a kernel of its own."""
    if kernel is None:
        return [Block(Leave(), "Keras' own initializer gives its value.")]
    shape = tuple(named.variable.shape)
    fields: LayerFields = {"layout": "keras", **kernel.layer}
    if not kernel.activated:
        fields["activation"] = None
    if not kernel.gates:
        return [Block(Draw(fields), kernel.reason)]
    actions = dict.fromkeys(kernel.gates, Draw(fields))
    reasons = {gate: f"Gate {gate} is a kernel of its own." for gate in kernel.gates}
    return split_axis(dict.fromkeys(kernel.gates, shape[-1] // len(kernel.gates)), actions, reasons, -1)


def plan_published(
    model: Layer, reference: str, rules: Rules | None, rename: Rename, client: Client, *, strict: bool | None
) -> tuple[list[PlannedTensor], PublishedModel]:
    """Return the plan by which a published model initializes a model, and the published model.

    Raises ModelRejected, which lists all that does not match, and the client's errors.
    """
    variables = [named for named in walk_variables(model) if name_dtype(named.variable) in DTYPES]
    patterns = Patterns("rules", rules)
    targets = {named.path: found for named in variables if (found := make_target(named, patterns))}
    patterns.check_matched([named.path for named in variables])
    published = fetch_published(reference, client)
    matched = match_model(published, targets, rename, strict=strict is not False)
    left = [Block(Leave(), "It is not published, or a rule leaves it as it is.")]
    tensors = [
        make_planned(named, block)
        for named in variables
        for block in list(plan_segments(matched.get(named.path, []), published)) or left
    ]
    return tensors, published


def make_target(named: NamedTensor, rules: Patterns[Rule]) -> Target | None:
    """Make the target that a variable is; None where a rule leaves it alone. Raises ModelRejected."""
    kernel = find_kernel(named.layer, named.variable.name)
    shape = tuple(named.variable.shape)
    known = write_out(kernel.layer.get("layout", "keras"), len(shape)) if kernel else ""
    letters = find_letters(rules, [named.path], known, len(shape))
    if letters is None:
        return None
    gates, is_optional = kernel.gates if kernel else (), named.variable.name in STATISTICS
    return Target((named.path,), shape, letters, gates, len(shape) - 1, optional=is_optional)


def make_planned(named: NamedTensor, block: Block) -> PlannedTensor:
    """Make the planned tensor of a block of a variable."""
    variable = named.variable
    return PlannedTensor.of([named.path], tuple(variable.shape), name_dtype(variable), block, named)
