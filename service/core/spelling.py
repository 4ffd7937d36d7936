"""Names: fold spellings for lookup, and find the nearest known names for a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches

# difflib takes quadratic time, and a longer name is not a misspelling.
MAX_COMPARED_LENGTH = 40


def fold_name(name: str) -> str:
    """Fold a name so that case, underscores and hyphens do not matter.

    >>> fold_name("LeakyReLU") == fold_name("leaky_relu") == fold_name("leaky-relu_")
    True
    """
    return name.lower().replace("_", "").replace("-", "")


def find_nearest_names(name: object, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Find the known names nearest to a wrong one, best first.

    >>> find_nearest_names("Leakyrelo", ["relu", "leaky_relu", "tanh"])
    ('leaky_relu',)
    """
    if not isinstance(name, str):
        return ()
    spellings = {fold_name(spelling): spelling for spelling in known}
    folded = fold_name(name[:MAX_COMPARED_LENGTH])
    return tuple(spellings[near] for near in get_close_matches(folded, spellings, n=count, cutoff=0.55))
