"""Tables: the data of version 1, what they approximate, and the scripts that make and verify them."""

import hashlib
import os
import re
import subprocess
import sys

import mpmath as mp
import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from service.stream import inverse_cdf as tables
from service.stream.reference import transform_table
from tests.stream.scripts import ROOT, load_script

PAGE = (ROOT / "docs" / "stream.md").read_text("utf-8")
DISTRIBUTIONS = ("normal", "truncated_normal")
# Every 2048th magnitude, the first and last 4096, and 4 on either side of each segment's border.
BORDERS = [2**octave * (1 + f / 32) - 0.5 for octave in range(31) for f in range(32)]
MAGNITUDES = np.unique(
    np.clip(
        np.concatenate(
            [
                np.arange(0, 2**31, 2**11),
                np.arange(4096),
                np.arange(2**31 - 4096, 2**31),
                np.add.outer(np.floor(BORDERS), np.arange(-4, 5)).ravel(),
            ]
        ),
        0,
        2**31 - 1,
    ).astype(np.uint32)
)


def compute_exact(distribution, magnitudes):
    """The transforms as docs/stream.md, section 4, defines them, by SciPy's ndtri."""
    tail = (magnitudes + 0.5) / 2**31
    if distribution == "normal":
        return -ndtri(tail / 2)
    central = ndtr(2.0) - 0.5
    return -ndtri(0.5 - central * (1 - tail)) / 0.87962566103423978


def compute_exactly(distribution, magnitude):
    """The same with 40 digits, from the definition: the root of P(|Z| > z) = tail."""
    with mp.workdps(40):
        tail = (mp.mpf(magnitude) + 0.5) / 2**31
        if distribution == "normal":
            return mp.sqrt(2) * mp.erfinv(1 - tail)
        return mp.sqrt(2) * mp.erfinv((1 - tail) * mp.erf(mp.sqrt(2))) / mp.mpf("0.87962566103423978")


def number_rows(magnitudes):
    """The row of each magnitude, by docs/stream.md, section 4."""
    fraction, exponent = np.frexp(magnitudes + 0.5)
    return (32 * exponent + np.floor((2 * fraction - 1) * 32).astype(int)).tolist()


def load_table(distribution):
    return tables.load_tables()[DISTRIBUTIONS.index(distribution)]


@pytest.fixture(params=DISTRIBUTIONS)
def distribution(request):
    return request.param


@pytest.fixture
def drawn(distribution):
    """|T| of the spread magnitudes."""
    return transform_table(MAGNITUDES, load_table(distribution))


class TestData:
    def test_digest_is_the_published_one(self):
        content = tables.PATH.read_bytes()
        digest = hashlib.sha256(content[-65536:]).hexdigest()
        assert digest == tables.SHA256
        assert digest in PAGE
        assert hashlib.sha256(tables.load_tables().tobytes()).hexdigest() == digest

    def test_form_is_the_published_one(self):
        loaded = tables.load_tables()
        assert (loaded.shape, loaded.dtype.str, loaded.flags.writeable) == ((2, 1024, 4), "<f8", False)
        assert np.isfinite(loaded).all()

    @pytest.mark.parametrize("offset", [128, 129, 40000, 65663])
    def test_one_other_bit_is_refused(self, offset, tmp_path, monkeypatch):
        content = bytearray(tables.PATH.read_bytes())
        content[offset] ^= 1
        (tmp_path / "tables.npy").write_bytes(content)
        monkeypatch.setattr(tables, "PATH", tmp_path / "tables.npy")
        with pytest.raises(RuntimeError, match=f"damaged.*expected {tables.SHA256}"):
            tables.load_tables()


class TestTransforms:
    """2^20 magnitudes, among them all that meet at a segment's border; the slow test takes all 2^31."""

    def test_magnitudes_are_spread_over_every_segment(self):
        assert MAGNITUDES.size > 2**20
        small = set(number_rows(np.arange(64)))  # from x = 32 on, every segment holds a magnitude
        assert set(number_rows(MAGNITUDES)) == small | set(range(6 * 32, 1024))

    def test_absolute_error_is_below_1e_9(self, distribution, drawn):
        assert np.abs(drawn - compute_exact(distribution, MAGNITUDES)).max() < 1e-9

    def test_rounded_to_float32_error_is_below_0_55_ulp(self, distribution, drawn):
        exact = compute_exact(distribution, MAGNITUDES)
        error = np.abs(drawn.astype(np.float32).astype(np.float64) - exact)
        ulps = error / np.spacing(exact.astype(np.float32))
        assert ulps[exact > 1e-7].max() < 0.55
        assert ulps.max() < 8

    def test_magnitude_falls_everywhere(self, drawn):
        assert (np.diff(drawn) < 0).all()
        assert drawn[-1] > 0

    def test_the_definition_by_40_digits_agrees(self, distribution):
        some = np.unique(np.concatenate([MAGNITUDES[:40], MAGNITUDES[::10007], MAGNITUDES[-40:]]))
        approximated = transform_table(some, load_table(distribution))
        for magnitude, value in zip(some.tolist(), approximated.tolist(), strict=True):
            assert abs(value - compute_exactly(distribution, magnitude)) < 1e-9

    def test_sign_is_the_top_bit(self, distribution, drawn):
        negative = transform_table(MAGNITUDES | np.uint32(2**31), load_table(distribution))
        assert np.array_equal(negative, -drawn)

    def test_truncated_normal_stays_within_its_cut(self):
        drawn = transform_table(MAGNITUDES, tables.load_tables()[1])
        assert drawn.max() < tables.TRUNCATED_CUT == 2 / 0.87962566103423978


def read_figures(line):
    """The figures that scripts/verify_transforms.py prints on one line."""
    number = r"[-+\d.e]+"
    found = re.match(
        rf"(?P<distribution>\w+): absolute error (?P<absolute>{number}), relative (?P<relative>{number}), "
        rf"float32 (?P<ulps>{number}) ulp, above 1e-07 (?P<ordinary>{number}) ulp, "
        rf"monotone (?P<monotone>\w+), largest (?P<largest>{number}), "
        rf"smallest (?P<smallest>{number}), variance 1(?P<variance>{number}), "
        rf"kurtosis (?P<kurtosis>{number})$",
        line,
    )
    words = ("distribution", "monotone")
    return {name: text if name in words else float(text) for name, text in found.groupdict().items()}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_magnitudes_are_verified():
    command = [sys.executable, "scripts/verify_transforms.py"]
    printed = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    normal, truncated = map(read_figures, printed.splitlines())
    assert (normal["distribution"], truncated["distribution"]) == DISTRIBUTIONS
    for figures in (normal, truncated):
        assert figures["monotone"] == "True"
        assert figures["absolute"] < 1e-9
        assert figures["relative"] < 1e-6
        # The values that 2^32 draws stand for miss the tails, and so this much of the variance.
        assert abs(figures["variance"]) < 4e-10
        for published in (
            "{absolute:.1e}",
            "{ulps:.1f} ulp",
            "{ordinary:.4f} ulp",
            "{largest!r}",
            "{smallest:.2e}",
        ):
            assert published.format(**figures) in PAGE
    assert normal["kurtosis"] == pytest.approx(3, abs=1e-7)
    assert truncated["kurtosis"] == pytest.approx(2.36553672, abs=1e-8)


@pytest.mark.slow
def test_the_script_makes_the_same_bytes_again(tmp_path, monkeypatch):
    script = load_script("make_tables")
    monkeypatch.setattr(script, "PATH", tmp_path / "tables.npy")
    script.main()
    assert (tmp_path / "tables.npy").read_bytes() == tables.PATH.read_bytes()
