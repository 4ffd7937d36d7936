"""The store: published models, the names that stand for them, and tokens, in SQLite or PostgreSQL."""

from service.core.models.names import NameEntry, Retirement
from service.store.errors import (
    InvalidTokenError,
    NameTakenError,
    QuotaError,
    StoreFullError,
    StoreUnavailableError,
    TooManyTokensError,
    UnknownModelError,
)
from service.store.store import Store

__all__ = [
    "InvalidTokenError",
    "NameEntry",
    "NameTakenError",
    "QuotaError",
    "Retirement",
    "Store",
    "StoreFullError",
    "StoreUnavailableError",
    "TooManyTokensError",
    "UnknownModelError",
]
