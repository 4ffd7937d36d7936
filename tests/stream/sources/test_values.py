"""Values: the code of Whisper, ViT-MAE, DistilBERT and Mamba, the exact functions, and the C program."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from service.core import SpecError
from service.core.models.values import Arange, InverseSoftplus, LogArange, Sinusoidal
from service.core.slices import select_all
from service.stream import derive_key, functions
from service.stream.order import find_positions
from service.stream.sources.values import InverseSoftplusTensor, ValuesTensor
from tests.clients.architectures.building import load_torchvision
from tests.stream.drawing import DTYPES
from tests.stream.sources.drawing import KEY, SEEDED, list_positions, ranges, read_range, slices_of, view

SINUSOIDAL = {
    "Whisper": {"divisor": "last", "steps": "float32"},
    "Whisper, exact": {"divisor": "last"},
    "interleaved": {"interleaved": True},
    "MusicGen": {"divisor": "last", "cosine_first": True},
    "ViT-MAE": {"grid": (3, 7)},
    "line first": {"grid": (7, 3), "line_first": True, "interleaved": True},
    "another base": {"base": 500.0},
}


def make(shape, rule, dtype="float32", slices=None):
    return ValuesTensor(shape, slices or select_all(shape), dtype, rule)


def make_bias(shape, slices=None, dtype="float32", **values):
    slices = slices or select_all(shape)
    positions = find_positions(shape, "O" * len(shape), slices)
    extent = tuple(axis.stop - axis.start for axis in slices)
    return InverseSoftplusTensor(KEY, extent, positions, dtype, InverseSoftplus(**values))


def count_ulps(found, expected):
    """Return the distance of float32 values, in units in the last place."""
    bits = [np.ascontiguousarray(values).view(np.int32).astype(np.int64) for values in (found, expected)]
    ordered = [np.where(each < 0, -(each & 0x7FFFFFFF), each) for each in bits]
    return np.abs(ordered[0] - ordered[1])


@pytest.fixture(scope="module")
def models():
    """The code of transformers: modules by name."""
    load_torchvision()
    from transformers.models.distilbert import modeling_distilbert
    from transformers.models.mamba import MambaConfig, modeling_mamba
    from transformers.models.vit_mae import modeling_vit_mae
    from transformers.models.whisper import modeling_whisper

    return {
        "whisper": modeling_whisper.sinusoids,
        "mae": modeling_vit_mae.build_2d_sinusoidal_position_embedding,
        "distilbert": modeling_distilbert._create_sinusoidal_embeddings,
        "mamba": lambda: modeling_mamba.MambaForCausalLM(
            MambaConfig(vocab_size=9, hidden_size=512, state_size=16, num_hidden_layers=1)
        ),
    }


class TestFunctions:
    @staticmethod
    def measure(found, exact, xs):
        """Return the largest error in units in the last place."""
        with mpmath.workdps(40):
            return max(
                float(abs((mpmath.mpf(y) - exact(mpmath.mpf(x))) / mpmath.mpf(math.ulp(y))))
                for x, y in zip(xs.tolist(), found(xs).tolist(), strict=True)
            )

    @pytest.mark.parametrize(
        ("found", "exact", "low", "high", "most"),
        [
            (functions.exp, mpmath.exp, -700, 700, 1.2),
            (functions.exp, mpmath.exp, -1, 1, 1.2),
            (functions.expm1, mpmath.expm1, -1, 1, 4),
            (functions.expm1, mpmath.expm1, -1e-4, 1e-9, 1.2),
            (functions.log, mpmath.log, 1e-300, 1e300, 1.5),
            (functions.log, mpmath.log, 0.5, 2, 2.6),
            (lambda x: functions.sincos(x)[0], mpmath.sin, 0, 10, 1.8),
            (lambda x: functions.sincos(x)[1], mpmath.cos, 0, 10, 1.8),
            (lambda x: functions.sincos(x)[0], mpmath.sin, 0, 2**20, 2.6),
            (lambda x: functions.sincos(x)[1], mpmath.cos, 0, 2**20, 2.6),
        ],
    )
    def test_the_error_is_that_of_the_page(self, found, exact, low, high, most):
        assert self.measure(found, exact, np.random.default_rng(1).uniform(low, high, 3000)) < most

    def test_they_are_exact_where_the_result_is(self):
        zero, one = np.zeros(1), np.ones(1)
        assert functions.exp(zero) == functions.sincos(zero)[1] == 1
        assert functions.expm1(zero) == functions.log(one) == functions.sincos(zero)[0] == 0


class TestPage:
    """The page alone gives the same bytes."""

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("given_rule", SINUSOIDAL.values(), ids=SINUSOIDAL)
    def test_sinusoidal(self, independent, given_rule, dtype):
        fields = {"base": 10000.0} | given_rule
        query = fields | ({"grid": "{},{}".format(*fields["grid"])} if "grid" in fields else {})
        query |= {"values": "sinusoidal", "shape": (21, 24), "layout": "OI", "dtype": dtype, **SEEDED}
        assert independent.draw(query) == make((21, 24), Sinusoidal(**fields), dtype).read()

    @pytest.mark.parametrize("dtype", [*DTYPES, "int64", "int32", "int16"])
    def test_arange(self, independent, dtype):
        query = {"values": "arange", "shape": (3, 70), "layout": "OI", "dtype": dtype, "start": -9, "step": 3}
        assert independent.draw(query | SEEDED) == make((3, 70), Arange(-9, 3), dtype).read()

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_log_arange(self, independent, dtype):
        query = {"values": "log_arange", "shape": (3, 3000), "layout": "OI", "dtype": dtype, **SEEDED}
        assert independent.draw(query) == make((3, 3000), LogArange(), dtype).read()

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_inverse_softplus(self, independent, dtype):
        numbers = {"low": 1e-3, "high": 3.0, "floor": 2e-3}
        query = {
            "values": "softplus_inverse_log_uniform",
            "shape": (9000,),
            "layout": "O",
            "dtype": dtype,
            **numbers,
        }
        assert independent.draw(query | SEEDED) == make_bias((9000,), dtype=dtype, **numbers).read()


class TestModels:
    """The tensors of published code."""

    def test_vit_mae(self, models):
        theirs = models["mae"](14, 10, 768).numpy()
        assert np.array_equal(view(make((140, 768), Sinusoidal(grid=(14, 10), line_first=True))), theirs)
        ours = view(make((140, 768), Sinusoidal(grid=(14, 10))))  # MAE and DiT, whose columns come first
        assert np.array_equal(ours, np.concatenate([theirs[:, 384:], theirs[:, :384]], 1))

    def test_distilbert(self, models):
        theirs = torch.empty(512, 768)
        models["distilbert"](512, 768, theirs)
        ulps = count_ulps(view(make((512, 768), Sinusoidal(interleaved=True))), theirs.numpy())
        assert ulps.max() <= 1
        assert (ulps == 0).mean() > 0.9999

    def test_whisper(self, models):
        theirs = models["whisper"](1500, 384).numpy()
        ours = view(make((1500, 384), Sinusoidal(divisor="last", steps="float32")))
        # What is left are the channels where torch.exp in float32 does not round correctly.
        assert (count_ulps(ours, theirs) <= 1).mean() > 0.98
        assert np.abs(ours - theirs).max() < 2e-4
        exact = view(make((1500, 384), Sinusoidal(divisor="last"), "float64"))
        numbers = np.exp(-np.log(10000) / 191 * np.arange(192)) * np.arange(1500)[:, None]
        assert np.abs(exact - np.concatenate([np.sin(numbers), np.cos(numbers)], 1)).max() < 1e-11

    def test_mamba(self, models):
        mixer = models["mamba"]().backbone.layers[0].mixer
        ours = view(make(tuple(mixer.A_log.shape), LogArange()))
        assert count_ulps(ours, mixer.A_log.detach().numpy()).max() <= 1
        theirs = mixer.dt_proj.bias.detach().numpy()
        assert stats.ks_2samp(view(make_bias(theirs.shape)), theirs).pvalue > 1e-3

    def test_the_inverse_of_softplus_is_mambas_formula(self):
        source = make_bias((9000,), dtype="float64")
        uniform = np.frombuffer(make_uniform_words((9000,)), np.uint32).astype(np.float64)
        u = torch.from_numpy((uniform + 0.5) / 2**32)
        dt = torch.exp(u * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(min=1e-4)
        np.testing.assert_allclose(view(source), (dt + torch.log(-torch.expm1(-dt))).numpy(), rtol=1e-14)


def make_uniform_words(shape):
    from service.stream.reference import draw_words

    return draw_words(KEY, list_positions(shape, "O")).tobytes()


def test_softplus_of_the_bias_is_log_uniform():
    values = np.log1p(np.exp(view(make_bias((20_000,), dtype="float64"))))
    assert (values.min(), values.max()) > (0.001, 0)
    assert values.max() < 0.1
    assert stats.kstest(np.log(values), stats.uniform(math.log(0.001), math.log(100)).cdf).pvalue > 1e-3


def test_the_floor_holds_the_smallest():
    values = np.log1p(np.exp(view(make_bias((20_000,), dtype="float64", floor=0.01))))
    assert values.min() == pytest.approx(0.01, rel=1e-12)
    assert (values < 0.0100001).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "uint8"])
def test_an_arange_of_integers_is_torchs(dtype):
    expected = torch.arange(100, dtype=getattr(torch, dtype)).expand(2, 3, 100).numpy()
    assert np.array_equal(view(make((2, 3, 100), Arange(), dtype), np.dtype(dtype)), expected)


def test_an_arange_of_large_integers_is_exact():
    source = make((2**62,), Arange(1, 2), "uint64", (slice(2**62 - 3, 2**62),))
    assert view(source, np.uint64).tolist() == [2**63 - 5, 2**63 - 3, 2**63 - 1]


@pytest.mark.parametrize(
    ("shape", "rule", "dtype", "message"),
    [
        ((), Arange(), "int64", "shape must have an axis"),
        ((9,), Arange(0.5), "int64", "start must be an integer for int64"),
        ((129,), Arange(), "int8", "outside the range of int8"),
        ((3,), Arange(-1), "uint8", "outside the range of uint8"),
        ((9,), LogArange(), "int32", "dtype must be a floating-point format"),
        ((9,), Sinusoidal(), "float32", "shape must have positions and channels"),
        ((2**20 + 1, 4), Sinusoidal(), "float32", "shape must have positions and channels"),
        ((9, 5), Sinusoidal(), "float32", "must have a multiple of 2 channels"),
        ((9, 2), Sinusoidal(divisor="last"), "float32", "at least 4"),
        ((9, 6), Sinusoidal(grid=(3, 3)), "float32", "must have a multiple of 4 channels"),
        ((9, 8), Sinusoidal(grid=(3, 4)), "float32", "grid must have 9 places"),
    ],
)
def test_what_a_rule_has_no_values_for_is_refused(shape, rule, dtype, message):
    with pytest.raises(SpecError, match=message):
        make(shape, rule, dtype)


@pytest.mark.parametrize("base", [0.0, 0.5, math.inf, math.nan])
def test_a_base_out_of_range_is_refused(base):
    with pytest.raises(SpecError, match="base must be from 1 to 1e300"):
        make((9, 8), Sinusoidal(base=base))


@pytest.mark.parametrize(
    ("bounds", "field"),
    [({"low": 0.0}, "low"), ({"low": 0.2}, "low"), ({"high": 701.0}, "low"), ({"floor": 0.0}, "floor")],
)
def test_bounds_out_of_range_are_refused(bounds, field):
    with pytest.raises(SpecError, match=f"{field} must be (from|at least) 1e-300"):
        make_bias((9,), **bounds)


RULES = [Arange(2, 0.5), LogArange(), *(Sinusoidal(**rule) for rule in SINUSOIDAL.values())]


@pytest.mark.parametrize("rule", RULES)
@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_any_range_of_any_slice_is_that_of_the_whole(rule, data):
    shape = (2, 21, 24)
    slices, dtype = data.draw(slices_of(shape)), data.draw(st.sampled_from([*DTYPES]))
    part = make(shape, rule, dtype, slices)
    start, count = data.draw(ranges(part))
    whole = view(make(shape, rule, dtype))[slices].ravel()
    assert read_range(part, start, count) == whole[start : start + count].tobytes()


@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_any_range_of_any_slice_of_a_bias_is_that_of_the_whole(data):
    slices = data.draw(slices_of((70, 50)))
    part = make_bias((70, 50), slices)
    start, count = data.draw(ranges(part))
    whole = view(make_bias((70, 50)))[slices].ravel()
    assert read_range(part, start, count) == whole[start : start + count].tobytes()


def test_another_field_is_another_identity():
    others = [make((4, 8), rule) for rule in [*RULES[:6], Arange(2, 1)]]
    others += [
        make((4, 8), LogArange(), dtype="float16"),
        make((4, 8), LogArange(), slices=(slice(0, 2),) * 2),
    ]
    others += [
        make_bias((9,)),
        make_bias((9,), low=0.002),
        make_bias((9,), high=0.2),
        make_bias((9,), floor=0.01),
    ]
    for one, other in itertools.combinations(others, 2):
        assert one.identity != other.identity


def test_another_seed_is_another_bias():
    here = make_bias((9,))
    there = InverseSoftplusTensor(derive_key(43, "sources"), here.shape, here.positions, "float32")
    assert here.read() != there.read()
