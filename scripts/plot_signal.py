"""Plot docs/images/signal.svg: the signal through 30 ReLU layers with He's and with Glorot's scheme."""

from itertools import accumulate
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.core import LayerSpec, resolve_parameters
from service.stream import Tensor

LAYERS, WIDTH, BATCH = 30, 512, 256
IMAGE = Path(__file__).parents[1] / "docs/images/signal.svg"
LINES = {  # label, color, marker, and the position of the label: layer and signal
    "he": ("He: σ² = 2 / fan_in", "#1769aa", "o", (19, 0.13)),
    "glorot": ("Glorot: σ² = 1 / fan_avg", "#c4451c", "s", (4, 3e-4)),
}


def draw_kernel(scheme: str, layer: int) -> NDArray[np.float32]:
    """Draw the kernel of a layer, shape (in, out)."""
    spec = LayerSpec.parse(
        {"shape": [WIDTH, WIDTH], "scheme": scheme, "seed": 42, "name": f"layer{layer}/kernel"}
    )
    data = Tensor.of(spec, resolve_parameters(spec)).read()
    return np.frombuffer(data, np.float32).reshape(WIDTH, WIDTH)


def compute_signal(scheme: str) -> list[float]:
    """Compute the root mean square of the inputs and of the outputs of each layer."""
    inputs = np.random.default_rng(0).standard_normal((BATCH, WIDTH))

    def apply(signal: NDArray[np.float64], layer: int) -> NDArray[np.float64]:
        return np.maximum(signal @ draw_kernel(scheme, layer), 0)

    return [float(np.sqrt(np.mean(signal**2))) for signal in accumulate(range(LAYERS), apply, initial=inputs)]


def plot() -> Figure:
    """Plot both schemes."""
    figure = Figure(figsize=(7.2, 3.6), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    for scheme, (label, color, marker, place) in LINES.items():
        signal = compute_signal(scheme)
        axes.plot(range(LAYERS + 1), signal, marker + "-", color=color, markersize=4)
        axes.text(*place, f"{label}\n{signal[-1]:.2g} after {LAYERS} layers", color=color)
    axes.set(
        yscale="log",
        xlabel="layer",
        ylabel="root mean square",
        title=f"The signal through {LAYERS} ReLU layers of {WIDTH} units",
        ylim=(1e-5, 10),
    )
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    mpl.rcParams["svg.hashsalt"] = "weightinit"  # reproducible output
    plot().savefig(IMAGE, metadata={"Date": None})
