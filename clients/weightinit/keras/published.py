"""Published models: the variables of a Keras model started as one says."""

import keras

from weightinit import Client, Parameters
from weightinit.dtypes import DTYPES
from weightinit.fitting import (
    Piece,
    Rename,
    Wanted,
    fetch_published,
    find_letters,
    fit_model,
    name_pieces,
    read_box,
    span,
)
from weightinit.keras.kernels import find_kernel
from weightinit.keras.places import Place, walk_variables
from weightinit.keras.types import Layer, Variable
from weightinit.patterns import Rules, check_patterns

# What a norm keeps of the data that it has seen starts as Keras made it, unless it is published.
STATISTICS = frozenset(["moving_mean", "moving_variance"])


def start_published(
    model: Layer, reference: str, rules: Rules, rename: Rename, client: Client, *, strict: bool
) -> dict[str, Parameters | None]:
    """Start the variables of a model as a published one says; return what was decided for each, by path.

    Raises ModelRejected, which lists all that does not fit, before the first variable changes.
    """
    places = [place for place in walk_variables(model) if name_dtype(place.variable) in DTYPES]
    check_patterns(rules, [place.path for place in places])
    wanted = {place.path: found for place in places if (found := want(place, rules))}
    fitted = fit_model(fetch_published(reference, client), wanted, rename, strict=strict)
    report: dict[str, Parameters | None] = {}
    for place in places:
        pieces = fitted.get(place.path, [])
        if pieces:
            box = span(place.variable.shape)
            place.variable.assign(read_box(pieces, box, name_dtype(place.variable), client))
        report |= describe(place.path, pieces)
    return report


def want(place: Place, rules: Rules) -> Wanted | None:
    """Say what a variable is; None where a rule leaves it alone. Raises ModelRejected."""
    kernel = find_kernel(place.layer, place.variable.name)
    shape = tuple(place.variable.shape)
    layer, gates = (kernel.layer, kernel.gates) if kernel else (None, ())
    letters = find_letters(rules, place.path, layer, len(shape))
    if letters is None:
        return None
    return Wanted((place.path,), shape, letters, gates, len(shape) - 1, place.variable.name in STATISTICS)


def describe(path: str, pieces: list[Piece]) -> dict[str, Parameters | None]:
    """Describe what was decided for a variable, by the paths of its pieces; None where nothing is drawn."""
    if not pieces:
        return {path: None}
    return {f"{path}{name}": piece.decided for piece, name in zip(pieces, name_pieces(pieces), strict=True)}


def name_dtype(variable: Variable) -> str:
    """Name the dtype of a variable."""
    return str(keras.backend.standardize_dtype(variable.dtype))
