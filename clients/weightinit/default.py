"""The default client: one per process, configured by the environment on first use."""

import atexit
from functools import cache
from typing import TYPE_CHECKING, Unpack

from weightinit.client import Client
from weightinit.spec.fields import SpecFields
from weightinit.spec.layer import Shape, Spec
from weightinit.spec.parameters import Parameters
from weightinit.spec.slices import Slices

if TYPE_CHECKING:
    from weightinit.arrays import Array, Destination


@cache
def default_client() -> Client:
    """Return the client that the functions of this module use. Raises ConfigurationError."""
    client = Client()
    atexit.register(client.close)
    return client


def parameters(shape: Spec | Shape, **spec: Unpack[SpecFields]) -> Parameters:
    """Return the parameters of a layer with the default client; see Client.parameters."""
    return default_client().parameters(shape, **spec)


def weights(
    shape: Spec | Shape,
    *,
    slice: Slices | None = None,  # noqa: A002 - as the service calls it
    out: "Destination | None" = None,
    **spec: Unpack[SpecFields],
) -> "Array":
    """Fetch a tensor with the default client; see Client.weights."""
    return default_client().weights(shape, slice=slice, out=out, **spec)
