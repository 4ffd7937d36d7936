"""A row: one figure of ours beside those of its peers, and how far it has to reach."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.measure import Compared, Goal


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of ours beside its peers'.

    `measure` is the function that measures it, called with the scale and `arguments`, in a process of its
    own: with `environment` set, and held to one core where it is `pinned`. More is better where the goal is
    to reach at least the target. A ratio is ours by the peer's, a difference ours less the peer's.
    """

    name: str
    work: str
    against: str
    unit: str
    goal: Goal
    target: float
    measure: str
    arguments: tuple[str, ...] = ()
    compared: Compared = "ratio"
    pinned: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The first word of the name."""
        return self.name.partition("-")[0]

    @property
    def sign(self) -> str:
        """The unit of what is compared: × for a ratio."""
        return "×" if self.compared == "ratio" else self.unit
