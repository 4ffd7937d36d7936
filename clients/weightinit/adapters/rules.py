"""Patterns: what is said of tensors by their names, for the adapters that walk a model.

```
WeightinitError
├── ModelRejected    a model says too little, or rules do not fit it   (also ValueError)
└── TensorRejected   a tensor cannot be filled                         (also ValueError)
```
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TypeVar, cast

from weightinit.errors import WeightinitError
from weightinit.spec.layer import LayerFields

T = TypeVar("T")

# What is known of the tensors that a glob matches (`*` matches separators too); None leaves them alone.
Rules = Mapping[str, LayerFields | None]

# The fields that say nothing of the spread but what follows from the shape and from what comes next.
AXES = frozenset(["layout", "groups", "activation"])


class ModelRejected(WeightinitError, ValueError):  # noqa: N818 - it says what went wrong, as all do here
    """A model whose tensors cannot be told apart or have no memory yet, or rules that do not fit it."""


class TensorRejected(WeightinitError, ValueError):  # noqa: N818
    """A tensor that cannot be filled: its device, dtype, layout or placement does not allow it."""


class UnknownActivationWarning(UserWarning):
    """It could not be seen which activations follow some layers: they start as if none did."""


def check_patterns(patterns: Iterable[str], names: Iterable[str]) -> None:
    """Check that each pattern matches a name: one that matches none is a slip. Raises ModelRejected.

    >>> check_patterns(["hidden*/kernel"], ["hidden1/kernel", "hidden2/kernel"])
    """
    known = list(names)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            near = get_close_matches(pattern, known, n=3, cutoff=0.5)
            advice = f". Did you mean {' or '.join(near)}?" if near else ""
            raise ModelRejected(f"rules[{pattern!r}] matches none of the {len(known)} tensors{advice}")


def find_value(rules: Mapping[str, T], name: str, default: T) -> T:
    """Find what the first matching pattern says of a tensor, or the default where none matches.

    >>> find_value({"*/kernel": 1, "*": 2}, "out/kernel", 0), find_value({}, "out/kernel", 0)
    (1, 0)
    """
    return next((said for pattern, said in rules.items() if fnmatchcase(name, pattern)), default)


def find_rule(rules: Rules, name: str, default: LayerFields | None) -> LayerFields | None:
    """Find what the first matching pattern says of a tensor, added to what is known of it by default.

    Whoever says the scheme chooses the spread: the default then says only which axis is which. What is no
    kernel by default becomes one by its layout.

    >>> find_rule({"*/query/*": {"layout": "IOO"}}, "attention/query/kernel", {"activation": "relu"})
    {'activation': 'relu', 'layout': 'IOO'}
    >>> find_rule({"*": None}, "out/kernel", {}), find_rule({"*": {"scheme": "he"}}, "out/bias", None)
    (None, None)
    """
    said = find_value(rules, name, LayerFields())
    if said is None or (default is None and "layout" not in said):
        return None
    known = {**(default or {})}
    if "scheme" in said:
        known = {field: value for field, value in known.items() if field in AXES}
    return cast("LayerFields", {**known, **said})
