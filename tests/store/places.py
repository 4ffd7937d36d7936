"""Databases for stores, and functions that fill them."""

import hashlib
import json
from dataclasses import dataclass

from service.core.models.names import ModelName
from service.settings import Settings
from service.store import Store


@dataclass(frozen=True)
class Place:
    """An empty database; `environment` has the settings by which a process finds it."""

    kind: str
    environment: dict[str, str]

    def open(self) -> Store:
        """Open a store in the database, as a new process does."""
        return Store.of(Settings(**{key.removeprefix("WEIGHTINIT_").lower(): value
                                    for key, value in self.environment.items()}))  # fmt: skip


def make_model(text: object) -> tuple[str, bytes]:
    """Return the id and the canonical form of a model."""
    canonical = json.dumps({"model": text}).encode()
    return hashlib.sha256(canonical).hexdigest(), canonical


def put_model(store: Store, text: object = "a") -> str:
    """Publish a model, and return its id."""
    identity, canonical = make_model(text)
    store.put_model(identity, canonical)
    return identity


def make_name(text: str) -> ModelName:
    """Parse a name."""
    return ModelName.parse(text)
