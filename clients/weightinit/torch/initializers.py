"""Fill one tensor in place with weights for the activation that follows."""

import warnings
from typing import Unpack

import torch

from weightinit import Client, Spec, default_client
from weightinit.spec.fields import LayerFields
from weightinit.torch.fill import check_tensor, draw_, name_dtype


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
