"""The numbers in the tables of docs/stream.md are those of the service."""

import re
from pathlib import Path

from service.core import LayerSpec
from service.core.activations import ACTIVATIONS
from service.core.cut import compute_cut
from service.core.schemes import SCHEMES
from service.core.signal.moments import MOMENTS, PARAMETRIC, find_moments

PAGE = (Path(__file__).parents[2] / "docs/stream.md").read_text("utf-8")


def read_table(header):
    """Return the cells of the rows of the table whose header begins so."""
    rows = PAGE.split(f"\n| {header}", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def read_names(cell):
    return re.findall(r"`(\w+)`", cell)


def test_the_moments_of_activations_without_a_parameter():
    table = {
        name: (float(signal), float(gradient))
        for names, signal, gradient in read_table("activation | E[φ(z)²]")
        for name in read_names(names)
    }
    expected = {name: row for row in ACTIVATIONS.values() for name in (row.name, *row.aliases)}
    assert table == {name: find_moments(row.name) for name, row in expected.items() if row.name in MOMENTS}


def test_the_moments_of_activations_whose_parameter_is_not_set():
    rows = PAGE.split("In the second they are exact", 1)[1].split("Parameters are at most", 1)[0]
    table = re.findall(r"^\| `(\w+)` .* \| ([\d.]+), ([\d.]+) \|$", rows, re.MULTILINE)
    assert [name for name, *_ in table] == ["celu", "threshold", "hard_shrink", "soft_shrink"]
    for name, *numbers in table:
        assert find_moments(name) == tuple(map(float, numbers))


def test_the_moments_of_an_elu():
    row = re.search(r"0\.5 \+ α·α·([\d.]+) \| 0\.5 \+ α·α·([\d.]+)", PAGE)
    signal, gradient = map(float, row.groups())
    assert find_moments("elu", (3.0,)) == (0.5 + 9.0 * signal, 0.5 + 9.0 * gradient)


def test_every_activation_with_a_parameter_has_a_row():
    rows = PAGE.split("Activations with a parameter have formulas", 1)[1].split("### Scheme `explicit`", 1)[0]
    found = {
        name for row in rows.splitlines() if row.startswith("| `") for name in read_names(row.split("|")[1])
    }
    assert found == set(PARAMETRIC)


def test_the_numbers_of_cuts():
    table = read_table("lower | upper | lo")
    assert len(table) == 3
    for cells in table:
        lower, upper, lo, up, mass, stddev = map(float, cells)
        cut = compute_cut(lower, upper)
        assert (cut.lo, cut.up, cut.mass, cut.stddev) == (lo, up, mass, stddev)


def test_every_field_that_a_scheme_uses_is_in_its_row():
    table = {cells[0]: set(read_names(cells[1].split(";")[0])) for cells in read_table("scheme | fields")[2:]}
    found = {scheme: fields for names, fields in table.items() for scheme in read_names(names)}
    shared = set(read_names(read_table("scheme | fields")[0][1]))
    own = {"he": "negative_slope", "variance_scaling": "scale", "preserve": "activation_parameter"}
    found |= {name: shared | {own.get(name)} - {None} for name in ("glorot", "lecun", *own)}
    found |= {"zeros": set(), "ones": set()}
    assert found == {name: set(scheme.options) for name, scheme in SCHEMES.items()}


def test_every_field_is_on_the_page():
    assert set(LayerSpec.model_fields) - set(read_names(PAGE)) <= {
        "shape",
        "layout",
        "scheme",
        "dtype",
        "seed",
        "name",
    }
