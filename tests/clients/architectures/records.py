"""Records: the activation after each kernel of a known architecture, written by hand from its source code."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from torch import nn
from weightinit.adapters.actions import Draw, Unknown
from weightinit.torch.plan import plan_parameters

from service.core.activations import find_activation

# A row of a record for what is no kernel: tables, positions, tokens, scales.
OTHER = "-"
# The gated unit that a kernel is a half of, by the activation of its other half (Shazeer 2020).
GATED = {"sigmoid": "glu", "relu": "reglu", "gelu": "geglu", "gelu_tanh": "geglu", "silu": "swiglu"}


@dataclass(frozen=True, eq=False)
class Record:
    """The activation that follows each kernel of a model, by pattern of the kernel's module.

    The first pattern that matches counts. The activation is the first nonlinearity that the output of the
    kernel meets on its way to the next kernel, a product of matrices, or the end; past norms, pools,
    reshapes, residual sums, constants and gates computed from the signal itself. Where the output goes two
    ways, the one that is run first counts. `gate+half` is a kernel that packs the two halves of a gated unit,
    in that order.
    """

    name: str
    source: str
    build: Callable[[], nn.Module]
    rows: Mapping[str, str]

    def find_row(self, name: str) -> str | None:
        """Return the first pattern that matches a parameter."""
        module = name.removesuffix(".weight")
        return next((pattern for pattern in self.rows if fnmatchcase(module, pattern)), None)


@dataclass(frozen=True)
class Kernel:
    """A kernel of a record, and what was planned for it: an activation for each of its blocks."""

    name: str
    expected: str
    planned: tuple[str, ...]
    certainty: str

    @property
    def is_right(self) -> bool:
        """Whether the plan agrees with the record. A fused kernel may be planned whole or in halves."""
        gate, *half = self.expected.split("+")
        if not half:
            return set(self.planned) == {gate}
        return self.planned in {(gate, *half), (GATED[gate if gate in GATED else half[0]],)}

    @property
    def has_right_scheme(self) -> bool:
        """Whether the plan's scheme is the record's."""
        expected = {find_scheme(name) for name in self.expected.split("+")}
        return {find_scheme(name) for name in self.planned} == expected

    @property
    def verdict(self) -> str:
        """`right`, `unknown` if the plan is, or the mistake: a wrong `scheme` or only a wrong `name`."""
        if self.certainty == "unknown":
            return "unknown"
        if self.is_right:
            return "right"
        return "name" if self.has_right_scheme else "scheme"

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.expected} follows, {' and '.join(self.planned)} ({self.certainty}) planned"
        )


def find_kernels(module):
    """Return the parameters that may be kernels: those with several axes, except tables of embeddings."""
    tables = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    return {
        name: parameter
        for name, parameter in module.named_parameters()
        if parameter.ndim > 1 and id(parameter) not in tables
    }


@cache
def judge(record):
    """Compare the plan of a model with its record, kernel by kernel."""
    module = record.build()
    with warnings.catch_warnings(action="ignore"):  # of what is unknown, which is counted here
        plan = plan_parameters(module, strict=False)
    blocks = {}
    for tensor in plan:
        blocks.setdefault(id(tensor.target), []).append(tensor)
    return [
        make_kernel(name, record.rows[row], blocks[id(parameter)])
        for name, parameter in find_kernels(module).items()
        if (row := record.find_row(name)) and record.rows[row] != OTHER
    ]


def find_gaps(record):
    """Return possible kernels without a row, and rows that match no parameter."""
    names = find_kernels(record.build())
    found = {name: record.find_row(name) for name in names}
    return [*(name for name, row in found.items() if row is None), *(set(record.rows) - set(found.values()))]


def make_kernel(name, expected, blocks):
    """Return the kernel of a parameter, given the blocks of its plan."""
    certainties = {"unknown" if isinstance(block.action, Unknown) else block.certainty for block in blocks}
    certainty = next(word for word in ("unknown", "guessed", "certain") if word in certainties)
    return Kernel(name, expected, tuple(map(name_planned, blocks)), certainty)


def name_planned(tensor):
    """Return the service's name of the activation that a tensor is planned for."""
    if not isinstance(tensor.action, Draw):
        return type(tensor.action).__name__.lower()
    planned = tensor.action.layer.get("activation") or "none"
    found = find_activation(planned)
    return found.name.replace("linear", "none") if found else planned


def find_scheme(name):
    """Return the scheme for an activation; None if the name is not an activation."""
    found = find_activation(name)
    return found.scheme if found else None
