"""The arrays and files that the service should send, computed without HTTP."""

from io import BytesIO

import ml_dtypes
import numpy as np

from service.core import LayerSpec, resolve_parameters
from service.stream import Tensor

RAW = {"Accept": "application/octet-stream"}
LAYER = {"shape": [784, 300], "activation": "relu", "seed": 42, "name": "hidden1/kernel"}
QUERY = "shape=784,300&activation=relu&seed=42&name=hidden1/kernel"
URL = f"/v1/weights?{QUERY}"
SMALL = "/v1/weights?shape=5,7&seed=1"

KINDS = {"float32": "<f4", "float64": "<f8", "float16": "<f2", "bfloat16": ml_dtypes.bfloat16}


def draw(**values):
    """Return the whole tensor of a spec."""
    spec = LayerSpec.parse(values)
    data = Tensor.of(spec, resolve_parameters(spec)).read()
    return np.frombuffer(data, KINDS[spec.dtype]).reshape(spec.shape)


def save(array):
    """Return an array in the format of numpy.save."""
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def load(response):
    """Return the array in a response."""
    return np.load(BytesIO(response.content))
