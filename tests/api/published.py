"""Publish models, and read the responses that contain them."""

import json
from urllib.parse import quote

import numpy as np
import safetensors.numpy

from tests.api.drawing import RAW

TABLE = {
    "name": "table",
    "shape": [100, 7],
    "parts": [
        {"shape": [1, 7], "constant": 0},
        {"shape": [100, 7], "slice": "1:99", "fan_in": 1, "scheme": "lecun", "layout": "IO"},
        {"shape": [1, 7], "name": "table.last"},
    ],
}
PACKED = {
    "name": "attention/in_proj_weight",
    "shape": [48, 16],
    "dtype": "float64",
    "parts": [{"name": f"attention/in_proj_weight.{part}", "shape": [16, 16]} for part in "qkv"],
}
MODEL = {
    "seed": 42,
    "defaults": {"layout": "torch"},
    "tensors": [
        {"name": "conv.weight", "shape": [8, 3, 3, 3], "activation": "relu"},
        {"name": "conv.bias", "shape": [8], "constant": 0},
        {"name": "norm.weight", "shape": [5], "constant": 1.25, "dtype": "float16"},
        TABLE,
        PACKED,
        {"name": "große Ebene ⚖/kernel", "shape": [300, 401], "layout": "IO", "activation": "tanh"},
    ],
}


def publish(client, model=MODEL):
    """Publish a model, and return its URL."""
    response = client.post("/v1/models", json=model)
    assert response.status_code in {200, 201}, response.text
    return response.headers["Location"]


def read_file(client, url):
    """Read all tensors of a model, with the reference implementation of the format."""
    return safetensors.numpy.load(client.get(f"{url}/weights").content)


def read_tensor(client, url, name, shape, dtype="<f4", **params):
    """Read one tensor of a model."""
    path = f"{url}/weights/{quote(name, safe='')}"
    body = client.get(path, params=params, headers=RAW).raise_for_status().content
    return np.frombuffer(body, dtype).reshape(shape)


def read_header(content):
    """Read the header of a safetensors file as its documentation describes it."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), 8 + length
