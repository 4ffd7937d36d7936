"""Models: every kernel of a Keras model, named by its place."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np

from weightinit import Client, Parameters, Spec, default_client
from weightinit.adapters import (
    Rename,
    Segment,
    Target,
    fetch_published,
    find_letters,
    is_reference,
    match_model,
    name_segments,
    read_box,
    span,
)
from weightinit.adapters.rules import Rules, check_patterns, find_rule
from weightinit.keras.activations import Graph
from weightinit.keras.layers import Kernel, find_kernel
from weightinit.keras.types import Layer, Variable
from weightinit.keras.walk import NamedTensor, walk_variables
from weightinit.models.decisions import Decider
from weightinit.spec.dtypes import DTYPES
from weightinit.spec.layer import LayerFields

# What a norm keeps of the data that it has seen starts as Keras made it, unless it is published.
STATISTICS = frozenset(["moving_mean", "moving_variance"])


def initialize_published(
    model: Layer, reference: str, rules: Rules, rename: Rename, client: Client, *, strict: bool
) -> dict[str, Parameters | None]:
    """Start the variables of a model as a published one says; return what was decided for each, by path.

    Raises ModelRejected, which lists all that does not fit, before the first variable changes.
    """
    places = [place for place in walk_variables(model) if name_dtype(place.variable) in DTYPES]
    check_patterns(rules, [place.path for place in places])
    targets = {place.path: found for place in places if (found := make_target(place, rules))}
    matched = match_model(fetch_published(reference, client), targets, rename, strict=strict)
    report: dict[str, Parameters | None] = {}
    for place in places:
        segments = matched.get(place.path, [])
        if segments:
            box = span(place.variable.shape)
            place.variable.assign(read_box(segments, box, name_dtype(place.variable), client))
        report |= describe(place.path, segments)
    return report


def make_target(place: NamedTensor, rules: Rules) -> Target | None:
    """Say what a variable is; None where a rule leaves it alone. Raises ModelRejected."""
    kernel = find_kernel(place.layer, place.variable.name)
    shape = tuple(place.variable.shape)
    layer, gates = (kernel.layer, kernel.gates) if kernel else (None, ())
    letters = find_letters(rules, place.path, layer, len(shape))
    if letters is None:
        return None
    return Target((place.path,), shape, letters, gates, len(shape) - 1, place.variable.name in STATISTICS)


def describe(path: str, segments: list[Segment]) -> dict[str, Parameters | None]:
    """Describe what was decided for a variable, by the paths of its pieces; None where nothing is drawn."""
    if not segments:
        return {path: None}
    return {
        f"{path}{name}": segment.decided
        for segment, name in zip(segments, name_segments(segments), strict=True)
    }


def name_dtype(variable: Variable) -> str:
    """Name the dtype of a variable."""
    return str(keras.backend.standardize_dtype(variable.dtype))


@dataclass(frozen=True, slots=True)
class Start:
    """How a variable starts: by path the kernels that its last axis packs, None where it is left alone."""

    place: NamedTensor
    parts: dict[str, Spec | None]


def initialize(
    model: Layer,
    seed: int | str,
    *,
    rules: Rules | None = None,
    name: Callable[[str], str] = str,
    strict: bool = True,
    client: Client | None = None,
) -> dict[str, Parameters | None]:
    """Give every kernel of a built model its weights, and return what was decided for each variable, by path.

    A kernel is drawn for the type of its layer and for the activation that follows: the layer's own, or the
    one found in the graph of a Sequential or functional model. Recurrent kernels are drawn gate by gate.
    Biases, norms and the variables of layers that are not Keras' stay as they are: None in the answer.

    A published model says how all variables start, biases and norms too; its kernels are turned to Keras'
    order of axes. Its shapes have to fit: whatever does not is listed in one ModelRejected.

    Everything is checked before the first variable changes. Raises ModelRejected and the client's errors;
    after one that came while weights were on their way, call it again.

    Args:
        model: a model or a layer, built.
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text; or a published model, by its name, which is
            team/name/version, or by its id.
        rules: by glob of paths (`encoder/*/kernel`), what is known better: the keywords of a layer, or None
            to leave variables alone. A layout makes a kernel of what is not known as one. The first that
            matches counts, and each has to match something. With a published model: a layout, or None.
        name: the tensor's name, given its path: `hidden1/kernel`, or `lstm/lstm_cell/kernel.i` for a gate.
        strict: of a published model, refuse what only one of the two has; otherwise it is left alone.
        client: whom to ask. Default: the one that the environment configures.
    """
    asked = client or default_client()
    if is_reference(seed):
        return initialize_published(model, seed, rules or {}, name, asked, strict=strict)
    plan = list(plan_model(model, seed, rules or {}))
    parts = {path: spec for start in plan for path, spec in start.parts.items()}
    decider = Decider(asked.parameters)
    report = {path: None if spec is None else decider.decide(spec, path) for path, spec in parts.items()}
    for start in plan:
        drawn = [asked.weights(spec, name=name(path)) for path, spec in start.parts.items() if spec]
        if drawn:
            start.place.variable.assign(drawn[0] if len(drawn) == 1 else np.concatenate(drawn, axis=-1))
    return report


def plan_model(model: Layer, seed: int | str, rules: Rules) -> Iterator[Start]:
    """Plan how each variable of a model starts. Raises ModelRejected and SpecRejected."""
    places = walk_variables(model)
    check_patterns(rules, [place.path for place in places])
    graph = Graph(model)
    for place in places:
        kernel = find_kernel(place.layer, place.variable.name)
        known = None if kernel is None else _describe(kernel, place.layer, graph)
        said = find_rule(rules, place.path, known)
        if said is None:
            yield Start(place, {place.path: None})
        else:
            yield Start(place, dict(_split(place, kernel.gates if kernel else (), said, seed)))


def _describe(kernel: Kernel, layer: Layer, graph: Graph) -> LayerFields:
    return {**kernel.layer, "activation": graph.find_activation(layer) if kernel.activated else None}


def _split(
    place: NamedTensor, gates: tuple[str, ...], said: LayerFields, seed: int | str
) -> Iterator[tuple[str, Spec]]:
    paths = [f"{place.path}.{gate}" for gate in gates] or [place.path]
    *field, outputs = place.variable.shape
    spec = Spec.of((*field, outputs // len(paths)), seed=seed, dtype=place.variable.dtype, **said)
    for path in paths:
        yield path, spec
