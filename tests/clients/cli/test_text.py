"""Text: as terminals, pipes and encodings take it."""

import json
import os
import subprocess
import sys

import pytest
from weightinit.cli.blocks import find_blocks, make_sort_key
from weightinit.cli.screen import Column, fit_columns
from weightinit.cli.text import fit_encoding, measure_width, shorten_middle, spell_out, write_size

MODEL = {
    "seed": 1,
    "tensors": [{"name": "σ/名", "shape": [4, 4]}, {"name": "é", "shape": [2], "constant": 0}],
}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.json"
    path.write_text(json.dumps(MODEL))
    return str(path)


def run(service_url, *arguments, **environment):
    """Run a command in a process of its own, and return its status and its bytes."""
    done = subprocess.run(
        [sys.executable, "-m", "weightinit", *arguments],
        env={**os.environ, "WEIGHTINIT_URL": service_url, **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("encoding", "sigma"), [("cp1252", "sigma² = 2"), ("ascii", "sigma^2 = 2"), ("utf-8", "σ² = 2")]
)
def test_a_formula_is_written_in_any_encoding(service_url, encoding, sigma):
    arguments = ["parameters", "784,300", "--activation", "relu"]
    status, out, err = run(service_url, *arguments, PYTHONIOENCODING=encoding)
    assert (status, err) == (0, b"")
    assert sigma in out.decode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["weights", "--help"], ["show", "{}"], ["diff", "{}", "{}"], ["parameters", "{}"]],
)
def test_whatever_is_printed_is_written_in_any_encoding(service_url, model, encoding, arguments):
    status, out, err = run(
        service_url, *(text.format(model) for text in arguments), PYTHONIOENCODING=encoding
    )
    assert (status, err) == (0, b"")
    out.decode(encoding)


def test_columns_are_even_where_letters_are_spelled_out(service_url, model):
    _, out, _ = run(service_url, "show", model, PYTHONIOENCODING="ascii")
    header, first, second = out.decode("ascii").splitlines()[4:7]
    assert header.index("SHAPE") == first.index("4,4") == second.index("2")
    assert "sigma^2 =" in header


def test_json_is_the_same_in_any_encoding(service_url, model):
    ascii_text, text = (
        run(service_url, "show", model, "--json", PYTHONIOENCODING=encoding)[1].decode(encoding)
        for encoding in ("ascii", "utf-8")
    )
    assert json.loads(ascii_text) == json.loads(text)
    assert json.loads(text)["tensors"][0]["name"] == "σ/名"


def test_an_error_is_written_in_any_encoding(service_url):
    status, _, err = run(service_url, "parameters", "9,9", "--activation", "σ", PYTHONIOENCODING="ascii")
    assert status == 2
    assert b'received "sigma"' in err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_traceback(service_url, closed):
    command = f"{sys.executable} -m weightinit list {closed}"
    environment = {**os.environ, "WEIGHTINIT_URL": service_url}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)


def test_a_full_disk_is_an_error_of_a_line(service_url):
    command = f"{sys.executable} -m weightinit parameters 9,9 > /dev/full"
    environment = {**os.environ, "WEIGHTINIT_URL": service_url}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        1,
        "weightinit: the output cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("√(3 · σ²)", "sqrt (3 * sigma^2)"),
        ("2⁶⁴ − 1", "2^64 - 1"),
        ("Zoë", "Zoe"),
        ("ε → 0", "epsilon -> 0"),
        ("ß", "\\xdf"),
    ],
)
def test_text_is_spelled_out(text, plain):
    assert spell_out(text) == plain


def test_what_an_encoding_has_stays():
    assert fit_encoding("3×3 – é, σ²", "cp1252") == "3×3 – é, sigma²"


def test_a_wide_letter_takes_two_columns_and_an_accent_none():
    assert (measure_width("名前"), measure_width("e\u0301")) == (4, 1)


def test_a_name_that_is_cut_has_its_end():
    assert shorten_middle("transformer.h.0.attn.weight", 14) == "tr…attn.weight"
    assert measure_width(shorten_middle("名前" * 20, 15)) <= 15


@pytest.mark.parametrize(
    ("nbytes", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (2**50, "1.0 PiB")]
)
def test_a_size_is_written_for_people(nbytes, text):
    assert write_size(nbytes) == text


def test_columns_go_in_their_order_and_then_one_shrinks():
    columns = [Column("NAME", shrinks=True), Column("A", drop=2), Column("B", drop=1), Column("C")]
    assert fit_columns(columns, [40, 10, 10, 10], None) == {0: 40, 1: 10, 2: 10, 3: 10}
    assert fit_columns(columns, [40, 10, 10, 10], 70) == {0: 40, 1: 10, 3: 10}
    assert fit_columns(columns, [40, 10, 10, 10], 40) == {0: 28, 3: 10}
    assert fit_columns(columns, [40, 10, 10, 10], 10) == {0: 12, 3: 10}


# --- names ----------------------------------------------------------------------------------------


def list_blocks(names, traits=None):
    return [(block.text, block.count) for block in find_blocks(names, traits or [None] * len(names))]


def test_names_are_in_natural_order():
    names = ["layer.10.w", "layer.2.w", "layer.w", "layer", "10", "b"]
    assert sorted(names, key=make_sort_key) == ["10", "b", "layer", "layer.2.w", "layer.10.w", "layer.w"]


def test_blocks_are_collapsed_along_each_number():
    names = [f"stage{stage}.{block}.w" for stage in (1, 2) for block in range(3)]
    assert list_blocks(names) == [("stage{1..2}.{0..2}.w", 6)]


def test_blocks_that_are_no_box_are_several():
    names = [f"stage{stage}.{block}" for stage, blocks in ((1, 2), (2, 3)) for block in range(blocks)]
    assert sum(count for _, count in list_blocks(names)) == 5


def test_a_gap_parts_blocks():
    assert list_blocks(["h.0", "h.1", "h.3"]) == [("h.{0..1}", 2), ("h.3", 1)]


def test_other_traits_part_blocks():
    assert list_blocks(["h.0", "h.1", "h.2"], "aab") == [("h.{0..1}", 2), ("h.2", 1)]


def test_numbers_with_zeros_before_them_are_text():
    assert list_blocks(["h.01", "h.02"]) == [("h.01", 1), ("h.02", 1)]


def test_names_stay_one_each_where_nothing_repeats():
    assert list_blocks(["a", "b", "a.b"]) == [("a", 1), ("b", 1), ("a.b", 1)]
