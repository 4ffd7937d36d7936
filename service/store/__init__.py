"""The store: published models and the names that stand for them, in SQLite or PostgreSQL."""

from service.core.models.names import NameEntry, Retirement
from service.store.errors import NameTakenError, StoreUnavailableError, UnknownModelError
from service.store.store import Store

__all__ = ["NameEntry", "NameTakenError", "Retirement", "Store", "StoreUnavailableError", "UnknownModelError"]
