"""Places: databases to put a store in, and what tests put there."""

import hashlib
import json
from dataclasses import dataclass

from service.core.models.names import ModelName
from service.settings import Settings
from service.store import Store


@dataclass(frozen=True)
class Place:
    """A database of its own, empty at first; `environment` tells a process where it is."""

    kind: str
    environment: dict[str, str]

    def open(self) -> Store:
        """Open a store there, as a process would that has just started."""
        return Store.of(Settings(**{key.removeprefix("WEIGHTINIT_").lower(): value
                                    for key, value in self.environment.items()}))  # fmt: skip


def make_model(text: object) -> tuple[str, bytes]:
    """Make the canonical form of something, and its id."""
    canonical = json.dumps({"model": text}).encode()
    return hashlib.sha256(canonical).hexdigest(), canonical


def put_model(store: Store, text: object = "a") -> str:
    """Publish a model, and return its id."""
    identity, canonical = make_model(text)
    store.put_model(identity, canonical)
    return identity


def make_name(text: str) -> ModelName:
    """Make a name of its text."""
    return ModelName.parse(text)
