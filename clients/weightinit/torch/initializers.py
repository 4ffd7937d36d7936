"""Initializers that fill one tensor in place, like the functions of torch.nn.init."""

import warnings
from typing import Protocol, TypedDict, Unpack

import torch

from weightinit import Client, Spec, default_client
from weightinit.adapters.initializers import NAMED, read_distribution
from weightinit.spec.fields import LayerFields
from weightinit.torch.fill import check_tensor, draw_, name_dtype


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


def init_(
    tensor: torch.Tensor,
    *,
    seed: int | str,
    name: str,
    client: Client | None = None,
    **layer: Unpack[LayerFields],
) -> torch.Tensor:
    """Fill a tensor in place with weights for the activation that follows, and return it.

    The keywords are those of the client: activation, scheme, groups and so on. `layout` defaults to "torch":
    (out, in, *spatial). Tensors of one seed and name get the same draws. Each rank fetches its own shards of
    a DTensor. A tensor without elements stays as it is, with a warning. Raises TensorRejected and the
    client's errors; after one of these the contents are undefined.
    """
    check_tensor(tensor, name)
    if not tensor.numel():
        # The words of torch.nn.init, for those who filter its warning.
        warnings.warn(f"Initializing zero-element tensors is a no-op: {name!r}", stacklevel=2)
        return tensor
    layer.setdefault("layout", "torch")
    spec = Spec.of(tuple(tensor.shape), dtype=name_dtype(tensor), seed=seed, name=name, **layer)
    draw_(tensor, spec, client or default_client())
    return tensor


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
