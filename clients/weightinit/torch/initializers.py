"""Initializers: one tensor at a time, with the names of torch.nn.init's functions beside."""

from typing import Protocol, Unpack

import torch

from weightinit import Client, Spec, default_client
from weightinit.spec.layer import LayerFields
from weightinit.torch.fill import check_tensor, draw_, name_dtype


class Initializer(Protocol):
    """A function that fills a tensor in place and returns it."""

    __name__: str

    def __call__(
        self,
        tensor: torch.Tensor,
        *,
        seed: int,
        name: str = "",
        client: Client | None = None,
        **layer: Unpack[LayerFields],
    ) -> torch.Tensor:
        """Fill the tensor."""


def init_(
    tensor: torch.Tensor,
    *,
    seed: int,
    name: str = "",
    client: Client | None = None,
    **layer: Unpack[LayerFields],
) -> torch.Tensor:
    """Fill a tensor in place with weights that suit the activation that follows, and return it.

    The keywords are those of the client: activation, scheme, groups and so on, and layout, "torch" by
    default: (out, in, *field). Of a DTensor each rank fetches its own shards. Raises TensorRejected and the
    client's errors, after which the contents are not defined.
    """
    check_tensor(tensor, name)
    layer.setdefault("layout", "torch")
    spec = Spec.of(tuple(tensor.shape), dtype=name_dtype(tensor), seed=seed, name=name, **layer)
    draw_(tensor, spec, client or default_client())
    return tensor


def name_scheme(scheme: str) -> Initializer:
    """Make the initializer of a scheme, called as in torch.nn.init.

    >>> name_scheme("he_normal").__name__
    'he_normal_'
    """

    def initialize(
        tensor: torch.Tensor,
        *,
        seed: int,
        name: str = "",
        client: Client | None = None,
        **layer: Unpack[LayerFields],
    ) -> torch.Tensor:
        layer["scheme"] = scheme
        return init_(tensor, seed=seed, name=name, client=client, **layer)

    initialize.__name__ = initialize.__qualname__ = f"{scheme}_"
    initialize.__doc__ = f"Fill a tensor in place by scheme {scheme}: `init_` with that scheme."
    return initialize


glorot_normal_ = xavier_normal_ = name_scheme("glorot_normal")
glorot_uniform_ = xavier_uniform_ = name_scheme("glorot_uniform")
he_normal_ = kaiming_normal_ = name_scheme("he_normal")
he_uniform_ = kaiming_uniform_ = name_scheme("he_uniform")
lecun_normal_ = name_scheme("lecun_normal")
lecun_uniform_ = name_scheme("lecun_uniform")
variance_scaling_ = name_scheme("variance_scaling")
