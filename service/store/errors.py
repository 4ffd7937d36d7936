"""Errors of the store."""

from service.store.entries import NameEntry


class NameTakenError(Exception):
    """A name stands for another model, or is retired; `entry` is what there is."""

    def __init__(self, entry: NameEntry) -> None:
        self.entry = entry
        super().__init__(entry)

    def __str__(self) -> str:
        name, model = self.entry.name, self.entry.model
        return f"{name} is retired" if self.entry.retired else f"{name} stands for the model {model}"


class UnknownModelError(Exception):
    """No model has the id."""

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(model)

    def __str__(self) -> str:
        return f"no model has the id {self.model}"


class StoreUnavailableError(Exception):
    """The store cannot answer now. The message is safe to send: no password, no host, no statement."""
