"""Plan how each variable of a Keras model is initialized, from its layer, the graph and the rules."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from weightinit import Client
from weightinit.adapters.actions import Block, Leave
from weightinit.adapters.batches import Batch
from weightinit.adapters.flow.inference import Inference
from weightinit.adapters.matching import Target, find_letters, match_model
from weightinit.adapters.messages import shorten, warn_of_copies
from weightinit.adapters.plan import PlannedTensor, Rename, plan_segments
from weightinit.adapters.planner import Planner
from weightinit.adapters.published import PublishedModel, fetch_published
from weightinit.adapters.rules import ModelRejected, Patterns, Rule, Rules
from weightinit.keras.activations import ActivationFinder
from weightinit.keras.constants import OWN, STATISTICS, UNKNOWN
from weightinit.keras.kept import Author, find_copies, guess, is_frozen, is_trained
from weightinit.keras.kernels import describe_author, describe_kernel, describe_rest, find_used
from weightinit.keras.layers import Kernel, Layer
from weightinit.keras.walk import NamedTensor, name_dtype, walk_variables
from weightinit.spec.dtypes import INTEGERS, TENSOR_DTYPES
from weightinit.spec.layouts import write_out

# The reasons of variables that are left and may be kernels.
LEFT = (UNKNOWN, OWN)


def plan_variables(
    model: Layer, rules: Rules | None, seed: int, batch: Batch = None, *, strict: bool | None = None
) -> list[PlannedTensor]:
    """Plan how each variable of a model is initialized from a seed. Raises ModelRejected and SpecRejected."""
    planner, finder = Planner(rules, axis=-1), ActivationFinder(model, batch)
    variables = walk_variables(model)
    author = Author(model, variables, seed)
    tensors: list[PlannedTensor] = []
    is_known = False
    for named in variables:
        kernel = find_used(finder, named)
        unused = describe_author(named) if kernel else ""
        described = describe_kernel(named, kernel, unused) if kernel else describe_rest(finder, named)
        blocks = planner.plan_tensor(
            [named.path],
            [named.path.rpartition("/")[0]],
            tuple(named.variable.shape),
            described,
            partial(infer, finder, named, kernel or Kernel(), unused),
            author.find(named, kernel),
        )
        tensors += [make_planned(named, block) for block in blocks]
        is_known = is_known or kernel is not None or blocks != described
    planner.finish([named.path for named in variables], strict=strict)
    left = {tensor.target.path for tensor in tensors if isinstance(tensor.action, Leave)}
    copies = {path: of for path, of in find_copies(variables).items() if path in left and of not in left}
    if copies:
        warn_of_copies(copies)
    if strict is not False and not is_known:
        check_left(tensors)
    return tensors


def infer(finder: ActivationFinder, named: NamedTensor, kernel: Kernel, unused: str) -> Inference:
    """Return what follows a kernel; a guess if its layer has an initializer that is not used."""
    found = finder.find(named.variable, named.layer, kernel)
    return guess(found, unused) if unused else found


def check_left(tensors: Sequence[PlannedTensor]) -> None:
    """Check that a model without known kernels has no possible ones either. Raises ModelRejected."""
    left = [tensor.name for tensor in tensors if len(tensor.shape) > 1 and tensor.reason.endswith(LEFT)]
    if left:
        raise ModelRejected(
            f"no kernel is recognized, only {shorten(left)}: "
            'set layouts with rules={name: {"layout": ...}}, '
            "or keep all values with strict=False"
        )


def plan_published(
    model: Layer,
    reference: str,
    rules: Rules | None,
    rename: Rename,
    batch: Batch,
    client: Client,
    *,
    strict: bool | None,
) -> tuple[list[PlannedTensor], PublishedModel]:
    """Return the plan by which a published model initializes a model, and the published model.

    Raises ModelRejected, which lists all mismatches, and the client's errors.
    """
    variables = [named for named in walk_variables(model) if name_dtype(named.variable) in TENSOR_DTYPES]
    patterns = Patterns("rules", rules)
    singles_out = is_trained(variables)
    targets: dict[str, Target] = {}
    finder = ActivationFinder(model, batch)
    for named in variables:
        if found := make_target(finder, named, patterns, is_kept=singles_out and is_frozen(named)):
            targets[named.path] = found
    patterns.check_matched([named.path for named in variables])
    published = fetch_published(reference, client)
    for named in variables:
        if named.path in targets and published.find(rename(named.path)) is None:
            gates = targets[named.path].gates or find_parts(named, finder)
            targets[named.path] = replace(targets[named.path], gates=gates)
    matched = match_model(published, targets, rename, strict=strict is not False)
    left = [Block(Leave(), "It is not published, or a rule leaves it as it is.")]
    tensors = [
        make_planned(named, block)
        for named in variables
        for block in list(plan_segments(matched.get(named.path, []), published)) or left
    ]
    return tensors, published


def find_parts(named: NamedTensor, finder: ActivationFinder) -> tuple[str, ...]:
    """Return the names of equally large kernels packed in one, each published under its own name."""
    kernel = find_used(finder, named)
    if kernel is None or not kernel.activated:
        return ()
    parts = finder.find(named.variable, named.layer, kernel).parts
    return tuple(parts) if len({length for length, _ in parts.values()}) == 1 else ()


def make_target(
    finder: ActivationFinder, named: NamedTensor, rules: Patterns[Rule], *, is_kept: bool = False
) -> Target | None:
    """Return the target for a variable; None if a rule keeps it. Raises ModelRejected.

    One with `is_kept` need not be published.
    """
    kernel = find_used(finder, named)
    shape = tuple(named.variable.shape)
    known = write_out(kernel.layer.get("layout", "keras"), len(shape)) if kernel else ""
    letters = find_letters(rules, [named.path], known, len(shape))
    if letters is None:
        return None
    is_weight = name_dtype(named.variable) not in INTEGERS and 0 not in shape
    gates, is_optional = kernel.gates if kernel else (), named.variable.name in STATISTICS or not is_weight
    return Target((named.path,), shape, letters, gates, len(shape) - 1, optional=is_kept or is_optional)


def make_planned(named: NamedTensor, block: Block) -> PlannedTensor:
    """Return the planned tensor for a block of a variable."""
    variable = named.variable
    return PlannedTensor.of([named.path], tuple(variable.shape), name_dtype(variable), block, named)
