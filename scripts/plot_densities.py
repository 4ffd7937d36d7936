"""Plot docs/images/densities.svg: the densities of weights that the service draws."""

from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.core import LayerSpec, resolve_parameters
from service.stream.sources.making import make_source

SIDE = 1000
EDGES = np.linspace(-4, 4, 161)
IMAGE = Path(__file__).parents[1] / "docs/images/densities.svg"
COLOR = "#1769aa"


class Panel(NamedTuple):
    """A panel: its title, the fields of the spec, and what the elements are multiplied by."""

    title: str
    fields: dict[str, object]
    factor: float = 1.0


PANELS = (
    Panel("uniform", {"stddev": 1.0, "distribution": "uniform"}),
    Panel("normal", {"stddev": 1.0}),
    Panel("truncated normal, at ±2σ", {"stddev": 1.0, "distribution": "truncated_normal"}),
    Panel(
        "truncated normal, at -1σ and 3σ",
        {"parent_stddev": 1.0, "lower": -1.0, "upper": 3.0},
    ),
    Panel("sparse, 90 % zeros", {"scheme": "sparse", "stddev": 1.0, "sparsity": 0.9}),
    Panel(f"orthogonal, times √{SIDE}", {"scheme": "orthogonal"}, SIDE**0.5),
)


def draw_elements(fields: dict[str, object]) -> NDArray[np.float64]:
    """Draw the elements of a kernel."""
    named = {"shape": [SIDE, SIDE], "dtype": "float64", "seed": 42, "name": "densities"}
    spec = LayerSpec.parse(named | fields)
    elements = np.empty(SIDE * SIDE)
    make_source(spec, resolve_parameters(spec)).bind()(0, elements.view(np.uint8))
    return elements


def plot() -> Figure:
    """Plot a histogram of each kernel."""
    figure = Figure(figsize=(7.2, 4.2), layout="constrained", facecolor="white")
    grid = figure.subplots(2, 3, sharex=True, sharey=True)
    for axes, panel in zip(grid.flat, PANELS, strict=True):
        elements = draw_elements(panel.fields) * panel.factor
        nonzero = elements[elements != 0]
        density = np.histogram(nonzero, EDGES)[0] / (elements.size * (EDGES[1] - EDGES[0]))
        axes.stairs(density, EDGES, fill=True, color=COLOR, alpha=0.8)
        zeros = 1 - nonzero.size / elements.size
        if zeros:
            axes.plot([0, 0], [0, 0.52], color=COLOR, linewidth=3)
            axes.text(-0.2, 0.49, f"{zeros:.0%} are 0", color=COLOR, ha="right", fontsize=9)
        axes.text(0.98, 0.86, f"σ = {elements.std():.2f}", ha="right", transform=axes.transAxes, fontsize=9)
        axes.set_title(panel.title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0, 0].set(ylim=(0, 0.55), xlim=(-4, 4))
    figure.supxlabel("weight", fontsize=10)
    figure.supylabel("density", fontsize=10)
    return figure


if __name__ == "__main__":
    mpl.rcParams["svg.hashsalt"] = "weightinit"  # reproducible output
    plot().savefig(IMAGE, metadata={"Date": None})
