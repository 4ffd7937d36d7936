"""Publishing: a Keras model and a seed as a model that everybody can start from."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Unpack

from weightinit import Client, Spec, default_client
from weightinit.dtypes import DTYPES
from weightinit.keras.constants import find_constant
from weightinit.keras.kernels import find_kernel
from weightinit.keras.models import Start, plan_model
from weightinit.keras.places import Place
from weightinit.keras.published import name_dtype
from weightinit.keras.types import Layer
from weightinit.layouts import write_out
from weightinit.models import Model, Part, Publication, TensorSpec
from weightinit.models.names import Naming
from weightinit.patterns import ModelRejected, find_said
from weightinit.spec import LayerFields

# What is said of a variable: the keywords of a layer, or the value that it starts at.
Rule = LayerFields | float | None


def publish(
    model: Layer,
    seed: int | str,
    *,
    rules: Mapping[str, Rule] | None = None,
    rename: Callable[[str], str] = str,
    client: Client | None = None,
    **naming: Unpack[Naming],
) -> Publication:
    """Publish how `initialize` would start a built model from a seed, and what Keras starts at one value.

    The tensors are the variables, under their paths and in Keras' order of axes; each gate of a recurrent
    kernel is one. `name`, `author` and `note` are those of Client.publish, the rest those of `initialize`,
    whose `name` is called `rename` here. A rule may also be a number, which a variable then starts at.

    Raises ModelRejected, which lists the variables of which nobody knows how they start.
    """
    said = rules or {}
    kernels = {glob: None if isinstance(rule, int | float) else rule for glob, rule in said.items()}
    tensors: list[TensorSpec] = []
    problems: list[str] = []
    for start in plan_model(model, seed, kernels):
        try:
            tensors += describe_start(start, find_said(said, start.place.path, LayerFields()), rename)
        except ModelRejected as error:
            problems.append(f"{start.place.path} {error}")
    if problems:
        raise ModelRejected(f"these cannot be published: {'; '.join(problems)}")
    published = Model(seed, tuple(tensors))  # type: ignore[arg-type]  # decimal text is read there
    return (client or default_client()).publish(published, **naming)


def describe_start(start: Start, rule: Rule, rename: Callable[[str], str]) -> list[TensorSpec]:
    """Describe how a variable starts: as one tensor, as one for each gate, or as none where it is no weight.

    Raises ModelRejected.
    """
    place, dtype = start.place, name_dtype(start.place.variable)
    drawn = {rename(path): spec for path, spec in start.parts.items() if spec}
    for spec in drawn.values():
        check_layout(place, spec)
    if drawn:
        return [TensorSpec.of(name, Part.of(replace(spec, name=name))) for name, spec in drawn.items()]
    if dtype not in DTYPES:
        return []
    return [TensorSpec.of(rename(place.path), *find_parts(place, rule), dtype=dtype)]


def find_parts(place: Place, rule: Rule) -> list[Part]:
    """Find the parts of a variable that is no kernel. Raises ModelRejected where no value is known."""
    if rule is None:
        raise ModelRejected("is left alone by a rule")
    shape = tuple(place.variable.shape) or (1,)
    parts = [Part.constant(shape, rule)] if isinstance(rule, int | float) else find_constant(place)
    if not parts:
        raise ModelRejected(
            f"{list(shape)} of {type(place.layer).__name__} starts at no known value: say it in rules"
        )
    return parts


def check_layout(place: Place, spec: Spec) -> None:
    """Check that a kernel has its layer's axes: whoever starts from it takes them for these.

    Raises ModelRejected.
    """
    kernel = find_kernel(place.layer, place.variable.name)
    layout, rank = write_out(spec.layout, len(spec.shape)), len(spec.shape)
    own = write_out(kernel.layer.get("layout", "keras"), rank) if kernel else layout
    if layout != own:
        raise ModelRejected(f"has the axes {own} and not {layout}: say its fans instead")
