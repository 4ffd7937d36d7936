"""Expansion: a model whose recipe a service wrote out, and what decided each tensor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weightinit.models.model import Model

Expand = Callable[[Mapping[str, object]], "ExpandedModel"]


@dataclass(frozen=True, slots=True)
class ExpandedTensor:
    """What decided how a tensor of a recipe is initialized.

    `pattern` is the regular expression that gave the role of a name; None if the file has the role. Without a
    rule, all but the name is None: the tensor says itself how it is initialized.
    """

    name: str
    role: str | None
    layer: int | None
    pattern: str | None
    formula: str | None
    source: str | None


@dataclass(frozen=True, slots=True)
class ExpandedModel:
    """A model that is not published: its id, its tensors, its recipe, and what decided each tensor.

    `recipe` has the name and the sizes, and is None for a model without a recipe.
    """

    id: str
    model: Model
    recipe: Mapping[str, object] | None
    tensors: tuple[ExpandedTensor, ...]

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> "ExpandedModel":
        """Read a response of `/v1/canonical`. Raises ValueError."""
        try:
            tensors = tuple(
                ExpandedTensor(**{name: row[name] for name in ExpandedTensor.__slots__})
                for row in answer["tensors"]
            )
            return cls(str(answer["id"]), Model.from_json(answer["model"]), answer["recipe"], tensors)
        except (KeyError, TypeError) as error:
            raise ValueError(f"it is not an expanded model: {error}") from error
