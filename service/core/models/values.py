"""Values: parts whose elements follow from their place, as positions and Mamba's parameters do."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from service.core.dtypes import TENSOR_DTYPES, IntegerDtype, TensorDtypeName
from service.core.errors import make_spec_error

Shape = tuple[int, ...]
ValuesName = Literal["arange", "log_arange", "sinusoidal", "softplus_inverse_log_uniform"]
#: Positions of a sinusoidal tensor, for which sines and cosines are precise, and channels.
MAX_ROWS = MAX_CHANNELS = 1 << 20


class Rule:
    """How the elements of a part follow from their place. Its fields are options of the part."""

    name: ClassVar[ValuesName]

    def check(self, shape: Shape, dtype: TensorDtypeName) -> None:
        """Check that a part of a shape and dtype can have these values. Raises SpecError."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Return the rule's name and the options that differ from their defaults."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        defaults = {field.name: field.default for field in fields(self)}  # type: ignore[arg-type]
        options = {name: value for name, value in given.items() if value != defaults[name]}
        return {"values": self.name} | options

    def summarize(self) -> str:
        """Describe the rule in a line.

        >>> Arange(start=1).summarize()
        'arange, start=1'
        """
        name, *options = self.describe().items()
        return ", ".join([str(name[1]), *(f"{option}={_write(value)}" for option, value in options)])


@dataclass(frozen=True, slots=True)
class Arange(Rule):
    """start + step · column. In an integer dtype both are integers, and the values exact."""

    name: ClassVar[ValuesName] = "arange"
    start: float = 0
    step: float = 1

    def check(self, shape: Shape, dtype: TensorDtypeName) -> None:
        """Check that the dtype has all values. Raises SpecError."""
        row = TENSOR_DTYPES[dtype]
        if not isinstance(row, IntegerDtype):
            return
        for option in ("start", "step"):
            if not float(getattr(self, option)).is_integer():
                raise make_spec_error(option, f"must be an integer for {dtype}", getattr(self, option))
        if not shape[-1]:
            return
        last = int(self.start) + int(self.step) * (shape[-1] - 1)
        if not all(row.min <= end <= row.max for end in (self.start, last)):
            raise make_spec_error(
                "start", f"makes values up to {last}, outside the range of {dtype}", self.start
            )


@dataclass(frozen=True, slots=True)
class LogArange(Rule):
    """The natural logarithm of column + 1: Mamba's A_log (Gu & Dao 2023, section 3.6; S4D-Real)."""

    name: ClassVar[ValuesName] = "log_arange"

    def check(self, _shape: Shape, dtype: TensorDtypeName) -> None:
        """Check that the dtype is a floating-point format. Raises SpecError."""
        require_float(dtype)


@dataclass(frozen=True, slots=True)
class Sinusoidal(Rule):
    """Sines and cosines of row · base^(-j / d), for j below half the channels (Vaswani et al. 2017, 3.5).

    `divisor` d is "channels", half of them, or "last", one less, so that the last frequency is 1 / base.
    Sines come before the cosines, or with `interleaved` each sine before its cosine; with `cosine_first` it
    is the other way round. With a `grid` of (height, width) a row is a place in it, row-major, and one half
    of the channels encodes its column and the other its line; with `line_first` that comes first. `steps`
    "float32" rounds exponent, frequency and angle to float32, as code in that precision does.
    """

    name: ClassVar[ValuesName] = "sinusoidal"
    base: float = 10000.0
    divisor: Literal["channels", "last"] = "channels"
    interleaved: bool = False
    cosine_first: bool = False
    grid: tuple[int, int] | None = None
    line_first: bool = False
    steps: Literal["float64", "float32"] = "float64"

    def check(self, shape: Shape, dtype: TensorDtypeName) -> None:
        """Check that there are rows, and channels in pairs, or twice two with a grid. Raises SpecError."""
        require_float(dtype)
        if not 1 <= self.base <= 1e300:
            raise make_spec_error("base", "must be from 1 to 1e300", self.base)
        unit, least = 2, (2 if self.divisor == "channels" else 4)
        if self.grid:
            unit, least = 4, 2 * least
        if len(shape) < 2 or shape[-2] > MAX_ROWS or shape[-1] > MAX_CHANNELS:
            raise make_spec_error(
                "shape", f"must have positions and channels, at most {MAX_ROWS} of each", shape
            )
        if shape[-1] % unit or shape[-1] < least:
            rule = f"must have a multiple of {unit} channels, at least {least}, for sinusoidal values"
            raise make_spec_error("shape", rule, shape)
        if self.grid and self.grid[0] * self.grid[1] != shape[-2]:
            raise make_spec_error("grid", f"must have {shape[-2]} places, one for each position", self.grid)


@dataclass(frozen=True, slots=True)
class InverseSoftplus(Rule):
    """Draws whose softplus is log-uniform from `low` to `high`, at least `floor`.

    Mamba's bias of the time step (Gu & Dao 2023, section 3.6; mamba_simple.py, dt_proj.bias).
    """

    name: ClassVar[ValuesName] = "softplus_inverse_log_uniform"
    low: float = 0.001
    high: float = 0.1
    floor: float = 1e-4

    def check(self, _shape: Shape, dtype: TensorDtypeName) -> None:
        """Check the bounds. Raises SpecError."""
        require_float(dtype)
        if not 1e-300 <= self.low < self.high <= 700:
            rule = f"must be at least 1e-300, and less than high, {self.high}, which is at most 700"
            raise make_spec_error("low", rule, self.low)
        if not 1e-300 <= self.floor <= 700:
            raise make_spec_error("floor", "must be from 1e-300 to 700", self.floor)


RULES: dict[str, type[Rule]] = {rule.name: rule for rule in (Arange, LogArange, Sinusoidal, InverseSoftplus)}


def make_rule(name: str, options: dict[str, Any]) -> Rule:
    """Make a rule from its name and options. Raises SpecError for an option that it does not have."""
    kind = RULES[name]
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    for option, value in options.items():
        if option not in known:
            has = f"has {', '.join(sorted(known))}" if known else "has no options"
            raise make_spec_error(option, f"is not an option of values {name}, which {has}", value)
    return kind(**options)


def require_float(dtype: TensorDtypeName) -> None:
    """Raise SpecError for an integer dtype."""
    if isinstance(TENSOR_DTYPES[dtype], IntegerDtype):
        raise make_spec_error("dtype", "must be a floating-point format for these values", dtype)


def _write(value: object) -> str:
    return repr(value).removesuffix(".0")
