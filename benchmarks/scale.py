"""Scale: how much is measured."""

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scale:
    """The full sizes, or small ones that only try whether all works. Both compare over several rounds."""

    quick: bool

    @property
    def rounds(self) -> int:
        """How often each contestant is measured."""
        return self.pick(7, 5)

    def pick(self, full: T, quick: T) -> T:
        """Pick a size."""
        return quick if self.quick else full
