"""The weights that the service should send, computed without it."""

import ml_dtypes
import numpy as np

from service.core import LayerSpec, resolve_parameters
from service.stream import Tensor

DTYPES = {"float32": "<f4", "float64": "<f8", "float16": "<f2", "bfloat16": ml_dtypes.bfloat16}


def draw(*shape, **said):
    """Return a tensor, with seed 42 by default."""
    spec = LayerSpec.parse({"shape": list(shape), "seed": 42, **said})
    return np.frombuffer(Tensor.of(spec, resolve_parameters(spec)).read(), DTYPES[spec.dtype]).reshape(shape)


class CountingClient:
    """A client that records requests: `asked` has (shape, slice) of each for weights, `names` its name.

    `queried` has the shape of each request for parameters.
    """

    def __init__(self, client):
        self.client = client
        self.asked = []
        self.names = []
        self.queried = []

    def weights(self, spec, **options):
        self.asked.append((spec.shape, options.get("slice")))
        self.names.append(options.get("name", spec.name))
        return self.client.weights(spec, **options)

    def parameters(self, spec):
        self.queried.append(spec.shape)
        return self.client.parameters(spec)

    def __getattr__(self, verb):
        return getattr(self.client, verb)
