"""Named initializers that fill one tensor in place, like the functions of torch.nn.init."""

from typing import Any, Protocol, Required, TypedDict, Unpack

import torch

from weightinit import Client
from weightinit.adapters.initializers import NAMED, VALUES, read_distribution
from weightinit.spec.fields import LayerFields
from weightinit.torch.initializers import init_


class Initializer(Protocol):
    """A function that fills a tensor in place and returns it."""

    __name__: str

    def __call__(
        self,
        tensor: torch.Tensor,
        *,
        seed: int | str,
        name: str,
        client: Client | None = None,
        **layer: Unpack[LayerFields],
    ) -> torch.Tensor:
        """Fill the tensor."""


class KernelFields(TypedDict, total=False):
    """The layout of a kernel, and its fans if the axes do not determine them."""

    layout: str
    groups: int
    fan_in: int | None
    fan_out: int | None


class Options(TypedDict, total=False):
    """The tensor's seed and name, the client, and the layout of the kernel, as for `init_`."""

    layout: str
    seed: Required[int | str]
    name: Required[str]
    client: Client | None


def variance_scaling_(
    tensor: torch.Tensor,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "uniform",
    *,
    seed: int | str,
    name: str,
    client: Client | None = None,
    **kernel: Unpack[KernelFields],
) -> torch.Tensor:
    """Fill a tensor in place with weights of variance σ² = scale / fan, and return it.

    Args:
        tensor: the tensor to fill.
        scale: positive.
        mode: `fan_in`, `fan_out`, `fan_avg` or `fan_geo_avg`.
        distribution: `uniform`, `normal` or `truncated_normal`; `untruncated_normal` is `normal`.
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text.
        name: the tensor's name. Tensors of one seed and name get the same draws.
        client: the client that sends the request. Default: one that the environment configures.
        **kernel: layout, groups and fans, as for `init_`.
    """
    return init_(
        tensor,
        seed=seed,
        name=name,
        client=client,
        scheme="variance_scaling",
        scale=scale,
        mode=mode,
        distribution=read_distribution(distribution),
        **kernel,
    )


def make_named_initializer(name: str) -> Initializer:
    """Return the initializer for a row of NAMED: `init_` with that scheme.

    >>> make_named_initializer("he_normal").__name__
    'he_normal_'
    """

    def initialize(
        tensor: torch.Tensor,
        *,
        seed: int | str,
        name: str,
        client: Client | None = None,
        **layer: Unpack[LayerFields],
    ) -> torch.Tensor:
        layer["scheme"] = row.name
        return init_(tensor, seed=seed, name=name, client=client, **layer)

    row = NAMED[name]
    initialize.__name__ = initialize.__qualname__ = f"{row.name}_"
    initialize.__doc__ = f"Fill a tensor in place, and return it. {row.describe()}"
    return initialize


glorot_uniform_ = xavier_uniform_ = make_named_initializer("glorot_uniform")
glorot_normal_ = xavier_normal_ = make_named_initializer("glorot_normal")
glorot_truncated_normal_ = xavier_truncated_normal_ = make_named_initializer("glorot_truncated_normal")
he_uniform_ = kaiming_uniform_ = make_named_initializer("he_uniform")
he_normal_ = kaiming_normal_ = make_named_initializer("he_normal")
he_truncated_normal_ = kaiming_truncated_normal_ = make_named_initializer("he_truncated_normal")
lecun_uniform_ = make_named_initializer("lecun_uniform")
lecun_normal_ = make_named_initializer("lecun_normal")
lecun_truncated_normal_ = make_named_initializer("lecun_truncated_normal")
preserve_uniform_ = make_named_initializer("preserve_uniform")
preserve_normal_ = make_named_initializer("preserve_normal")
preserve_truncated_normal_ = make_named_initializer("preserve_truncated_normal")


def orthogonal_(tensor: torch.Tensor, gain: float = 1.0, **options: Unpack[Options]) -> torch.Tensor:
    """Fill a kernel in place with an orthogonal matrix, times the gain, and return it.

    The matrix is (out, in · field), as in torch.nn.init, or its transpose: the shorter side is orthonormal.
    Gates that a recurrent kernel packs are one matrix here; `initialize_` fills each.
    """
    return _fill("orthogonal", tensor, options, {"gain": gain})


def delta_orthogonal_(
    tensor: torch.Tensor, gain: float = 1.0, *, center: str = "same", **options: Unpack[Options]
) -> torch.Tensor:
    """Fill a convolution's kernel in place with an orthogonal matrix at its centre, and return it.

    There must be at least as many outputs as inputs. `center` is that of `dirac_`.
    """
    return _fill("delta_orthogonal", tensor, options, {"gain": gain, "center": center})


def eye_(tensor: torch.Tensor, gain: float = 1.0, **options: Unpack[Options]) -> torch.Tensor:
    """Fill a matrix in place with the gain on its diagonal and zeros, and return it."""
    return _fill("identity", tensor, options, {"gain": gain})


def dirac_(
    tensor: torch.Tensor,
    groups: int = 1,
    *,
    gain: float = 1.0,
    center: str = "same",
    **options: Unpack[Options],
) -> torch.Tensor:
    """Fill a convolution's kernel in place so that it repeats its input channels, and return it.

    `center="same"` is the tap (k - 1) // 2 of k, the middle of padding="same" for even k, too; "torch" is
    k // 2, that of torch.nn.init. They differ only for even k.
    """
    return _fill("dirac", tensor, options, {"groups": groups, "gain": gain, "center": center})


def sparse_(
    tensor: torch.Tensor,
    sparsity: float,
    std: float = 0.01,
    *,
    sparsity_axis: str = "I",
    **options: Unpack[Options],
) -> torch.Tensor:
    """Fill a kernel in place with ceil(sparsity · n) zeros in each unit and a normal, and return it.

    A unit is all n inputs of an output, as in Martens (2010). With `sparsity_axis="O"` it is all outputs of
    an input, as in torch.nn.init.
    """
    layer: LayerFields = {"stddev": std, "sparsity": sparsity, "sparsity_axis": sparsity_axis}
    return _fill("sparse", tensor, options, layer)


def normal_(
    tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, **options: Unpack[Options]
) -> torch.Tensor:
    """Fill a tensor in place with a normal of mean and σ, and return it."""
    return _fill("normal", tensor, options, {"mean": mean, "stddev": std})


def trunc_normal_(
    tensor: torch.Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    **options: Unpack[Options],
) -> torch.Tensor:
    """Fill a tensor in place with a normal of mean and `std`, truncated at the values a and b; return it.

    As in torch.nn.init, a and b are values, not multiples of `std`, which is σ before the truncation.
    """
    layer: LayerFields = {"mean": mean, "parent_stddev": std, "low": a, "high": b}
    return _fill("truncated_normal", tensor, options, layer)


def uniform_(
    tensor: torch.Tensor, a: float = 0.0, b: float = 1.0, **options: Unpack[Options]
) -> torch.Tensor:
    """Fill a tensor in place with a uniform distribution on [a, b), and return it."""
    return _fill("uniform", tensor, options, {"low": a, "high": b})


def constant_(tensor: torch.Tensor, val: float, **options: Unpack[Options]) -> torch.Tensor:
    """Fill a tensor in place with one value, and return it."""
    return _fill("constant", tensor, options, {"constant": val})


def zeros_(tensor: torch.Tensor, **options: Unpack[Options]) -> torch.Tensor:
    """Fill a tensor in place with zeros, and return it."""
    return _fill("zeros", tensor, options, {})


def ones_(tensor: torch.Tensor, **options: Unpack[Options]) -> torch.Tensor:
    """Fill a tensor in place with ones, and return it."""
    return _fill("ones", tensor, options, {})


def _fill(name: str, tensor: torch.Tensor, options: Options, layer: LayerFields) -> torch.Tensor:
    """Fill a tensor with the values of a row of VALUES, given its other fields."""
    fields: Any = {**VALUES[name].layer, **layer, **options}
    return init_(tensor, **fields)
