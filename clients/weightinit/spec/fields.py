"""Fields: the keyword arguments of a layer and a spec, and which of them imply or replace others."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    import numpy as np


class LayerFields(TypedDict, total=False):
    """The keyword arguments that describe a layer; docs/client.md lists them."""

    layout: str
    groups: int
    transposed: bool
    stride: int | Iterable[int] | None
    fan_in: int | None
    fan_out: int | None
    fans_as: str | None
    activation: str | None
    activation_parameter: float | Iterable[float] | None
    scheme: str
    scale: float | None
    mode: str | None
    negative_slope: float | None
    gain: float | None
    distribution: str | None
    stddev: float | None
    parent_stddev: float | None
    limit: float | None
    lower: float | None
    upper: float | None
    low: float | None
    high: float | None
    mean: float | None
    sparsity: float | None
    sparsity_axis: str
    center: str
    constant: float | None


class SpecFields(LayerFields, total=False):
    """The keyword arguments of a spec: those of the layer, and dtype, seed and name."""

    dtype: "str | np.dtype[Any] | type"
    seed: int | str | None
    name: str


# The fields of one number that set the spread of weights; those that adjust the spread of a scheme; and those
# that set values without a scheme.
SPREADS = ("stddev", "parent_stddev", "limit")
SCALING_FIELDS = (
    "scale",
    "mode",
    "negative_slope",
    "gain",
    "activation_parameter",
    "fan_in",
    "fan_out",
    "fans_as",
)
VALUE_FIELDS = (*SPREADS, "low", "high", "mean", "constant", "sparsity", "sparsity_axis")

# The fields that each scheme allows, by its names; the same as in the service.
_CUT = ("lower", "upper")
_SCALING = frozenset(("fan_in", "fan_out", "fans_as", *_CUT, "mode", "gain", "distribution"))
_SPREADING = frozenset((*_CUT, *SPREADS, "low", "high", "mean", "distribution"))
_OPTIONS: dict[tuple[str, ...], frozenset[str]] = {
    ("glorot", "xavier"): _SCALING,
    ("he", "kaiming"): _SCALING | {"negative_slope"},
    ("lecun",): _SCALING,
    ("preserve",): _SCALING | {"activation_parameter"},
    ("variance_scaling",): _SCALING | {"scale"},
    ("explicit",): _SPREADING,
    ("orthogonal",): frozenset({"gain"}),
    ("delta_orthogonal",): frozenset({"gain", "center"}),
    ("identity", "eye"): frozenset({"gain"}),
    ("dirac",): frozenset({"gain", "center"}),
    ("sparse",): frozenset({"stddev", "sparsity", "sparsity_axis"}),
    ("constant",): frozenset({"constant"}),
    ("zeros",): frozenset(),
    ("ones",): frozenset(),
}
# Schemes whose names may include the distribution, and how these end.
_COMPOUND = frozenset({"glorot", "he", "lecun", "preserve"})
_ENDS = ("", "uniform", "normal", "truncatednormal")


def fold_name(name: str) -> str:
    """Fold a name so that case, underscores and hyphens do not matter, as the service does.

    >>> fold_name("he_normal") == fold_name("HeNormal") == fold_name("he-normal_")
    True
    """
    return name.lower().replace("_", "").replace("-", "")


SCHEMES: dict[str, tuple[str, frozenset[str]]] = {
    fold_name(name) + end: (names[0], options)
    for names, options in _OPTIONS.items()
    for name in names
    for end in (_ENDS if names[0] in _COMPOUND else ("",))
}
OPTIONS: frozenset[str] = frozenset().union(*_OPTIONS.values())


def find_scheme(name: object) -> str:
    """Return the canonical name of a scheme without its distribution; "" for auto and unknown names.

    >>> find_scheme("XavierUniform"), find_scheme("eye"), find_scheme("auto")
    ('glorot', 'identity', '')
    """
    return SCHEMES[fold_name(name)][0] if isinstance(name, str) and fold_name(name) in SCHEMES else ""


def list_unused(scheme: object) -> frozenset[str]:
    """Return the fields that are for other schemes; none for auto and unknown names.

    >>> "gain" in list_unused("orthogonal"), "mode" in list_unused("orthogonal")
    (False, True)
    """
    found = SCHEMES.get(fold_name(scheme)) if isinstance(scheme, str) else None
    return OPTIONS - found[1] if found else frozenset()


def gives_spread(fields: Mapping[str, object]) -> bool:
    """Return whether fields of a layer set the spread or the interval of its values directly."""
    return any(fields.get(name) is not None for name in (*SPREADS, "low"))


def imply_scheme(fields: Mapping[str, object]) -> str:
    """Return the scheme that fields without a scheme imply, as the service does.

    >>> imply_scheme({"stddev": 0.02}), imply_scheme({"constant": 0.5}), imply_scheme({"gain": 2.0})
    ('explicit', 'constant', 'auto')
    """
    if gives_spread(fields):
        return "explicit"
    return "auto" if fields.get("constant") is None else "constant"


def merge_defaults(defaults: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tensor's fields merged over a model's defaults, as the service does.

    Fields of the tensor that set the values replace the scheme, scaling and value fields of the defaults. A
    scheme of the tensor replaces the value fields, and the fields that this scheme does not allow.

    >>> merge_defaults({"layout": "torch", "stddev": 0.02}, {"scheme": "he"})
    {'layout': 'torch', 'scheme': 'he'}
    >>> merge_defaults({"distribution": "normal", "gain": 2.0}, {"scheme": "orthogonal"})
    {'gain': 2.0, 'scheme': 'orthogonal'}
    """
    replaced: frozenset[str] = frozenset()
    if any(fields.get(name) is not None for name in (*SPREADS, "low", "high", "constant")):
        replaced = frozenset(("scheme", *SCALING_FIELDS, *VALUE_FIELDS))
    elif isinstance(scheme := fields.get("scheme"), str):
        replaced = list_unused(scheme).union(VALUE_FIELDS)
    return {name: value for name, value in defaults.items() if name not in replaced} | dict(fields)
