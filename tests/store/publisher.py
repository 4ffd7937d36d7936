"""A process that publishes, one of several at once.

It prints `ready`, then reads names from its input and points each to a model of its own; for each it prints
`new`, `taken` with the model that has it, or the error.
"""

import os
import sys

from service.settings import Settings
from service.store import NameTakenError, Store, StoreUnavailableError
from tests.store.places import make_model, make_name


def publish(store: Store, name: str, model: str) -> str:
    """Publish a name, and return the line to print."""
    try:
        store.put_model(*make_model(os.getpid()))
        store.put_name(make_name(name), model, f"process {os.getpid()}", "")
    except NameTakenError as error:
        return f"taken {error.entry.model}"
    except StoreUnavailableError as error:
        return f"failed {error}"
    return f"new {model}"


def main() -> None:
    """Publish the names in the input."""
    store, (model, _) = Store.of(Settings()), make_model(os.getpid())
    print("ready", flush=True)
    for line in sys.stdin:
        print(publish(store, line.strip(), model), flush=True)
    store.close()


if __name__ == "__main__":
    main()
