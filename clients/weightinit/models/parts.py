"""Parts: rows of a tensor that are drawn, or of one value everywhere."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, SupportsFloat

from weightinit.boxes import Box
from weightinit.models.reading import read_object, read_text
from weightinit.spec import LayerFields, Shape, Spec, read_shape, refuse, to_plain

LAYER = tuple(LayerFields.__annotations__)
PART_FIELDS = ("name", "shape", *LAYER, "slice")
CONSTANT = ("name", "shape", "constant")


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a tensor: what they are drawn as, or their one value. `Part.of` and `Part.constant` make them.

    `shape` is what the part contributes, rows first. `spec` is the whole of what is drawn, and `rows` are
    those of it that are taken, half-open, None for all. Raises SpecRejected where there is neither spec nor
    value, or both.
    """

    shape: tuple[int, ...]
    spec: Spec | None = None
    value: float | None = None
    # Python 3.11 cannot hash a slice.
    rows: slice | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if (self.spec is None) == (self.value is None):
            received = "neither" if self.spec is None else "both"
            raise refuse("part", "must have either a spec or a value", received)

    @classmethod
    def of(cls, spec: Spec, rows: str | slice | None = None) -> "Part":
        """Make a part that is drawn, of all its rows or of some of them. Raises SpecRejected.

        >>> Part.of(Spec((100, 8), name="embedding"), "1:100").shape
        (99, 8)
        """
        box = Box.of(rows, spec.shape)
        if box.shape[1:] != spec.shape[1:] or not box.shape[0]:
            raise refuse("slice", f"must be some rows, start:stop within 0:{spec.shape[0]}", rows)
        if not box.text:
            return cls(box.shape, spec)
        start, _, stop = box.text.partition(":")
        return cls(box.shape, spec, rows=slice(int(start), int(stop)))

    @classmethod
    def constant(cls, shape: Shape, value: float) -> "Part":
        """Make a part that has one value everywhere. Raises SpecRejected.

        >>> Part.constant(64, 1).value
        1.0
        """
        return cls(read_shape(shape), value=_read_value(value))

    @property
    def slice_text(self) -> str | None:
        """The rows as the service writes them, such as `1:100`; None for all of them."""
        return self.rows and f"{self.rows.start}:{self.rows.stop}"

    @classmethod
    def from_json(cls, entry: object, name: str, defaults: Mapping[str, object]) -> "Part":
        """Read a part of a tensor, given its name and the defaults, the dtype among them.

        Raises SpecRejected.
        """
        known = CONSTANT if isinstance(entry, Mapping) and "constant" in entry else PART_FIELDS
        said = read_object(entry, *known)
        if "shape" not in said:
            raise refuse("shape", "is required", None)
        shape = read_shape(said["shape"])
        if "constant" in said:
            return cls(shape, value=_read_value(said["constant"]))
        values: dict[str, Any] = {"name": name, **defaults, **said, "shape": shape}
        rows = values.pop("slice", None)
        read_text("name", values["name"])
        # What the other fields may be is the service's to say.
        return cls.of(Spec(**values), rows if rows is None else read_text("slice", rows))

    def to_json(self, name: str) -> dict[str, object]:
        """Write what differs from the defaults, for a tensor of a name. The dtype is the tensor's."""
        if self.spec is None:
            return {"shape": list(self.shape), "constant": self.value}
        written: dict[str, object] = {} if self.spec.name == name else {"name": self.spec.name}
        written |= {"shape": list(self.spec.shape)}
        for row in fields(Spec):
            value = getattr(self.spec, row.name)
            if row.name in LAYER and value != row.default:
                written[row.name] = to_plain(value)
        return written if self.rows is None else {**written, "slice": self.slice_text}


def _read_value(value: object) -> float:
    try:
        number = (
            float(value) if isinstance(value, SupportsFloat) and not isinstance(value, bool) else math.nan
        )
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise refuse("constant", "must be a finite number", value)
    return number + 0.0  # a zero has no sign
