"""Named initializers with the names and arguments of jax.nn.initializers where it has them."""

from collections.abc import Iterable
from typing import Protocol, TypedDict, Unpack

from jax.typing import DTypeLike

from weightinit import Client
from weightinit.adapters.initializers import NAMED, VALUES, check_scaling, read_distribution
from weightinit.jax.initializers import Initializer, make_spec
from weightinit.spec.fields import LayerFields
from weightinit.spec.layouts import Axes


class Options(TypedDict, total=False):
    """The tensor's seed and name, and the client, as for `initializer`."""

    seed: int | str | None
    name: str | None
    client: Client | None


class PreserveOptions(Options, total=False):
    """The same, and for the schemes that depend on it, the activation that follows and its parameter."""

    activation: str | None
    activation_parameter: float | Iterable[float] | None


class NamedInitializer(Protocol):
    """A function that returns initializers, with the arguments of those in jax.nn.initializers."""

    def __call__(
        self,
        in_axis: Axes = -2,
        out_axis: Axes = -1,
        batch_axis: Axes = (),
        dtype: DTypeLike | None = None,
        **options: Unpack[PreserveOptions],
    ) -> Initializer:
        """Return an initializer."""


def variance_scaling(
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "uniform",
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: DTypeLike | None = None,
    **options: Unpack[Options],
) -> Initializer:
    """Return an initializer of variance σ² = scale / fan, with JAX's arguments and the service's defaults.

    Args:
        scale: positive.
        mode: `fan_in`, `fan_out`, `fan_avg` or `fan_geo_avg`.
        distribution: `uniform`, `normal` or `truncated_normal`; `untruncated_normal` is `normal`.
        in_axis: the input axis or axes.
        out_axis: the output axis or axes.
        batch_axis: the axis or axes of stacked, independent kernels.
        dtype: the dtype of calls without one. Default: JAX's.
        **options: seed, name and client, as for `initializer`.
    """
    layer = LayerFields(
        scheme="variance_scaling", scale=scale, mode=mode, distribution=read_distribution(distribution)
    )
    check_scaling(layer)
    return _make(layer, (in_axis, out_axis, batch_axis), dtype, options)


def make_named_initializer(name: str) -> NamedInitializer:
    """Return the function for a row of NAMED, whose initializers have that scheme.

    >>> make_named_initializer("he_normal").__name__
    'he_normal'
    """

    def make(
        in_axis: Axes = -2,
        out_axis: Axes = -1,
        batch_axis: Axes = (),
        dtype: DTypeLike | None = None,
        **options: Unpack[PreserveOptions],
    ) -> Initializer:
        layer = LayerFields(scheme=row.name)
        if (activation := options.pop("activation", None)) is not None:
            layer["activation"] = activation
        if (parameter := options.pop("activation_parameter", None)) is not None:
            layer["activation_parameter"] = parameter
        return _make(layer, (in_axis, out_axis, batch_axis), dtype, options)

    row = NAMED[name]
    make.__name__ = make.__qualname__ = row.name
    make.__doc__ = f"Make an initializer, with the arguments of `variance_scaling`. {row.describe()}"
    return make


def _make(
    layer: LayerFields, axes: tuple[Axes, Axes, Axes] | None, dtype: DTypeLike | None, options: Options
) -> Initializer:
    spec = make_spec(options.get("seed"), options.get("name"), layer)
    if axes is None:
        return Initializer(spec, dtype, client=options.get("client"))
    inputs, outputs, stacked = (found if isinstance(found, int) else tuple(found) for found in axes)
    return Initializer(spec, dtype, (inputs, outputs, stacked), options.get("client"))


glorot_uniform = xavier_uniform = make_named_initializer("glorot_uniform")
glorot_normal = xavier_normal = make_named_initializer("glorot_normal")
glorot_truncated_normal = xavier_truncated_normal = make_named_initializer("glorot_truncated_normal")
he_uniform = kaiming_uniform = make_named_initializer("he_uniform")
he_normal = kaiming_normal = make_named_initializer("he_normal")
he_truncated_normal = kaiming_truncated_normal = make_named_initializer("he_truncated_normal")
lecun_uniform = make_named_initializer("lecun_uniform")
lecun_normal = make_named_initializer("lecun_normal")
lecun_truncated_normal = make_named_initializer("lecun_truncated_normal")
preserve_uniform = make_named_initializer("preserve_uniform")
preserve_normal = make_named_initializer("preserve_normal")
preserve_truncated_normal = make_named_initializer("preserve_truncated_normal")


def orthogonal(
    scale: float = 1.0, column_axis: int = -1, dtype: DTypeLike | None = None, **options: Unpack[Options]
) -> Initializer:
    """Return an initializer of an orthogonal matrix, times the scale; the shorter side is orthonormal.

    `column_axis` is the output axis, counted from the last, -1; the other axes together are the rows.
    """
    return _make(_scale("orthogonal", scale), _find_axes(column_axis), dtype, options)


def delta_orthogonal(
    scale: float = 1.0, column_axis: int = -1, dtype: DTypeLike | None = None, **options: Unpack[Options]
) -> Initializer:
    """Return an initializer of a convolution: an orthogonal matrix, times the scale, at its centre.

    `column_axis` is that of `orthogonal`. There must be at least as many outputs as inputs.
    """
    return _make(_scale("delta_orthogonal", scale), _find_axes(column_axis), dtype, options)


def identity(gain: float = 1.0, dtype: DTypeLike | None = None, **options: Unpack[Options]) -> Initializer:
    """Return an initializer of a matrix: the gain on its diagonal, zeros elsewhere."""
    return _make(_scale("identity", gain), None, dtype, options)


def dirac(
    gain: float = 1.0,
    dtype: DTypeLike | None = None,
    *,
    groups: int = 1,
    center: str = "same",
    **options: Unpack[Options],
) -> Initializer:
    """Return an initializer of a convolution that repeats its input channels, times the gain.

    The centre is the tap (k - 1) // 2 of k, or k // 2 with `center="torch"`.
    """
    layer: LayerFields = {**_scale("dirac", gain), "groups": groups, "center": center}
    return _make(layer, None, dtype, options)


def sparse(
    sparsity: float,
    stddev: float = 1e-2,
    dtype: DTypeLike | None = None,
    *,
    sparsity_axis: str = "I",
    **options: Unpack[Options],
) -> Initializer:
    """Return an initializer with ceil(sparsity · n) zeros among the n inputs of each output, and a normal.

    With `sparsity_axis="O"` the zeros are among the outputs of each input, as in PyTorch.
    """
    layer: LayerFields = {"sparsity": sparsity, "stddev": stddev, "sparsity_axis": sparsity_axis}
    return _make({**VALUES["sparse"].layer, **layer}, None, dtype, options)


def normal(
    stddev: float = 1e-2, dtype: DTypeLike | None = None, *, mean: float = 0.0, **options: Unpack[Options]
) -> Initializer:
    """Return an initializer of a normal of σ = `stddev`, not truncated."""
    return _make({**VALUES["normal"].layer, "stddev": stddev, "mean": mean}, None, dtype, options)


def truncated_normal(
    stddev: float = 1e-2,
    dtype: DTypeLike | None = None,
    lower: float = -2.0,
    upper: float = 2.0,
    *,
    mean: float = 0.0,
    **options: Unpack[Options],
) -> Initializer:
    """Return an initializer of a normal of `stddev`, then truncated at `lower` and `upper` times `stddev`."""
    ends: LayerFields = {"parent_stddev": stddev, "lower": lower, "upper": upper, "mean": mean}
    return _make({**VALUES["truncated_normal"].layer, **ends}, None, dtype, options)


def uniform(
    scale: float = 1e-2, dtype: DTypeLike | None = None, *, low: float = 0.0, **options: Unpack[Options]
) -> Initializer:
    """Return an initializer of a uniform distribution on [low, scale); JAX's `low` is always 0."""
    return _make({**VALUES["uniform"].layer, "low": low, "high": scale}, None, dtype, options)


def constant(value: float, dtype: DTypeLike | None = None, **options: Unpack[Options]) -> Initializer:
    """Return an initializer of one value everywhere."""
    return _make({**VALUES["constant"].layer, "constant": value}, None, dtype, options)


def zeros(dtype: DTypeLike | None = None, **options: Unpack[Options]) -> Initializer:
    """Return an initializer of zeros; JAX's `zeros` is one itself."""
    return _make(VALUES["zeros"].layer, None, dtype, options)


def ones(dtype: DTypeLike | None = None, **options: Unpack[Options]) -> Initializer:
    """Return an initializer of ones; JAX's `ones` is one itself."""
    return _make(VALUES["ones"].layer, None, dtype, options)


def _scale(name: str, gain: float) -> LayerFields:
    return {**VALUES[name].layer, "gain": gain}


def _find_axes(column_axis: int) -> tuple[Axes, Axes, Axes]:
    """Return the input, output and stacked axes of a matrix with these columns."""
    return (-2 if column_axis == -1 else -1), column_axis, ()
