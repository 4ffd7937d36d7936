"""Parts: what the tensors of a model are made of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import SupportsFloat

from weightinit.models.validation import read_flag, read_object, read_text
from weightinit.spec.fields import LayerFields, merge_defaults
from weightinit.spec.layer import (
    Shape,
    Spec,
    describe,
    read_any_shape,
    read_shape,
    refuse,
    to_plain,
)
from weightinit.spec.slices import TensorSlice

LAYER = tuple(LayerFields.__annotations__)
PART_FIELDS = ("name", "shape", *LAYER, "slice", "copy")
CONSTANT = ("name", "shape", "constant")
# Options of the rules that elements follow from; the service knows which rule has which.
OPTIONS = (
    "start",
    "step",
    "base",
    "divisor",
    "interleaved",
    "cosine_first",
    "grid",
    "line_first",
    "steps",
    "low",
    "high",
    "floor",
)
VALUES = ("name", "shape", "values", *OPTIONS)


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a tensor; created by `Part.of`, `Part.constant` and `Part.values`.

    `shape` is the part's own. A drawn part has the `spec` of the whole drawn tensor, and in `rows` the
    half-open range that is used along `axis`, None for all. A constant part has a `value`. The elements of
    others follow from their place by a `rule`: its name, and its options as pairs. A `copy` repeats the draws
    of another part on purpose, which the service refuses otherwise. Raises SpecRejected unless there is
    exactly one of spec, value and rule.
    """

    shape: tuple[int, ...]
    spec: Spec | None = None
    value: float | None = None
    # Python 3.11 cannot hash a slice.
    rows: slice | None = field(default=None, hash=False)
    copy: bool = False
    axis: int = 0
    rule: tuple[str, tuple[tuple[str, object], ...]] | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("spec", "value", "rule") if getattr(self, name) is not None]
        if len(given) != 1:
            raise refuse("part", "must have one of a spec, a value and a rule", given)

    @classmethod
    def of(cls, spec: Spec, rows: str | slice | None = None, *, copy: bool = False, axis: int = 0) -> "Part":
        """Return a part that is drawn, with all of its spec's tensor or a range along an axis.

        Raises SpecRejected.

        >>> Part.of(Spec((100, 8), name="embedding"), "1:100").shape
        (99, 8)
        """
        if isinstance(rows, slice):
            tensor_slice = TensorSlice.of((*(slice(None),) * axis, rows), spec.shape)
        else:
            tensor_slice = TensorSlice.of(rows, spec.shape)
        length = spec.shape[axis]
        if drop_axis(tensor_slice.shape, axis) != drop_axis(spec.shape, axis) or not tensor_slice.shape[axis]:
            place = "rows" if axis == 0 else f"axis {axis}"
            raise refuse("slice", f"must be a range of {place}, start:stop within 0:{length}", rows)
        if not tensor_slice.text:
            return cls(tensor_slice.shape, spec, copy=copy)
        start, _, stop = tensor_slice.text.split(",")[axis].partition(":")
        return cls(tensor_slice.shape, spec, rows=slice(int(start), int(stop)), copy=copy, axis=axis)

    @classmethod
    def values(cls, shape: Shape, rule: str, **options: object) -> "Part":
        """Return a part whose elements follow from their place; docs/shared-models.md has the rules.

        >>> Part.values((1, 512), "arange").rule
        ('arange', ())
        """
        pairs = [(name, tuple(v) if isinstance(v, list) else v) for name, v in sorted(options.items())]
        return cls(read_any_shape(shape), rule=(rule, tuple(pairs)))

    @classmethod
    def constant(cls, shape: Shape, value: float) -> "Part":
        """Return a part with one constant value. Raises SpecRejected.

        Its shape may be () for a scalar, or have axes of length 0.

        >>> Part.constant(64, 1).value, Part.constant((), 1).shape
        (1.0, ())
        """
        return cls(read_any_shape(shape), value=_read_value(value))

    def __repr__(self) -> str:
        """Return the call that creates it."""
        if self.rule:
            options = "".join(f", {name}={value!r}" for name, value in self.rule[1])
            return f"Part.values({self.shape}, {self.rule[0]!r}{options})"
        if self.spec is None:
            return f"Part.constant({self.shape}, {self.value!r})"
        rows = "" if self.rows is None else f", {self.slice_text!r}"
        axis = f", axis={self.axis}" if self.axis else ""
        return f"Part.of({self.spec!r}{rows}{', copy=True' if self.copy else ''}{axis})"

    @property
    def slice_text(self) -> str | None:
        """The rows as the service writes them, such as `1:100`; None for all."""
        return self.rows and ":," * self.axis + f"{self.rows.start}:{self.rows.stop}"

    def summarize(self, tensor: str) -> str:
        """Describe the values in a line; `tensor` is the tensor's name."""
        if self.rule:
            return ", ".join([self.rule[0], *(f"{name}={value}" for name, value in self.rule[1])])
        if self.spec is None:
            return f"constant {self.value:g}"
        given = self.to_json(tensor)
        return (
            ", ".join(f"{name}={describe(value)}" for name, value in given.items() if name != "shape")
            or "drawn"
        )

    @classmethod
    def from_json(cls, entry: object, name: str, defaults: Mapping[str, object], axis: int = 0) -> "Part":
        """Return the part of a JSON entry, given the tensor's name, and the defaults with its dtype.

        Raises SpecRejected.
        """
        kinds = {"values": VALUES, "constant": CONSTANT}
        found = [kind for kind in kinds if isinstance(entry, Mapping) and kind in entry]
        given = read_object(entry, *(kinds[found[0]] if found else PART_FIELDS))
        if "shape" not in given:
            raise refuse("shape", "is required", None)
        if "values" in given:
            options = {key: value for key, value in given.items() if key in OPTIONS}
            return cls.values(read_any_shape(given["shape"]), read_text("values", given["values"]), **options)
        if "constant" in given:
            return cls(read_any_shape(given["shape"]), value=_read_value(given["constant"]))
        shape = read_shape(given["shape"])
        values = {"name": name, **merge_defaults(defaults, given), "shape": shape}
        rows, copy = values.pop("slice", None), values.pop("copy", False)
        read_text("name", values["name"])
        # The service validates the other fields.
        rows = rows if rows is None else read_text("slice", rows)
        return cls.of(Spec(**values), rows, copy=read_flag("copy", copy), axis=axis)

    def to_json(self, name: str) -> dict[str, object]:
        """Return the JSON of the part of a tensor with this name, without defaults and the tensor's dtype."""
        if self.rule:
            name_of_rule, options = self.rule
            return {"shape": list(self.shape), "values": name_of_rule} | dict(options)
        if self.spec is None:
            return {"shape": list(self.shape), "constant": self.value}
        written: dict[str, object] = {} if self.spec.name == name else {"name": self.spec.name or ""}
        written |= {"shape": list(self.spec.shape)}
        for row in fields(Spec):
            value = getattr(self.spec, row.name)
            if row.name in LAYER and value != row.default:
                written[row.name] = to_plain(value)
        written |= {} if self.rows is None else {"slice": self.slice_text}
        return written | ({"copy": True} if self.copy else {})


def _read_value(value: object) -> float:
    try:
        number = (
            float(value) if isinstance(value, SupportsFloat) and not isinstance(value, bool) else math.nan
        )
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise refuse("constant", "must be a finite number", value)
    return number + 0.0  # -0.0 becomes 0.0


def drop_axis(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Return a shape without one of its axes.

    >>> drop_axis((3, 4, 5), 1)
    (3, 5)
    """
    return shape[:axis] + shape[axis + 1 :]
