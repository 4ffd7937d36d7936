"""Names: fold spellings for lookup, and find the nearest known names for a wrong one."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from heapq import nlargest

# difflib takes quadratic time. Of longer names only the ends are compared, where tensor names differ.
MAX_COMPARED_LENGTH = 40
MAX_COMPARED = 64  # known names compared fully: all of any table, or the likeliest tensors of a model


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
    spellings = {fold_name(spelling[-MAX_COMPARED_LENGTH:]): spelling for spelling in known}
    folded = fold_name(name[-MAX_COMPARED_LENGTH:])
    likely = _choose_likely(folded, spellings) if len(spellings) > MAX_COMPARED else spellings
    return tuple(spellings[near] for near in get_close_matches(folded, likely, n=count, cutoff=0.55))


def _choose_likely(name: str, known: Iterable[str]) -> list[str]:
    """Return the MAX_COMPARED names that share the most characters with a name, in any order."""
    matcher = SequenceMatcher(b=name)

    def bound_ratio(candidate: str) -> float:
        matcher.set_seq1(candidate)
        return matcher.quick_ratio()

    return nlargest(MAX_COMPARED, known, key=bound_ratio)
