"""What the workers of the mixed load do: each operation returns whether its response was right."""

import base64
import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from weightinit import Client, Model

from tests.drills.items import Item, make_model

ATTEMPTS = 20  # of raw requests; the client tries again by itself


@dataclass
class Answers:
    """What an undisturbed service answers: items, the parameters of their specs, and slices of a tensor."""

    items: list[Item]
    parameters: dict[str, dict[str, Any]]
    rows: np.ndarray

    @property
    def tensors(self) -> list[Item]:
        """The items that are tensors."""
        return [item for item in self.items if item.spec is not None]

    @property
    def models(self) -> list[Item]:
        """The items that are models."""
        return [item for item in self.items if item.name]


@dataclass
class Worker:
    """A worker with its own client and connections. `published` has each name that was acknowledged."""

    number: int
    client: Client
    http: httpx.Client
    answers: Answers
    numbers: random.Random = field(init=False)
    published: dict[str, str] = field(default_factory=dict)
    retries: int = 0

    def __post_init__(self) -> None:
        self.numbers = random.Random(self.number)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send a request without the client, until there is a whole response."""
        for attempt in range(ATTEMPTS):
            try:
                return self.http.request(method, path, **arguments).raise_for_status()
            except httpx.TransportError:
                self.retries += 1
                time.sleep(0.05 * attempt)
        raise TimeoutError(f"no response in {ATTEMPTS} attempts: {method} {path}")


def resolve(worker: Worker) -> bool:
    """Request the parameters of a spec."""
    item = worker.numbers.choice(worker.answers.tensors)
    path = item.path.replace("/v1/weights", "/v1/parameters")
    return worker.request("GET", path).json() == worker.answers.parameters[item.path]


def draw_small(worker: Worker) -> bool:
    """Request the smallest tensor, by the client."""
    item = worker.answers.tensors[0]
    assert item.spec is not None
    return item.is_right(worker.client.raw(**item.spec), item.header)


def draw_large(worker: Worker) -> bool:
    """Request any tensor, by the client."""
    item = worker.numbers.choice(worker.answers.tensors)
    assert item.spec is not None
    return item.is_right(worker.client.raw(**item.spec), item.header)


def download(worker: Worker) -> bool:
    """Request a tensor or the file of a model, without the client."""
    item = worker.numbers.choice(worker.answers.items)
    return item.is_right(worker.request("GET", item.path, follow_redirects=True).content)


def draw_rows(worker: Worker) -> bool:
    """Request some rows of a tensor, by the client."""
    item, rows = worker.answers.tensors[0], worker.answers.rows
    assert item.spec is not None
    start = worker.numbers.randrange(len(rows))
    end = worker.numbers.randrange(start, len(rows)) + 1
    return np.array_equal(worker.client.weights(**item.spec, slice=f"{start}:{end}"), rows[start:end])


def draw_range(worker: Worker) -> bool:
    """Request some bytes of a tensor."""
    item, content = worker.answers.tensors[0], worker.answers.rows.tobytes()
    start = worker.numbers.randrange(item.size - 1)
    end = worker.numbers.randrange(start, item.size)
    response = worker.request("GET", item.path, headers={"Range": f"bytes={start}-{end}"})
    return response.status_code == 206 and response.content == (item.header + content)[start : end + 1]


def publish(worker: Worker) -> bool:
    """Publish a new model under a new name, by the client."""
    name = f"drill/net{worker.number}/{len(worker.published)}"
    model = Model.from_json(make_model(((5, 3),), worker.numbers.randrange(2**53)))
    publication = worker.client.publish(model, name=name, author="ada")
    worker.published[name] = publication.id
    published = worker.client.model(publication.id)  # the client compares its SHA-256 with the id
    return (published.seed, published.nbytes) == (model.seed, model.nbytes)


def read_name(worker: Worker) -> bool:
    """Resolve a name that this worker has published."""
    if not worker.published:
        return publish(worker)
    name = worker.numbers.choice(list(worker.published))
    return worker.client.resolve(name).model == worker.published[name]


def measure(worker: Worker) -> bool:
    """Request the head of a tensor or model."""
    item = worker.numbers.choice(worker.answers.items)
    response = worker.request("HEAD", item.path, follow_redirects=True)
    return int(response.headers["Content-Length"]) == item.size and not response.content


def digest(worker: Worker) -> bool:
    """Request the SHA-256 of a tensor or model."""
    item = worker.numbers.choice(worker.answers.items)
    wanted = {"Want-Repr-Digest": "sha-256=10"}
    response = worker.request("HEAD", item.path, headers=wanted, follow_redirects=True)
    value = base64.b64encode(bytes.fromhex(item.digest)).decode()
    return response.headers["Repr-Digest"] == f"sha-256=:{value}:"


# How often each operation is chosen.
OPERATIONS: dict[Callable[[Worker], bool], int] = {
    resolve: 10,
    draw_small: 10,
    draw_large: 2,
    download: 2,
    draw_rows: 10,
    draw_range: 10,
    publish: 3,
    read_name: 10,
    measure: 10,
    digest: 3,
}


def ask_undisturbed(url: str, items: list[Item]) -> Answers:
    """Collect the answers of an undisturbed service."""
    answers = Answers(items, {}, np.empty(0))
    with httpx.Client(base_url=url, timeout=60) as client:
        for item in answers.tensors:
            path = item.path.replace("/v1/weights", "/v1/parameters")
            answers.parameters[item.path] = client.get(path).raise_for_status().json()
        first = answers.tensors[0]
        assert first.spec is not None
        content = client.get(first.path).content
        assert hashlib.sha256(content).hexdigest() == first.digest
        answers.rows = np.frombuffer(content[len(first.header) :], "<f4").reshape(first.spec["shape"])
    return answers
