"""What the drills download: tensors and published models, and their SHA-256 from an undisturbed service."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

MIB = 2**20
TENSORS: tuple[Mapping[str, Any], ...] = (
    {"shape": (512, 512), "seed": 1, "name": "a"},  # 1 MiB
    {"shape": (2048, 1024), "seed": 2, "name": "b", "scheme": "lecun", "distribution": "normal"},
    {"shape": (3000, 3500), "seed": 3, "name": "c", "activation": "relu"},
    {"shape": (8192, 6000), "seed": 4, "name": "d", "dtype": "bfloat16"},
    {"shape": (5000, 5000), "seed": 5, "name": "e", "dtype": "float64"},  # 191 MiB
)
# Rows and columns of the tensors of each model.
MODELS = {
    "drill/small/1": ((300, 784), (10, 300)),
    "drill/middle/1": ((2048, 1024), (1024, 2048), (2000, 1024)),
    "drill/large/1": ((4096, 4096), (4096, 2048), (3000, 4000)),  # 141 MiB
}


@dataclass(frozen=True)
class Item:
    """A body at a path. It is the tensor of `spec`, or else the file of the model with a name.

    `header` has the bytes before those of a tensor (NEP 1), which the client does not request.
    """

    path: str
    size: int
    digest: str
    header: bytes
    spec: Mapping[str, Any] | None = None
    name: str = ""

    def is_right(self, content: bytes, header: bytes = b"") -> bool:
        """Return whether a header and bytes are those of the undisturbed service."""
        digest = hashlib.sha256(header)
        digest.update(content)
        return digest.hexdigest() == self.digest


def make_model(shapes: tuple[tuple[int, int], ...], seed: int) -> dict[str, Any]:
    """Make a model of drawn matrices and a constant."""
    drawn = [
        {"name": f"layer{number}.weight", "shape": shape, "layout": "torch"}
        for number, shape in enumerate(shapes)
    ]
    return {"seed": seed, "tensors": [*drawn, {"name": "bias", "shape": [1000], "constant": 0}]}


def publish_models(url: str) -> None:
    """Publish the models and their names."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for seed, (name, shapes) in enumerate(MODELS.items()):
            published = client.post("/v1/models", json=make_model(shapes, seed)).raise_for_status()
            body = {"model": published.json()["id"], "author": "ada"}
            client.put(f"/v1/names/{name}", json=body).raise_for_status()


def make_path(spec: Mapping[str, Any]) -> str:
    """Return the path and query of a tensor."""
    fields = {**spec, "shape": ",".join(map(str, spec["shape"]))}
    return f"/v1/weights?{urlencode(fields)}"


def list_items(url: str, longest: int = 2**63) -> list[Item]:
    """Download each tensor and model from an undisturbed service that has the models, up to a size."""
    with httpx.Client(base_url=url, timeout=120, follow_redirects=True) as client:
        return [item for item in _download(client) if item.size <= longest]


def _download(client: httpx.Client) -> Iterator[Item]:
    for spec in TENSORS:
        path = make_path(spec)
        yield Item(path, *_measure(client, path), spec=spec)
    for name in MODELS:
        path = f"/v1/names/{name}/weights"
        yield Item(path, *_measure(client, path), name=name)


def _measure(client: httpx.Client, path: str) -> tuple[int, str, bytes]:
    content = client.get(path).raise_for_status().content
    header = 10 + int.from_bytes(content[8:10], "little") if content.startswith(b"\x93NUMPY") else 0
    return len(content), hashlib.sha256(content).hexdigest(), content[:header]
