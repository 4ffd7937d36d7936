"""Statistics of 10^8 draws of each distribution, and between streams.

Every threshold comes from the statistic's own distribution, if the draws are what they claim to be. Each
comparison has a false-alarm rate of 1e-9, over its whole family of lags or tensors where there is one. There
are fewer than 100 comparisons, so a stream without a fault had a chance below 1e-7 to fail this file. Seeds
are fixed: what passes once passes always.

All draws are float32 of unit variance, in chunks of 2^20.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import fft, stats

from service.stream import derive_key
from service.stream.kernels.philox import TILE, draw_tile
from tests.stream.drawing import DISTRIBUTIONS, make_tensor

FALSE_ALARM = 1e-9
CHUNK = 2**20
COUNT = 96 * CHUNK  # 1.007e8
LAGS, PIECE = 4096, 2**16

SCIPY_DISTRIBUTIONS = {
    "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)),
    "normal": stats.norm(),
    "truncated_normal": stats.truncnorm(-2, 2, scale=1 / 0.87962566103423978),
}
each_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS)


def make_unit(shape=(COUNT,), layout="O", **values):
    """A tensor of unit variance: one run of the stream by default."""
    unit = {"fan_in": 1, "fan_out": 1, "scheme": "variance_scaling", "scale": 1.0, "activation": "none"}
    return make_tensor(shape=shape, layout=layout, **unit, **values)


def draw_chunks(tensor, count=COUNT, start=0):
    """Yield float32 chunks of a tensor; each is overwritten by the next."""
    out = np.empty(4 * CHUNK, np.uint8)
    for first in range(start, start + count, CHUNK):
        tensor.fill(first, out)
        yield out.view(np.float32)


def assert_standard_normal(z, family=1):
    """Hold statistics that are normal with mean 0 and variance 1, the largest of a family of them."""
    assert np.max(np.abs(z)) < stats.norm.isf(FALSE_ALARM / 2 / family)


def assert_chi_square(value, degrees):
    """Hold a sum of squares from both sides: too even is as wrong as too rough."""
    assert stats.chi2.isf(1 - FALSE_ALARM / 2, degrees) < value < stats.chi2.isf(FALSE_ALARM / 2, degrees)


class TestOneStream:
    @each_distribution
    def test_moments(self, distribution):
        """Raw moments around the mean 0, each to its standard error √((μ2k - μk²) / n)."""
        sums = np.zeros(5)
        for chunk in draw_chunks(make_unit(distribution=distribution, name="moments")):
            values = chunk.astype(np.float64)
            squares = values * values
            sums += [CHUNK, values.sum(), squares.sum(), squares @ values, squares @ squares]
        exact = [SCIPY_DISTRIBUTIONS[distribution].moment(order) for order in range(9)]
        for order, name in enumerate(("mean", "variance", "skewness", "kurtosis"), 1):
            error = np.sqrt((exact[2 * order] - exact[order] ** 2) / COUNT)
            z = (sums[order] / COUNT - exact[order]) / error
            assert abs(z) < stats.norm.isf(FALSE_ALARM / 2), name

    @each_distribution
    def test_frequencies(self, distribution):
        """χ² and Kolmogorov-Smirnov over bins whose borders are the float32 numbers with 9 mantissa bits."""
        counts = np.zeros(2**18, np.int64)
        for chunk in draw_chunks(make_unit(distribution=distribution, name="frequencies")):
            counts += np.bincount(chunk.view(np.uint32) >> 14, minlength=2**18)
        finite = np.arange(0x7F800000 >> 14, dtype=np.uint32) << 14
        borders = finite.view(np.float32).astype(np.float64)
        above = SCIPY_DISTRIBUTIONS[distribution].sf(
            borders
        )  # small magnitudes first; the same below zero, by symmetry
        observed = np.concatenate([counts[2**17 :][: borders.size][::-1], counts[: borders.size]])
        half = -np.diff(above, append=0.0)
        expected = np.concatenate([half[::-1], half]) * COUNT
        assert observed.sum() == COUNT

        distance = np.abs(np.cumsum(observed) - np.cumsum(expected)).max() / COUNT
        assert distance * np.sqrt(COUNT) < stats.kstwobign.isf(FALSE_ALARM)

        # Neighbours are merged to about 1000 bins as likely as each other.
        groups = np.floor(np.cumsum(expected) / COUNT * 1000 * (1 - 1e-12)).astype(int)
        merged, merged_expected = np.bincount(groups, observed), np.bincount(groups, expected)
        merged, merged_expected = merged[merged_expected > 0], merged_expected[merged_expected > 0]
        assert merged.size > 400
        assert merged_expected.min() > 1000
        assert_chi_square(((merged - merged_expected) ** 2 / merged_expected).sum(), merged.size - 1)

    @each_distribution
    def test_serial_correlation_at_every_lag_up_to_4096(self, distribution):
        """All at once, by the power spectrum of pieces padded with zeros (Wiener-Khinchin)."""
        power = np.zeros(PIECE + 1)
        for chunk in draw_chunks(make_unit(distribution=distribution, name="lags")):
            spectrum = fft.rfft(chunk.reshape(-1, PIECE), 2 * PIECE)
            power += np.sum(spectrum.real**2 + spectrum.imag**2, axis=0)
        products = fft.irfft(power)[1 : LAGS + 1]
        pairs = COUNT // PIECE * (PIECE - np.arange(1, LAGS + 1))
        z = products / np.sqrt(pairs)
        assert_standard_normal(z, family=LAGS)
        assert_chi_square((z**2).sum(), LAGS)

    @each_distribution
    def test_neighbours_in_a_matrix(self, distribution):
        """A Keras kernel of 10^4 by 10^4: rows and columns, their sums, and both diagonals."""
        side, rows = 10_000, 100
        tensor = make_unit((side, side), "IO", distribution=distribution, name="matrix")
        out, last = np.empty(4 * rows * side, np.uint8), np.empty((0, side), np.float32)
        across = down = falling = rising = 0.0
        row_sums, column_sums = [], np.zeros(side)
        for first in range(0, side, rows):
            tensor.fill(first * side, out)
            block = np.concatenate([last, out.view(np.float32).reshape(rows, side)])
            fresh, upper, lower = block[len(last) :], block[:-1], block[1:]
            across += np.vdot(fresh[:, :-1].copy(), fresh[:, 1:].copy())
            down += np.vdot(upper, lower)
            falling += np.vdot(upper[:, :-1].copy(), lower[:, 1:].copy())
            rising += np.vdot(upper[:, 1:].copy(), lower[:, :-1].copy())
            row_sums.append(fresh.sum(axis=1, dtype=np.float64))
            column_sums += fresh.sum(axis=0, dtype=np.float64)
            last = fresh[-1:].copy()
        near, diagonal = np.sqrt(side * (side - 1.0)), side - 1.0
        assert_standard_normal(
            np.array([across / near, down / near, falling / diagonal, rising / diagonal]), 4
        )
        for sums in (np.concatenate(row_sums), column_sums):
            assert_chi_square((sums**2).sum() / side, side)

    def test_bits(self):
        """Each bit of the words is as often 0 as 1, and goes with no other bit and none of the next word."""
        tiles, key = 512, np.array(derive_key(42, "bits"), np.uint32)
        words = np.empty((tiles, TILE), np.uint32)
        for tile in range(tiles):
            draw_tile(key, np.uint64(tile), words[tile])
        moments, sums = np.zeros((32, 64)), np.zeros(32)
        for part in np.split(words.ravel(), 16):
            bits = np.unpackbits(part.view(np.uint8)).reshape(-1, 32).astype(np.float32) * 2 - 1
            sums += bits.sum(axis=0)
            moments += bits[:-1].T @ np.hstack([bits[:-1], bits[1:]])
        assert_standard_normal(sums / np.sqrt(words.size), family=32)
        z = moments / np.sqrt(words.size - 16.0)
        pairs = np.concatenate([z[:, :32][np.triu_indices(32, 1)], z[:, 32:].ravel()])
        assert_standard_normal(pairs, family=pairs.size)
        assert_chi_square((pairs**2).sum(), pairs.size)


class TestBetweenStreams:
    PAIRS = pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param({"seed": 42}, {"seed": 43}, id="seeds"),
            pytest.param({"name": "a"}, {"name": "b"}, id="names"),
            pytest.param({"name": "fc1"}, {"name": "fc2"}, id="layers"),
            pytest.param({"name": "fc1", "seed": 2}, {"name": "fc2", "seed": 1}, id="both"),
        ],
    )

    @PAIRS
    def test_no_correlation_of_values_or_squares(self, one, other):
        tensors = [make_unit(distribution="normal", **which) for which in (one, other)]
        products = squares = 0.0
        for left, right in zip(*map(draw_chunks, tensors), strict=True):
            products += np.vdot(left, right)
            squares += np.vdot(left * left - 1, right * right - 1)
        assert_standard_normal(np.array([products, squares / 2]) / np.sqrt(COUNT), family=2)

    @PAIRS
    def test_no_correlation_at_any_shift_up_to_4096(self, one, other):
        tensors, count = [make_unit(distribution="normal", **which) for which in (one, other)], 16 * CHUNK
        cross = np.zeros(PIECE + 1, np.complex128)
        for left, right in zip(*(draw_chunks(tensor, count) for tensor in tensors), strict=True):
            spectra = [fft.rfft(chunk.reshape(-1, PIECE), 2 * PIECE) for chunk in (left, right)]
            cross += np.sum(np.conj(spectra[0]) * spectra[1], axis=0)
        products = fft.irfft(cross)
        shifts = np.arange(-LAGS, LAGS + 1)
        z = products[shifts] / np.sqrt(count // PIECE * (PIECE - np.abs(shifts)))
        assert_standard_normal(z, family=z.size)
        assert_chi_square((z**2).sum(), z.size)

    def test_no_correlation_between_shards(self):
        """Eight shards of one tensor, element by element."""
        tensor, shards = make_unit(distribution="normal", name="shards"), 8
        moments = np.zeros((shards, shards))
        starts = range(0, COUNT, COUNT // shards)
        for chunks in zip(
            *(draw_chunks_copied(tensor, COUNT // shards, start) for start in starts), strict=True
        ):
            block = np.stack(chunks)
            moments += block @ block.T
        z = moments[np.triu_indices(shards, 1)] / np.sqrt(COUNT / shards)
        assert_standard_normal(z, family=z.size)

    @pytest.mark.parametrize("axis", ["seed", "name"])
    def test_first_weights_of_neighbouring_tensors_are_independent(self, axis):
        """The first 64 weights of 4096 seeds, or of layers 0 to 4095: as good a stream as any."""
        tensor, tensors = make_unit(distribution="normal", shape=(64,)), 4096
        rows = []
        for index in range(tensors):
            key = derive_key(index, "w") if axis == "seed" else derive_key(42, f"layers.{index}.weight")
            rows.append(np.frombuffer(replace(tensor, key=key).read(), np.float32))
        table = np.stack(rows).astype(np.float64)
        assert stats.kstest(table.ravel(), "norm").pvalue > FALSE_ALARM
        assert_chi_square((table.sum(axis=0) ** 2).sum() / tensors, 64)
        z = (table.T @ table)[np.triu_indices(64, 1)] / np.sqrt(tensors)
        assert_standard_normal(z, family=z.size)
        along = np.sum(table[:-1] * table[1:], axis=1) / 8
        assert_standard_normal(along.sum() / np.sqrt(tensors - 1))


def draw_chunks_copied(tensor, count, start):
    return (chunk.copy() for chunk in draw_chunks(tensor, count, start))
