"""Lines: the straight line through each series of a curve, and its equation in words."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks.curves import Points
from benchmarks.fits import Line, fit_line
from benchmarks.table import format_number

GIB = 2**30
SLICES = ("rows of OI", "rows of IO", "square blocks of stacked OI")


@dataclass(frozen=True, slots=True)
class Law:
    """What a series should be linear in.

    `scale` turns x to that, which has a `unit`; y times `factor` is in `y_unit`, of `each` thing. Points
    before `first` are left out.
    """

    curve: str
    series: str
    what: str
    scale: Callable[[float], float]
    unit: str
    factor: float = 1.0
    y_unit: str = ""
    each: str = ""
    first: float = 1.0


LAWS = [
    Law("growth-size", "seconds", "time", lambda x: x / GIB, "GiB", 1e3, "ms", first=1024),
    Law("growth-size", "MiB", "memory", lambda x: x / GIB, "GiB", 1, "MiB", first=1024),
    Law("growth-readers", "seconds", "time", lambda x: x, "reader", 1e3, "ms"),
    Law("growth-readers", "MiB", "memory", lambda x: x, "reader", 1, "MiB"),
    # A slice that is a single column is a walk of its own kind.
    *(
        Law("growth-slices", series, series, lambda x: 1 / x, "run", 1, "ns", "per element", 2)
        for series in SLICES
    ),
]


def find_laws(curve: str) -> list[Law]:
    """Find the laws of a curve."""
    return [law for law in LAWS if law.curve == curve]


def fit_law(law: Law, points: Points) -> Line:
    """Fit a law to the medians of its series."""
    series = [(x, ys) for x, ys in points[law.series] if x >= law.first]
    return fit_line([law.scale(x) for x, _ in series], [law.factor * median(ys) for _, ys in series])


def describe_fit(law: Law, points: Points) -> str:
    """Describe a fit in a line of Markdown."""
    line = fit_law(law, points)
    spans = [law.factor * median(ys) for _, ys in points[law.series]]
    sign = "-" if line.slope < 0 else "+"
    constant = f"{format_number(line.intercept)} {law.y_unit} {law.each}".strip()
    equation = f"{constant} {sign} {format_number(abs(line.slope))} {law.y_unit} per {law.unit}"
    return (
        f"- {law.what}: {equation}; measured {format_number(min(spans))} to {format_number(max(spans))} "
        f"{law.y_unit}, largest deviation {format_number(100 * line.residual)} %"
    )
