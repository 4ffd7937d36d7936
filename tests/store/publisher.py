"""A process that publishes, one of several at once.

It says `ready`, then takes lines from its input, each a name, and has it stand for a model of this process's
own; for each it prints `new`, or `taken` and by which model, or what went wrong.
"""

import os
import sys

from service.settings import Settings
from service.store import NameTakenError, Store, StoreUnavailableError
from tests.store.places import make_model, make_name


def publish(store: Store, name: str, model: str) -> str:
    """Publish a name, and say what came of it."""
    try:
        store.put_model(*make_model(os.getpid()))
        store.put_name(make_name(name), model, f"process {os.getpid()}", "")
    except NameTakenError as error:
        return f"taken {error.entry.model}"
    except StoreUnavailableError as error:
        return f"failed {error}"
    return f"new {model}"


def main() -> None:
    """Publish what the input says."""
    store, (model, _) = Store.of(Settings()), make_model(os.getpid())
    print("ready", flush=True)
    for line in sys.stdin:
        print(publish(store, line.strip(), model), flush=True)
    store.close()


if __name__ == "__main__":
    main()
