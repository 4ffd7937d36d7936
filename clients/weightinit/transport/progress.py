"""Progress: a bar for long transfers."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from weightinit.errors import ConfigurationError
from weightinit.transport.transfer import Watch

# By default, a bar is shown from this many bytes and seconds on.
LONG = 64 * 2**20
DELAY = 1.0


@contextmanager
def show_progress(label: str, size: int | None, *, wanted: bool | None) -> Iterator[Watch | None]:
    """Show a bar on standard error while a transfer runs.

    If `wanted` is None, only for a long transfer, on a terminal, if tqdm is installed; it is cleared at
    the end. Raises ConfigurationError if a bar is wanted and tqdm is not installed.
    """
    if wanted is False or (wanted is None and not _is_worthwhile(size)):
        yield None
        return
    try:
        from tqdm import tqdm  # noqa: PLC0415 - optional
    except ImportError:
        if wanted:
            raise ConfigurationError(
                "a progress bar needs tqdm: pip install 'weightinit[progress]'"
            ) from None
        yield None
        return
    with tqdm(
        total=size,
        desc=label,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        delay=0.0 if wanted else DELAY,
        leave=bool(wanted),
    ) as bar:

        def watch(received: int, total: int) -> None:
            # After a restart there are fewer bytes than before.
            bar.total = total
            bar.update(received - bar.n)

        yield watch


def _is_worthwhile(size: int | None) -> bool:
    return (size is None or size >= LONG) and sys.stderr is not None and sys.stderr.isatty()
