"""The names of jax.nn.initializers: the same arguments and distributions, with weights from the service.

As there, `_normal` at the end of a name means cut at ±2σ, while `distribution="normal"` means a plain one.
"""

from typing import Protocol, TypedDict, Unpack

from jax.typing import DTypeLike

from weightinit import Client
from weightinit.jax.initializers import Initializer, make_spec
from weightinit.spec.layer import LayerFields
from weightinit.spec.layouts import Axes


class Which(TypedDict, total=False):
    """Which tensor, and whom to ask: as for `initializer`."""

    seed: int | str | None
    name: str | None
    client: Client | None


class NamedInitializer(Protocol):
    """A function that makes initializers, with the arguments of its namesake in jax.nn.initializers."""

    def __call__(
        self,
        in_axis: Axes = -2,
        out_axis: Axes = -1,
        batch_axis: Axes = (),
        dtype: DTypeLike | None = None,
        **which: Unpack[Which],
    ) -> Initializer:
        """Make an initializer."""


def variance_scaling(
    scale: float,
    mode: str,
    distribution: str,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: DTypeLike | None = None,
    **which: Unpack[Which],
) -> Initializer:
    """Make an initializer with σ² = scale / fan.

    Args:
        scale: positive.
        mode: `fan_in`, `fan_out`, `fan_avg` or `fan_geo_avg`.
        distribution: `uniform`, `normal` or `truncated_normal`.
        in_axis: axis or axes of inputs.
        out_axis: axis or axes of outputs.
        batch_axis: axis or axes of stacked, independent kernels.
        dtype: for calls that say none. Default: JAX's.
        **which: seed, name and client, as for `initializer`.
    """
    layer = LayerFields(scheme="variance_scaling", scale=scale, mode=mode, distribution=distribution)
    return _make(layer, (in_axis, out_axis, batch_axis), dtype, which)


def name_scheme(scheme: str, distribution: str) -> NamedInitializer:
    """Make the function that stands for a scheme, as its namesake in jax.nn.initializers does."""

    def make(
        in_axis: Axes = -2,
        out_axis: Axes = -1,
        batch_axis: Axes = (),
        dtype: DTypeLike | None = None,
        **which: Unpack[Which],
    ) -> Initializer:
        layer = LayerFields(scheme=scheme, distribution=distribution)
        return _make(layer, (in_axis, out_axis, batch_axis), dtype, which)

    make.__name__ = make.__qualname__ = f"{scheme}_{distribution.removeprefix('truncated_')}"
    make.__doc__ = f"Make an initializer of scheme {scheme}, {distribution}: see `variance_scaling`."
    return make


glorot_uniform = xavier_uniform = name_scheme("glorot", "uniform")
glorot_normal = xavier_normal = name_scheme("glorot", "truncated_normal")
he_uniform = kaiming_uniform = name_scheme("he", "uniform")
he_normal = kaiming_normal = name_scheme("he", "truncated_normal")
lecun_uniform = name_scheme("lecun", "uniform")
lecun_normal = name_scheme("lecun", "truncated_normal")


def _make(
    layer: LayerFields, axes: tuple[Axes, Axes, Axes], dtype: DTypeLike | None, which: Which
) -> Initializer:
    spec = make_spec(which.get("seed"), which.get("name"), layer)
    inputs, outputs, stacked = (found if isinstance(found, int) else tuple(found) for found in axes)
    return Initializer(spec, dtype, (inputs, outputs, stacked), which.get("client"))
