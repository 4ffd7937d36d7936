"""`publish`: publish how a Keras model is initialized from a seed, so that others can initialize from it."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Unpack

import keras
import numpy as np

from weightinit import Client, Spec, default_client
from weightinit.adapters.actions import Constant, Leave
from weightinit.adapters.batches import Batch
from weightinit.adapters.messages import warn_of_unpublished
from weightinit.adapters.plan import PlannedTensor, Rename, read_seed
from weightinit.adapters.recipes import Recipe
from weightinit.adapters.rules import ModelRejected, Rules
from weightinit.keras.constants import read_value
from weightinit.keras.kept import FROZEN, find_held
from weightinit.keras.layers import Layer, find_kernel
from weightinit.keras.plan import plan_variables
from weightinit.keras.roles import plan_model
from weightinit.keras.walk import NamedTensor, read_values
from weightinit.models import Model, Part, Publication, TensorSpec
from weightinit.models.names import Naming
from weightinit.spec.dtypes import DTYPES, INTEGERS, TENSOR_DTYPES, find_range
from weightinit.spec.layouts import write_out


def publish(
    model: Layer,
    seed: int | str,
    *,
    rules: Rules | None = None,
    recipe: Recipe | None = None,
    rename: Rename = str,
    batch: Batch = None,
    client: Client | None = None,
    **naming: Unpack[Naming],
) -> Publication:
    """Publish how `initialize` would initialize a built model from a seed, and Keras' own constants.

    The published tensors are the variables, under their paths and in Keras' axis order; each gate of a
    recurrent kernel is one tensor. `name`, `author` and `note` are those of Client.publish, the other
    arguments those of `initialize`.

    Raises ModelRejected, which lists the variables whose initialization is unknown.
    """
    number = read_seed(seed)
    tensors: list[TensorSpec] = []
    problems: list[str] = []
    lacking: list[str] = []
    source, specs = client or default_client(), dict[str, TensorSpec]()
    if recipe is None:
        planned = plan_variables(model, rules, number, batch)
    else:
        made = plan_model(model, recipe, number, rules, rename, source, batch=batch)
        planned, specs = made.tensors, dict(made.specs)
    for _, group in groupby(planned, key=lambda tensor: id(tensor.target)):
        blocks = list(group)
        if spec := specs.get(rename(blocks[0].target.path)):
            tensors.append(spec)
            continue
        try:
            described = describe_variable(blocks, number, rename)
            tensors += described
            if not described and not is_omitted(blocks[0]):
                lacking.append(blocks[0].target.path)
        except ModelRejected as error:
            problems.append(f"{blocks[0].target.path} {error}")
    if problems:
        raise ModelRejected(f"these cannot be published: {'; '.join(problems)}")
    warn_of_unpublished(lacking)
    return source.publish(Model(number, tuple(tensors)), **naming)


def describe_variable(blocks: Sequence[PlannedTensor], seed: int, rename: Rename) -> list[TensorSpec]:
    """Return the specs of a variable: one, one for each gate, or none for integers that are not constant.

    Raises ModelRejected.
    """
    named, dtype, action = blocks[0].target, blocks[0].dtype, blocks[0].action
    shape = tuple(named.variable.shape)
    if dtype not in TENSOR_DTYPES:
        return []
    if 0 in shape:
        return [TensorSpec.of(rename(named.path), Part.constant(shape, 0), dtype=dtype)]
    if dtype in INTEGERS and isinstance(action, Leave):
        value = None if action.by_rule else find_integer(named, dtype)
        return (
            []
            if value is None
            else [TensorSpec.of(rename(named.path), Part.constant(shape, value), dtype=dtype)]
        )
    specs = [block.make_spec(seed, rename) for block in blocks]
    for spec in specs:
        if spec:
            check_layout(named, spec)
            check_seed(spec, seed)
    if any(specs):
        return [
            TensorSpec.of(rename(block.name), find_part(block, spec), dtype=dtype)
            for block, spec in zip(blocks, specs, strict=True)
        ]
    return [describe_kept(blocks, seed, rename)]


def describe_kept(blocks: Sequence[PlannedTensor], seed: int, rename: Rename) -> TensorSpec:
    """Return the spec of a variable that is not drawn: an identity, or constants. Raises ModelRejected."""
    named, dtype = blocks[0].target, blocks[0].dtype
    name, shape = rename(named.path), tuple(named.variable.shape)
    if len(blocks) == 1 and (gain := find_gain(blocks[0])) is not None:
        layout = find_layout(named, "IO")
        spec = Spec(shape, layout, scheme="identity", gain=gain, dtype=dtype, seed=seed, name=name)
        return TensorSpec.of(name, Part.of(spec), dtype=dtype)
    values = [find_value(block) for block in blocks]
    if len(blocks) == 1:
        return TensorSpec.of(name, Part.constant(shape, values[0]), dtype=dtype)
    lengths = zip(values, (block.shape for block in blocks), strict=True)
    parts = [
        Part.constant((sum(rows for rows, *_ in shapes), *shapes[0][1:]), value)
        for value, group in groupby(lengths, key=itemgetter(0))
        if (shapes := [shape for _, shape in group])
    ]
    return TensorSpec.of(name, *parts, dtype=dtype)


def is_omitted(block: PlannedTensor) -> bool:
    """Return whether a variable is left out on purpose: by a rule, or as the state of a random generator."""
    is_left = isinstance(block.action, Leave) and block.action.by_rule
    return is_left or is_random_state(block.target, block.dtype)


def is_random_state(named: NamedTensor, dtype: str) -> bool:
    """Return whether a variable may be the state of a random generator."""
    return dtype == "uint32" and tuple(named.variable.shape) == (2,)


def find_integer(named: NamedTensor, dtype: str) -> float | None:
    """Return the value of a constant integer variable, such as a counter; None if it is not constant.

    A possible state of a random generator has no value.
    """
    if is_random_state(named, dtype):
        return None
    held, limits = keras.ops.convert_to_numpy(named.variable.value), find_range(dtype)
    value = float(held.flat[0])
    is_known = bool((held == held.flat[0]).all()) and limits and limits[0] <= value <= limits[1]
    return value if is_known else None


def find_gain(planned: PlannedTensor) -> float | None:
    """Return the gain of a matrix that is kept and is an identity, times a gain; None for others."""
    shape, action = planned.shape, planned.action
    if (
        not isinstance(action, Leave)
        or action.by_rule
        or len(shape) != 2
        or planned.dtype not in DTYPES
        or shape == (1, 1)
    ):
        return None
    held = read_values(planned.target)
    gain = float(held[0, 0])
    is_identity = gain > 0 and np.array_equal(held, (gain * np.eye(*shape)).astype(held.dtype))
    return gain if is_identity else None


def find_part(block: PlannedTensor, spec: Spec | None) -> Part:
    """Return the part for a block. Raises ModelRejected if it is kept and its values are unknown."""
    return Part.of(spec) if spec else Part.constant(block.shape, find_value(block))


def find_value(planned: PlannedTensor) -> float:
    """Return the constant of a block that is not drawn. Raises ModelRejected if it is unknown."""
    named, action = planned.target, planned.action
    if isinstance(action, Constant):
        return action.value
    if isinstance(action, Leave) and action.by_rule:
        raise ModelRejected("is kept by a rule, so its values are unknown")
    is_frozen = planned.reason == FROZEN
    is_kept = is_frozen or planned.certainty == "guessed"  # its values may have changed
    value = find_held(named) if is_kept else read_value(named.layer, named.variable.name)
    if value is None:
        kind, shape = type(named.layer).__name__, list(planned.shape)
        frozen = ", and is frozen" if is_frozen else ", and is kept as its author set it" if is_kept else ""
        raise ModelRejected(f"{shape} of {kind} has no known initial value{frozen}: set it with rules")
    return value


def check_seed(spec: Spec, seed: int) -> None:
    """Check that the seed of a layer's own initializer is the model's. Raises ModelRejected."""
    if spec.seed is not None and int(spec.seed) != seed:
        raise ModelRejected(
            f"is drawn from the seed {spec.seed} of its layer: publish with that seed, or set a rule"
        )


def check_layout(place: NamedTensor, spec: Spec) -> None:
    """Check that a kernel has its layer's axes, which consumers of the model use. Raises ModelRejected."""
    layout = write_out(spec.layout, len(spec.shape))
    own = find_layout(place, layout)
    if layout != own:
        raise ModelRejected(f"has the axes {own}, not {layout}: set its fans instead")


def find_layout(named: NamedTensor, default: str) -> str:
    """Return the axes of a kernel by its layer; the default for a variable that is not known to be one."""
    kernel = find_kernel(named.layer, named.variable.name)
    return write_out(kernel.layer.get("layout", "keras"), len(named.variable.shape)) if kernel else default
