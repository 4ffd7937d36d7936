"""Write the tables of docs/parity.md from the rows and the measured variances.

`python -m tests.parity.page` writes the tables, with `measure` it measures the variances first.
"""

import json
import math
import sys
from pathlib import Path

from tests.parity.initializers import CONSTANT, DELTA, EXPLICIT, LEFT_OUT, MODULES, ORTHOGONAL, SCALED, SPARSE
from tests.parity.kernels import KERNELS, count_fans

PAGE = Path(__file__).parents[2] / "docs/parity.md"
MEASURED = Path(__file__).with_name("measured.json")
BEGIN, END = "<!-- tables of python -m tests.parity.page -->\n", "<!-- end of the tables -->\n"


def make_table(head, rows):
    """Return a table in Markdown."""
    cells = "".join(
        f"| {' | '.join(line)} |\n".replace("|  |", "| |").replace("|  |", "| |") for line in rows
    )
    return f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n{cells}"


def format_value(value):
    """Format a field's value, rounded to 4 digits."""
    if isinstance(value, float):
        return "√5" if value == math.sqrt(5) else f"{value:.4g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def format_fields(fields):
    """Format the fields of a spec as code."""
    shown = {name: value for name, value in fields.items() if name != "layout"}
    return " ".join(f"`{name}={format_value(value)}`" for name, value in shown.items())


def list_calls():
    """List the calls of every library, and the spec of the same distribution or values."""
    orthogonal = [row._replace(spec={"scheme": "orthogonal"} | row.spec) for row in ORTHOGONAL]
    delta = DELTA._replace(spec={"scheme": "delta_orthogonal"} | DELTA.spec)
    sparse = [row._replace(spec={"scheme": "sparse"} | row.spec) for row in SPARSE]
    rows = [*EXPLICIT, *SCALED, *CONSTANT, *orthogonal, delta, *sparse]
    for library, module in MODULES.items():
        seen = set()
        for row in rows:
            cells = (f"`{module}`", f"`{row.call}`", format_fields(row[-1]))
            if row.library == library and cells not in seen:
                seen.add(cells)
                yield cells


def make_calls():
    """Return the table of initializers, a row for each library and spec."""
    return make_table(("module", "initializer", "here"), list_calls())


def format_pair(pair):
    """Format two variances."""
    return [f"{value:.2g}" if value < 0.1 else f"{value:.2f}" for value in pair]


def make_kernels(measured):
    """Return the table of kernels: fans, and variances where they differ."""
    rows = []
    for kernel in KERNELS:
        ours, theirs = count_fans(kernel)
        fans = [f"{found.select('fan_in')} / {found.select('fan_out')}" for found in (theirs, ours)]
        shape = ", ".join(map(str, kernel.shape))
        cells = [kernel.layer, f"{kernel.framework} ({shape})", *fans]
        variances = []
        for mode in ("fan_in", "fan_out"):
            pair = measured.get(f"{kernel.framework}: {kernel.layer}: {mode}")
            variances.append(" / ".join(format_pair(pair)) if pair else "")
        rows.append([*cells, *variances, kernel.why])
    head = (
        "kernel",
        "framework, shape",
        "its fans",
        "fans here",
        "signal, its / here",
        "gradient, its / here",
        "why",
    )
    return make_table(head, rows)


def make_gains(measured):
    """Return the table of gains."""
    pairs = {
        name.removeprefix("gain: "): pair for name, pair in measured.items() if name.startswith("gain: ")
    }
    rows = [(f"`{name}`", *format_pair(pair)) for name, pair in pairs.items()]
    return make_table(("activation", "`calculate_gain`", "`scheme=preserve`"), rows)


def make_left_out():
    """Return the table of what is in no row."""
    rows = [
        (f"`{MODULES[library]}.{name}`", why)
        for library, names in LEFT_OUT.items()
        for name, why in names.items()
    ]
    return make_table(("left out", "why"), rows)


def make_tables():
    """Return all tables."""
    measured = json.loads(MEASURED.read_text("utf-8"))
    return "\n".join(
        (
            "### Initializers\n",
            make_calls(),
            make_left_out(),
            "### Fans\n",
            make_kernels(measured),
            "### Gains\n",
            make_gains(measured),
            "### Others\n",
            make_others(measured),
        )
    )


OTHERS = {
    "lecun_normal_": (
        "`transformers.initialization.lecun_normal_`, dense kernel: variance of the outputs",
        "It corrects σ for a cut at ±2σ, and cuts at ±2. `trunc_normal_tf_` of timm cuts at ±2σ.",
    ),
    "orthogonal gate": (
        "`keras.initializers.Orthogonal`, gates of an LSTM: smallest singular value of the first gate",
        "One matrix for all gates, so no gate keeps the length of the state. With `layout=IGO` each does.",
    ),
    "orthogonal heads": (
        "`keras.initializers.Orthogonal`, attention, into heads: smallest singular value",
        "It takes inputs and heads for one side. With `layout=IOO` the inputs are one.",
    ),
    "LSTM": (
        "gates with mode `fan_out`, one step of an LSTM: variance of the gradients of the inputs",
        "The sigmoids and tanh take most of it.",
    ),
}


def make_others(measured):
    """Return the table of other differences."""
    rows = [(what, *format_pair(measured[f"other: {name}"]), why) for name, (what, why) in OTHERS.items()]
    return make_table(("measured", "theirs", "here", "why"), rows)


def write_page():
    """Write the tables into the page."""
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{make_tables()}\n{END}{rest.split(END)[1]}", "utf-8")


if __name__ == "__main__":
    if "measure" in sys.argv:
        from tests.parity.signal import measure_all

        rounded = {name: [round(value, 4) for value in pair] for name, pair in measure_all().items()}
        MEASURED.write_text(json.dumps(rounded, indent=2) + "\n", "utf-8")
    write_page()
