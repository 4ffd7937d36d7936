"""The model: a seed and named tensors, which can be published."""

import operator
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import SupportsIndex

from weightinit.display import MAX_HTML_ROWS, format_shape, make_html_table
from weightinit.models.tensors import COMMON, TensorSpec
from weightinit.models.validation import locate, name_tensor, read_list, read_object
from weightinit.spec.layer import refuse

FIELDS = ("seed", "stream", "defaults", "tensors")
MAX_SEED = 2**64 - 1
DECIMAL = re.compile(r"[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True)
class Model:
    """A seed, tensors with unique names, and the version of the stream.

    The parts' specs get the model's seed, so `dataclasses.replace(model, seed=43)` is the same model with
    other weights. Raises SpecRejected.
    """

    seed: int
    tensors: tuple[TensorSpec, ...]
    stream: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", _read_integer("seed", self.seed, MAX_SEED))
        object.__setattr__(self, "tensors", tuple(tensor.reseed(self.seed) for tensor in self.tensors))
        twice = [name for name, count in Counter(tensor.name for tensor in self.tensors).items() if count > 1]
        if twice:
            raise refuse(f"{name_tensor(twice[0])}.name", "must be given once", twice[0])

    def __repr__(self) -> str:
        stream = "" if self.stream == 1 else f" stream={self.stream}"
        counts = f"{len(self.tensors)} tensors, {self.elements:,} elements, {self.nbytes:,} bytes"
        return f"<Model seed={self.seed}{stream}: {counts}>"

    def _repr_html_(self) -> str:
        """Return the tensors as a table, for notebooks."""
        shown = self.tensors[:MAX_HTML_ROWS]
        rows = [
            (tensor.name, format_shape(tensor.shape), tensor.dtype, tensor.summarize()) for tensor in shown
        ]
        table = make_html_table(("name", "shape", "dtype", "values"), rows, len(self.tensors))
        return f"<p>{escape(repr(self))}</p>{table}"

    @cached_property
    def by_name(self) -> Mapping[str, TensorSpec]:
        """The tensors by name."""
        return {tensor.name: tensor for tensor in self.tensors}

    @property
    def elements(self) -> int:
        """The total number of elements."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def nbytes(self) -> int:
        """The total number of bytes."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @classmethod
    def from_json(cls, answer: Mapping[str, object]) -> "Model":
        """Return the model of a request's JSON, or of the canonical form. Raises SpecRejected.

        >>> model = Model.from_json({"seed": "42", "tensors": [{"name": "fc", "shape": [784, 300]}]})
        >>> model.by_name["fc"].parts[0].spec.seed
        42
        """
        given = read_object(answer, *FIELDS)
        seed = _read_integer("seed", given.get("seed"), MAX_SEED)
        stream = _read_integer("stream", given.get("stream", 1), MAX_SEED)
        with locate("defaults"):
            defaults = {**read_object(given.get("defaults", {}), *COMMON), "seed": seed}
        tensors = []
        for number, entry in enumerate(read_list("tensors", given.get("tensors"))):
            if not isinstance(entry, Mapping) or "name" not in entry:
                raise refuse(f"tensors[{number}]", "must be an object with a name", entry)
            tensors.append(TensorSpec.from_json(entry, defaults))
        return cls(seed, tuple(tensors), stream)

    def to_json(self) -> dict[str, object]:
        """Return the JSON to publish, without fields that equal their defaults."""
        stream = {} if self.stream == 1 else {"stream": self.stream}
        tensors = [tensor.to_json() for tensor in self.tensors]
        # As text, because many JSON parsers are inexact from 2⁵³ on.
        return {"seed": str(self.seed), **stream, "tensors": tensors}


def _read_integer(field: str, value: object, largest: int) -> int:
    """Return a natural number, given as an integer or decimal text. Raises SpecRejected."""
    number = -1
    if isinstance(value, str) and DECIMAL.fullmatch(value):
        number = int(value)
    elif isinstance(value, SupportsIndex) and not isinstance(value, bool):
        number = operator.index(value)
    if not 0 <= number <= largest:
        raise refuse(field, f"must be an integer from 0 to {largest}", value)
    return number
